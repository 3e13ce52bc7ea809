import Foundation
import Synchronization

/// Where the time of a network goes: seconds by kernel and shape. Off unless the environment says `W2W_PROFILE=1`, and then one test of a constant.
///
/// Work of a lane counts with its share of the threads, so the times of one evaluation add up to what a clock shows.
public enum Profile {
    /// Whether kernels are timed in this process.
    public static let isOn = ProcessInfo.processInfo.environment["W2W_PROFILE"].map { $0 != "0" && !$0.isEmpty } ?? false

    private struct Entry {
        var calls = 0
        var seconds = 0.0
        var operations = 0.0
    }

    private static let entries = Mutex<[String: [String: Entry]]>([:])

    /// Runs `body` and notes what it took.
    /// - Parameters:
    ///   - kind: of kernel, such as "convolution".
    ///   - detail: shape and implementation.
    ///   - operations: floating-point operations of the plain algorithm; 0 for what moves memory only.
    ///   - body: the kernel.
    /// - Returns: what `body` returns.
    @inline(__always)
    static func measure<Result>(
        _ kind: StaticString, _ detail: @autoclosure () -> String, operations: @autoclosure () -> Double = 0,
        _ body: () -> Result
    ) -> Result {
        guard isOn else { return body() }
        let began = DispatchTime.now().uptimeNanoseconds
        let result = body()
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - began) * 1e-9
        note("\(kind)", detail(), seconds, operations())
        return result
    }

    /// Seconds that `body` takes.
    static func seconds(_ body: () -> Void) -> Double {
        let began = DispatchTime.now().uptimeNanoseconds
        body()
        return Double(DispatchTime.now().uptimeNanoseconds - began) * 1e-9
    }

    private static func note(_ kind: String, _ detail: String, _ seconds: Double, _ operations: Double) {
        let share = Parallel.slot == 0 ? 1 : 1 / Double(Parallel.threads)
        entries.withLock {
            $0[kind, default: [:]][detail, default: Entry()].calls += 1
            $0[kind, default: [:]][detail, default: Entry()].seconds += seconds * share
            $0[kind, default: [:]][detail, default: Entry()].operations += operations
        }
    }

    /// Forgets what was noted.
    public static func reset() { entries.withLock { $0 = [:] } }

    /// A table: each kind of kernel, and below it its shapes, the dearest first.
    /// - Parameter runs: divides all figures: the number of evaluations that were timed.
    /// - Returns: lines of milliseconds, calls, GFLOP/s and words; empty when nothing was noted.
    public static func report(runs: Int = 1) -> String {
        let noted = entries.withLock { $0 }
        func line(_ entry: Entry, _ name: String) -> String {
            let rate =
                entry.seconds > 0 && entry.operations > 0
                ? String(format: "%8.0f", entry.operations / entry.seconds * 1e-9) : "        "
            let share = 1 / Double(max(1, runs))
            let head = String(format: "%9.2f ms %7.1f x ", entry.seconds * 1e3 * share, Double(entry.calls) * share)
            return head + rate + " GFLOP/s  " + name
        }
        func sum(_ entries: some Sequence<Entry>) -> Entry {
            entries.reduce(into: Entry()) {
                $0.calls += $1.calls
                $0.seconds += $1.seconds
                $0.operations += $1.operations
            }
        }
        let kinds = noted.mapValues { sum($0.values) }.sorted { $0.value.seconds > $1.value.seconds }
        guard !kinds.isEmpty else { return "" }
        var lines = [line(sum(kinds.map(\.value)), "all kernels")]
        lines += kinds.map { line($0.value, $0.key) }
        for (kind, _) in kinds {
            let shapes = (noted[kind] ?? [:]).sorted { $0.value.seconds > $1.value.seconds }
            for (detail, entry) in shapes where !detail.isEmpty {
                lines.append(line(entry, "\(kind) \(detail)"))
            }
        }
        return lines.joined(separator: "\n")
    }
}
