import COneDNN
import COpenBLAS
import Foundation

/// What the kernels run on, for `w2w probe`, and what the environment should say before they start.
public struct ComputeEnvironment: Sendable, Equatable {
    /// What the system calls the processor; the number of its part where it has no name for it.
    public let processor: String
    /// Such as "2.6.3"
    public let oneDNNVersion: String
    /// The widest instruction set that oneDNN generates code for, such as "avx512_core_amx" or "sve_256".
    public let instructionSet: String
    /// The kernels that OpenBLAS chose, such as "SkylakeX".
    public let blasCore: String
    /// OpenBLAS' version and build options.
    public let blasConfiguration: String
    /// Number of threads that kernels are split over.
    public let threads: Int
    /// Number of processors that this process may run on.
    public let processors: Int

    /// What is found in this process.
    public static var current: ComputeEnvironment {
        ComputeEnvironment(
            processor: processorName(),
            oneDNNVersion: dnnl_version().map { "\($0.pointee.major).\($0.pointee.minor).\($0.pointee.patch)" } ?? "unknown",
            instructionSet: instructionSetName(dnnl_get_effective_cpu_isa().rawValue),
            blasCore: openblas_get_corename().map { String(cString: $0) } ?? "unknown",
            blasConfiguration: openblas_get_config().map { String(cString: $0) } ?? "unknown",
            threads: Parallel.threads, processors: ProcessInfo.processInfo.activeProcessorCount)
    }

    private static func processorName() -> String {
        let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        func field(_ name: String) -> String? {
            info.split(separator: "\n").first { $0.hasPrefix(name) }?.split(separator: ":").last
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
        return field("model name") ?? field("CPU part") ?? "unknown"
    }

    // oneDNN's header names the instruction sets of x86-64; the same numbers mean others elsewhere.
    #if arch(x86_64)
        private static let isX86 = true
    #else
        private static let isX86 = false
    #endif

    private static let instructionSets: [(value: UInt32, name: String)] =
        isX86
        ? [
            (dnnl_cpu_isa_avx512_core_amx.rawValue, "avx512_core_amx"),
            (dnnl_cpu_isa_avx512_core_bf16.rawValue, "avx512_core_bf16"),
            (dnnl_cpu_isa_avx512_core_vnni.rawValue, "avx512_core_vnni"), (dnnl_cpu_isa_avx512_core.rawValue, "avx512_core"),
            (dnnl_cpu_isa_avx2_vnni.rawValue, "avx2_vnni"), (dnnl_cpu_isa_avx2.rawValue, "avx2"),
            (dnnl_cpu_isa_avx.rawValue, "avx"), (dnnl_cpu_isa_sse41.rawValue, "sse41"),
        ]
        : [(0x1f, "sve_512"), (0x0f, "sve_384"), (0x07, "sve_256"), (0x03, "sve_128"), (0x01, "asimd")]

    private static func instructionSetName(_ value: UInt32) -> String {
        instructionSets.first { $0.value == value }?.name ?? (value == 0 ? "generic" : "0x" + String(value, radix: 16))
    }

    /// Whether oneDNN generates code for an instruction set of x86-64.
    static func hasInstructions(_ set: dnnl_cpu_isa_t) -> Bool {
        isX86 && dnnl_get_effective_cpu_isa().rawValue & set.rawValue == set.rawValue
    }

    /// Variables that libgomp and OpenBLAS read before `main`, with the values that suit this program, for a restart of the process with them.
    /// Empty when the environment already has them all.
    ///
    /// - `GOMP_SPINCOUNT=1000`: a worker that has nothing to do waits some 50 microseconds for the next layer and then sleeps. Without it workers
    ///   spin for milliseconds, which takes the processor from the screen and, on a busy machine, from the thread that they wait for; with
    ///   `OMP_WAIT_POLICY=passive` they sleep between any two layers, and waking them costs more than the layer (measured on two cores: a U-Net
    ///   of the built-in space takes 5.3 ms with it and 9.7 ms to 15 ms passive).
    /// - `OPENBLAS_CORETYPE`: an OpenBLAS that is older than the processor falls back to its slowest kernels unless it is told better.
    /// - Parameter environment: the variables that are set; those of the user are left alone.
    /// - Returns: what to add.
    public static func missingVariables(
        in environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> [String: String] {
        var missing: [String: String] = [:]
        if environment["OMP_WAIT_POLICY"] == nil && environment["GOMP_SPINCOUNT"] == nil {
            missing["GOMP_SPINCOUNT"] = "1000"
        }
        let core = openblas_get_corename().map { String(cString: $0) } ?? ""
        let isWide = ["SkylakeX", "Cooperlake", "Sapphirerapids"].contains(core)
        if environment["OPENBLAS_CORETYPE"] == nil && hasInstructions(dnnl_cpu_isa_avx512_core) && !isWide {
            missing["OPENBLAS_CORETYPE"] = "SkylakeX"
        }
        return missing
    }
}
