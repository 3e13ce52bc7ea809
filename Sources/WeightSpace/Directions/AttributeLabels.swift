/// The labels of one attribute, and what kind of attribute it is.
struct AttributeLabels {
    /// Rows that have a label.
    let rows: [Int]
    /// Their labels, in the same order.
    let values: [Double]
    /// Whether people have it or not: all labels lie within 0 and 1 (or -1 and 1) and both halves have members. Others are graded, such as an
    /// age.
    let isBinary: Bool
    private let threshold: Double

    /// - Parameters:
    ///   - column: labels of all identities, NaN where there is none.
    ///   - rows: the identities to look at.
    init(_ column: [Float], rows: [Int]) {
        let labelled = rows.filter { !column[$0].isNaN }
        let found = labelled.map { Double(column[$0]) }
        self.rows = labelled
        values = found
        let (low, high) = (found.min() ?? 0, found.max() ?? 0)
        isBinary = (low >= -1 && high <= 1 && low < high) && (low >= 0 || found.allSatisfy { $0 == -1 || $0 == 1 || $0 == 0 })
        threshold = isBinary ? (low < 0 ? 0 : 0.5) : Self.median(found)
    }

    /// Whether a label says yes: for a binary attribute from the middle on, for a graded one above the median.
    func isPositive(_ value: Double) -> Bool { isBinary && threshold == 0.5 ? value >= 0.5 : value > threshold }

    var classes: [Bool] { values.map(isPositive) }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}
