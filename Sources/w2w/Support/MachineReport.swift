import Foundation
import TensorKit

/// What a figure was measured on.
struct MachineReport {
    var memoryGigabytes: Double
    var compute: ComputeEnvironment
    var variables: [String]

    static var current: MachineReport {
        let names = ["OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS"]
        return MachineReport(
            memoryGigabytes: Double(ProcessInfo.processInfo.physicalMemory) / 1e9,
            compute: .current,
            variables: names.compactMap { name in getenv(name).map { "\(name)=\(String(cString: $0))" } })
    }

    /// The most memory that this process has held so far, in bytes; nil where the system does not tell.
    static var peakMemory: Int? {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return nil }
        return Int(usage.ru_maxrss) << 10
    }

    var lines: [(name: String, value: String)] {
        [
            ("processor", compute.processor), ("processors", "\(compute.processors), work is split over \(compute.threads)"),
            ("memory", String(format: "%.1f GB", memoryGigabytes)),
            ("oneDNN", "\(compute.oneDNNVersion), code for \(compute.instructionSet)"),
            ("BLAS", "\(compute.blasConfiguration), kernels for \(compute.blasCore)"),
            ("--precision fast", Precision.meaningOfFast),
            ("variables", variables.isEmpty ? "none set" : variables.joined(separator: " ")),
        ]
    }

    /// One line for the head of a table of figures.
    var line: String {
        "\(compute.processor), \(compute.threads) threads, \(String(format: "%.0f", memoryGigabytes)) GB; "
            + "oneDNN \(compute.oneDNNVersion) (\(compute.instructionSet)), OpenBLAS for \(compute.blasCore)"
    }
}
