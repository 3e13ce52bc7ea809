import TensorKit

/// How attributes go along with the axes of a space.
enum AttributeCorrelation {
    /// Attributes kept for each axis, and the weakest correlation worth showing.
    static let kept = (count: 4, least: 0.2)

    /// The strongest correlations of every axis.
    /// - Parameters:
    ///   - codes: [N, d] row-major.
    ///   - d: length of a code.
    ///   - labels: of the same N identities.
    /// - Returns: one list an axis, strongest first; empty when there is nothing to correlate.
    static func table(codes: [Float], dimension d: Int, labels: IdentityLabels) -> [[LatentAxis.Correlation]] {
        guard d > 0, !codes.isEmpty, codes.count == labels.count * d, !labels.attributeNames.isEmpty else { return [] }
        let values = matrix(codes: codes, dimension: d, labels: labels)
        let count = labels.attributeNames.count
        return (0..<d).map { axis in
            let items = labels.attributeNames.enumerated().map {
                LatentAxis.Correlation(attribute: $0.element, value: values.pointer[axis * count + $0.offset])
            }
            return Array(
                items.filter { abs($0.value) >= Float(kept.least) }.sorted { abs($0.value) > abs($1.value) }.prefix(kept.count))
        }
    }

    /// Pearson's correlations, [d, attributes], over the rows that have a label; 0 when one side does not vary.
    static func matrix(codes: [Float], dimension d: Int, labels: IdentityLabels) -> Tensor {
        let (rows, count) = (labels.count, labels.attributeNames.count)
        // Four sums for each pair, as products of matrices: x against y, against y's presence, and x² against the presence.
        let x = Tensor([rows, d], codes)
        let y = Tensor(zeros: [rows, count])
        let present = Tensor(zeros: [rows, count])
        for i in 0..<(rows * count) where !labels.values[i].isNaN {
            y.pointer[i] = labels.values[i]
            present.pointer[i] = 1
        }
        center(x)
        let squares = Tensor([rows, d], x.array.map { $0 * $0 })
        // Centred labels keep the products small.
        var moments = [(count: Double, mean: Double, square: Double)]()
        for j in 0..<count {
            let number = (0..<rows).reduce(0.0) { $0 + Double(present.pointer[$1 * count + j]) }
            let mean = (0..<rows).reduce(0.0) { $0 + Double(y.pointer[$1 * count + j]) } / max(1, number)
            var square = 0.0
            for row in 0..<rows where present.pointer[row * count + j] > 0 {
                let value = Double(y.pointer[row * count + j]) - mean
                y.pointer[row * count + j] = Float(value)
                square += value * value
            }
            moments.append((number, mean, square))
        }
        let cross = Kernels.product(x, y, transposeA: true)
        let sums = Kernels.product(x, present, transposeA: true)
        let squared = Kernels.product(squares, present, transposeA: true)
        let result = Tensor(zeros: [d, count])
        for i in 0..<d {
            for j in 0..<count where moments[j].count > 2 {
                let (sum, place) = (Double(sums.pointer[i * count + j]), i * count + j)
                let variance = Double(squared.pointer[place]) - sum * sum / moments[j].count
                let product = (max(0, variance) * moments[j].square).squareRoot()
                if product > 1e-12 { result.pointer[place] = Float(max(-1, min(1, Double(cross.pointer[place]) / product))) }
            }
        }
        return result
    }

    private static func center(_ x: Tensor) {
        let (rows, d) = (x.shape[0], x.shape[1])
        var sums = [Double](repeating: 0, count: d)
        for row in 0..<rows {
            for i in 0..<d { sums[i] += Double(x.pointer[row * d + i]) }
        }
        for i in 0..<d { sums[i] /= Double(max(1, rows)) }
        for row in 0..<rows {
            for i in 0..<d { x.pointer[row * d + i] -= Float(sums[i]) }
        }
    }
}
