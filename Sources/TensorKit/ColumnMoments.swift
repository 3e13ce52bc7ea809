/// Kernels of batch norm: moments of columns over the rows of a matrix.
extension Kernels {
    /// Mean and (biased) variance of every column: [N, C] -> [C], [C].
    public static func columnMoments(_ x: Tensor) -> (mean: Tensor, variance: Tensor) {
        require(x.shape.count == 2 && x.shape[0] > 0, "moments of the columns of \(x.shape)")
        let (rows, width) = (x.shape[0], x.shape[1])
        let (mean, variance) = (Tensor(uninitialized: [width]), Tensor(uninitialized: [width]))
        for column in 0..<width {
            var sum = 0.0
            for row in 0..<rows { sum += Double(x.pointer[row * width + column]) }
            let centre = sum / Double(rows)
            var squares = 0.0
            for row in 0..<rows {
                let distance = Double(x.pointer[row * width + column]) - centre
                squares += distance * distance
            }
            mean.pointer[column] = Float(centre)
            variance.pointer[column] = Float(squares / Double(rows))
        }
        return (mean, variance)
    }

    /// (x - mean) / sqrt(variance + epsilon) * weight + bias, column by column.
    /// - Parameters:
    ///   - x: [N, C]
    ///   - mean: [C]
    ///   - variance: [C]
    ///   - weight: [C]
    ///   - bias: [C]
    ///   - epsilon: added to the variance.
    /// - Returns: [N, C]
    public static func standardizeColumns(
        _ x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, epsilon: Float
    ) -> Tensor {
        let (rows, width) = checked(x, mean, variance, weight)
        let y = Tensor(uninitialized: x.shape)
        for column in 0..<width {
            let scale = weight.pointer[column] / (variance.pointer[column] + epsilon).squareRoot()
            let (centre, shift) = (mean.pointer[column], bias.pointer[column])
            for row in 0..<rows {
                let i = row * width + column
                y.pointer[i] = (x.pointer[i] - centre) * scale + shift
            }
        }
        return y
    }

    /// Gradients of `standardizeColumns`.
    /// - Parameters:
    ///   - gradient: of the result, [N, C].
    ///   - x: [N, C]
    ///   - mean: [C]
    ///   - variance: [C]
    ///   - weight: [C]
    ///   - epsilon: added to the variance.
    ///   - momentsFollow: mean and variance are those of `x` and change with it.
    /// - Returns: gradients of x, weight and bias.
    public static func standardizeColumnsGradient(
        _ gradient: Tensor, x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, epsilon: Float, momentsFollow: Bool
    ) -> (input: Tensor, weight: Tensor, bias: Tensor) {
        let (rows, width) = checked(x, mean, variance, weight)
        require(gradient.count == x.count, "a gradient \(gradient.shape) of \(x.shape)")
        let input = Tensor(uninitialized: x.shape)
        let (forWeight, forBias) = (Tensor(uninitialized: [width]), Tensor(uninitialized: [width]))
        for column in 0..<width {
            let inverse = 1 / (variance.pointer[column] + epsilon).squareRoot()
            let (centre, factor) = (mean.pointer[column], weight.pointer[column] * inverse)
            var (sum, product) = (0.0, 0.0)
            for row in 0..<rows {
                let i = row * width + column
                sum += Double(gradient.pointer[i])
                product += Double(gradient.pointer[i] * (x.pointer[i] - centre) * inverse)
            }
            forWeight.pointer[column] = Float(product)
            forBias.pointer[column] = Float(sum)
            let (average, along) =
                momentsFollow ? (Float(sum / Double(rows)), Float(product / Double(rows))) : (0, 0)
            for row in 0..<rows {
                let i = row * width + column
                let standardized = (x.pointer[i] - centre) * inverse
                input.pointer[i] = factor * (gradient.pointer[i] - average - standardized * along)
            }
        }
        return (input, forWeight, forBias)
    }

    private static func checked(_ x: Tensor, _ mean: Tensor, _ variance: Tensor, _ weight: Tensor) -> (rows: Int, width: Int) {
        require(
            x.shape.count == 2 && mean.count == x.shape[1] && variance.count == x.shape[1] && weight.count == x.shape[1],
            "batch norm of \(x.shape) with moments \(mean.shape)")
        return (x.shape[0], x.shape[1])
    }
}
