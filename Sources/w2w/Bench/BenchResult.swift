import Foundation

/// One measured figure.
struct BenchResult: Codable, Sendable {
    var name: String
    var unit: String
    var median: Double
    var min: Double
    var max: Double
    /// How often it was measured, warm-up not counted.
    var repeats: Int
    /// What one repeat did, in words and sizes.
    var work: String

    /// - Parameters:
    ///   - name: "unet/guided".
    ///   - unit: "ms".
    ///   - samples: At least one value.
    ///   - work: What one repeat did.
    init(name: String, unit: String, samples: [Double], work: String) {
        let sorted = samples.sorted()
        let middle = sorted.count / 2
        self.name = name
        self.unit = unit
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        min = sorted[0]
        max = sorted[sorted.count - 1]
        repeats = samples.count
        self.work = work
    }

    /// The list as `w2w bench --json` prints it.
    static func json(_ results: [BenchResult]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(results), as: UTF8.self)
    }

    /// Rows of a table: name, median, spread, work.
    static func table(_ results: [BenchResult]) -> String {
        func number(_ value: Double) -> String { String(format: value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value) }
        let rows = results.map {
            [$0.name, "\(number($0.median)) \($0.unit)", "\(number($0.min)) to \(number($0.max))", "\($0.repeats)", $0.work]
        }
        let all = [["name", "median", "range", "repeats", "work"]] + rows
        let widths = (0..<4).map { column in (all.map { $0[column].count }.max() ?? 0) + 2 }
        return all.map { row in
            (0..<4).map { row[$0].padding(toLength: widths[$0], withPad: " ", startingAt: 0) }.joined() + row[4]
        }.joined(separator: "\n")
    }
}
