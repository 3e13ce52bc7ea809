import EngineAPI
import Foundation
import WeightSpace

extension Benchmark {
    static let preview = Benchmark(name: "preview", summary: "key to first look, key to finished face") { try $0.preview() }
    static let gallery = Benchmark(name: "gallery", summary: "one face of a gallery") { try $0.gallery() }
    static let startup = Benchmark(name: "startup", summary: "start of the process; first screen; opening a space") {
        try $0.startup()
    }
}

/// Figures of whole jobs, measured where a person waits for them: from the command to the event.
extension BenchSuite {
    /// A subject that has not been drawn yet, and the seed that makes it new once more.
    private static func request(_ number: Int, _ description: SpaceDescription) -> RenderRequest {
        let names = description.identities.names
        var settings = description.defaults
        settings.seed += UInt64(number)
        guard !names.isEmpty else { return RenderRequest(subject: .base, settings: settings) }
        let row = number * 37 % names.count
        let subject: Subject =
            description.latentDimension > 0 ? .code(description.identities.code(at: row)) : .identity(names[row])
        return RenderRequest(subject: subject, settings: settings)
    }

    var precisionName: PrecisionName { PrecisionName(rawValue: settings.precision.rawValue) ?? .f32 }

    func gallery() throws -> [BenchResult] {
        let folder = NSTemporaryDirectory() + "w2w-bench-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let client = EngineClient(cacheDirectory: folder, precision: precisionName, use: .exploring)
        let description = try client.open(source)
        let faces = 8
        let stored = try stopwatch.milliseconds(scale: Double(faces)) { number in
            let requests = (0..<faces).map { index in
                var request = Self.request(index, description)
                request.settings.seed = UInt64(1000 + number)
                return request
            }
            try client.run(.thumbnails(requests), showsProgress: false) { _ in }
        }
        return [
            BenchResult(
                name: "gallery-face", unit: "ms", samples: stored,
                work: "one of \(faces) faces drawn in batches, \(description.defaults.steps) steps, and kept on disk")
        ]
    }

    func startup() throws -> [BenchResult] {
        let process = try stopwatch.milliseconds { _ in
            let child = Process()
            child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            child.arguments = ["--version"]
            // As from a shell: the re-exec is part of what a person waits for.
            child.environment = ProcessInfo.processInfo.environment.filter { key, _ in
                !["OMP_WAIT_POLICY", "OPENBLAS_CORETYPE", "GOMP_SPINCOUNT", Reexecution.marker].contains(key)
            }
            child.standardOutput = FileHandle.nullDevice
            try child.run()
            child.waitUntilExit()
        }
        var described: [Double] = []
        let ready = try stopwatch.milliseconds { number in
            let client = EngineClient(
                cacheDirectory: NSTemporaryDirectory() + "w2w-bench-\(getpid())", precision: precisionName, use: .exploring)
            let began = ContinuousClock.now
            try client.run(.open(source), showsProgress: false) { event in
                guard case .opened = event, number >= stopwatch.warmUp else { return }
                described.append((ContinuousClock.now - began) / .milliseconds(1))
            }
        }
        return [
            BenchResult(
                name: "start-process", unit: "ms", samples: process, work: "start of the program to its end, with its re-exec")
        ] + (try firstScreen()) + [
            BenchResult(name: "open-space", unit: "ms", samples: described, work: "axes and identities of the space are there"),
            BenchResult(name: "open-ready", unit: "ms", samples: ready, work: "models loaded and warmed up"),
        ]
    }
}
