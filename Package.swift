// swift-tools-version: 6.1
import PackageDescription

// The rooms of the house and the arrows between them; `Tests/HouseTests` holds the imports of the sources against the same table.

/// Numerical kernels: their public edge checks shapes itself, the loops inside run unchecked; optimised in debug builds too, since the tests of
/// whole networks would take minutes otherwise. They are compiled for the processor at hand (W2W_PORTABLE=1 in the environment: for any).
/// `-fno-math-errno` lets a square root be one instruction.
let isPortable = Context.environment["W2W_PORTABLE"] != nil
#if arch(x86_64)
    let native = isPortable ? [] : ["-Xcc", "-march=native"]
#else
    let native = isPortable ? [] : ["-Xcc", "-mcpu=native"]
#endif
/// Compiled as a whole in debug builds too: a kernel that is generic over its numbers is otherwise called through tables, four times slower.
let unchecked: [SwiftSetting] =
    [.unsafeFlags(["-Ounchecked", "-Xcc", "-fno-math-errno"] + native)] + (isPortable ? [] : [.define("FUSED_MULTIPLY_ADD")])
    + [.unsafeFlags(["-disable-batch-mode", "-whole-module-optimization", "-num-threads", "2"], .when(configuration: .debug))]

/// Rooms that walk over many numbers or bytes: optimised, with all checks, in debug builds too.
let optimised: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

let package = Package(
    name: "w2w",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        // System libraries: a module map and a shim header each.
        .systemLibrary(name: "CNcursesw", providers: [.apt(["libncurses-dev"])]),
        .systemLibrary(name: "CSixel", providers: [.apt(["libsixel-dev"])]),
        .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CPNG", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CJPEG", providers: [.apt(["libturbojpeg0-dev"])]),

        // The engine's column.
        .target(name: "TensorKit", dependencies: ["COneDNN", "COpenBLAS"], swiftSettings: unchecked),
        .target(name: "Checkpoints", dependencies: ["TensorKit"], swiftSettings: optimised),
        .target(name: "NeuralNetworks", dependencies: ["TensorKit", "Checkpoints"], swiftSettings: optimised),
        .target(
            name: "StableDiffusion", dependencies: ["NeuralNetworks", "Checkpoints", "TensorKit", "ImageCore"],
            swiftSettings: optimised),
        .target(
            name: "WeightSpace",
            dependencies: ["StableDiffusion", "NeuralNetworks", "Checkpoints", "TensorKit", "ImageCore"],
            resources: [.copy("Resources/BuiltInSpace")], swiftSettings: optimised),
        .target(
            name: "Engine",
            dependencies: [
                "WeightSpace", "StableDiffusion", "NeuralNetworks", "Checkpoints", "TensorKit", "EngineAPI", "ImageCore",
            ],
            swiftSettings: optimised),

        // Values that the rooms exchange.
        .target(name: "ImageCore", dependencies: ["CPNG", "CJPEG"], swiftSettings: optimised),
        .target(name: "EngineAPI", dependencies: ["ImageCore"]),
        .target(name: "ScreenModel", swiftSettings: optimised),

        // A terminal played by a program: the benchmarks and the tests press its keys and read its screen.
        .target(name: "PseudoTerminal", swiftSettings: optimised),

        // What a person meets.
        .target(
            name: "Library",
            dependencies: ["EngineAPI", "ImageCore", .product(name: "GRDB", package: "GRDB.swift")]),
        .target(
            name: "Explorer",
            dependencies: ["EngineAPI", "ScreenModel", "ImageCore", .product(name: "TOMLKit", package: "TOMLKit")]),
        .target(
            name: "Terminal", dependencies: ["ScreenModel", "ImageCore", "CNcursesw", "CSixel"], swiftSettings: optimised),
        .executableTarget(
            name: "w2w",
            dependencies: [
                "Terminal", "Explorer", "Library", "Engine", "EngineAPI", "ScreenModel", "ImageCore", "WeightSpace",
                "StableDiffusion", "NeuralNetworks", "Checkpoints", "TensorKit", "PseudoTerminal",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]),

        // Comparison of arrays for the tests; no product needs it.
        .target(
            name: "NumericalTesting", dependencies: ["TensorKit"], path: "Tests/NumericalTesting", swiftSettings: optimised),

        .testTarget(name: "HouseTests"),
        .testTarget(name: "TensorKitTests", dependencies: ["TensorKit", "NumericalTesting"], resources: [.copy("Fixtures")]),
        .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "TensorKit"], resources: [.copy("Fixtures")]),
        .testTarget(
            name: "NeuralNetworksTests", dependencies: ["NeuralNetworks", "TensorKit", "Checkpoints", "NumericalTesting"],
            resources: [.copy("Fixtures")]),
        .testTarget(
            name: "StableDiffusionTests",
            dependencies: ["StableDiffusion", "NeuralNetworks", "Checkpoints", "TensorKit", "ImageCore", "NumericalTesting"],
            resources: [.copy("Fixtures")]),
        .testTarget(
            name: "WeightSpaceTests",
            dependencies: ["WeightSpace", "StableDiffusion", "NeuralNetworks", "Checkpoints", "TensorKit", "ImageCore"],
            resources: [.copy("Fixtures")]),
        .testTarget(name: "EngineTests", dependencies: ["Engine", "EngineAPI", "WeightSpace", "ImageCore"]),
        .testTarget(name: "EngineAPITests", dependencies: ["EngineAPI"]),
        .testTarget(name: "ImageCoreTests", dependencies: ["ImageCore"], exclude: ["Fixtures"]),
        .testTarget(name: "ScreenModelTests", dependencies: ["ScreenModel"]),
        .testTarget(
            name: "LibraryTests",
            dependencies: ["Library", "EngineAPI", "ImageCore", .product(name: "GRDB", package: "GRDB.swift")]),
        .testTarget(
            name: "ExplorerTests", dependencies: ["Explorer", "EngineAPI", "ScreenModel", "ImageCore"], exclude: ["Goldens"]),
        .testTarget(
            name: "TerminalTests",
            dependencies: ["Terminal", "ScreenModel", "ImageCore", "PseudoTerminal", "BuiltPrograms", "TerminalDemo"]),
        .testTarget(
            name: "w2wTests", dependencies: ["w2w", "ImageCore", "ScreenModel", "Terminal", "PseudoTerminal", "BuiltPrograms"]),
        // A small program on `Terminal` alone for tests to play with, and where the programs are that they start.
        .target(name: "BuiltPrograms", path: "Tests/BuiltPrograms"),
        .executableTarget(
            name: "TerminalDemo", dependencies: ["Terminal", "ScreenModel", "ImageCore"], path: "Tests/TerminalDemo"),
    ],
    swiftLanguageModes: [.v6]
)
