import ImageCore
import TensorKit

/// The quickest look at image latents: a linear map from the channels of a latent to the colour of its pixels, fitted to the model at hand.
public struct LatentPreview: Sendable, Equatable, Codable {
    /// For red, green and blue (0...1): a factor for each latent channel, then the constant.
    public let coefficients: [[Float]]

    /// Takes coefficients that were fitted before. Nil unless there are three lists of one length, at least 2.
    public init?(coefficients: [[Float]]) {
        guard coefficients.count == 3, coefficients[0].count >= 2, coefficients.allSatisfy({ $0.count == coefficients[0].count })
        else {
            return nil
        }
        self.coefficients = coefficients
    }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guard let preview = Self(coefficients: try container.decode([[Float]].self, forKey: .coefficients)) else {
            throw DecodingError.dataCorruptedError(
                forKey: .coefficients, in: container, debugDescription: "three lists of one length are needed")
        }
        self = preview
    }

    /// Fits the map by least squares, a latent to the mean colour of its pixels. Nil when the pictures do not fit the latents.
    /// - Parameters:
    ///   - latents: image latents [N, H, W, C], at best estimates of half-finished pictures among them.
    ///   - pictures: the N decoded pictures, whole multiples of W and H in size.
    public init?(fitting latents: Tensor, to pictures: [RGBImage]) {
        let (count, height, width, channels) = (latents.shape[0], latents.shape[1], latents.shape[2], latents.shape[3])
        let terms = channels + 1
        guard pictures.count == count, count > 0 else { return nil }
        var normal = [[Double]](repeating: [Double](repeating: 0, count: terms), count: terms)
        var targets = [[Double]](repeating: [Double](repeating: 0, count: terms), count: 3)
        for (n, picture) in pictures.enumerated() {
            guard picture.width % width == 0, picture.height % height == 0 else { return nil }
            for y in 0..<height {
                for x in 0..<width {
                    let source = latents.pointer + ((n * height + y) * width + x) * channels
                    let features = (0..<channels).map { Double(source[$0]) } + [1]
                    let colour = Self.meanColour(picture, column: x, row: y, columns: width, rows: height)
                    for i in 0..<terms {
                        for j in 0..<terms { normal[i][j] += features[i] * features[j] }
                        for c in 0..<3 { targets[c][i] += features[i] * colour[c] }
                    }
                }
            }
        }
        // A trace of ridge keeps a channel that never varies from making the system singular.
        for i in 0..<terms { normal[i][i] += 1e-6 * Double(count * height * width) }
        coefficients = targets.map { Self.solve(normal, $0).map { Float($0) } }
    }

    /// Share of the variance of colours that the map explains (R²), at one pixel for each latent.
    /// - Parameters:
    ///   - latents: image latents [N, H, W, C], best ones that the map was not fitted to.
    ///   - pictures: the N decoded pictures, whole multiples of W and H in size.
    /// - Returns: 1 for a map that tells all, 0 for one that tells no more than the mean colour.
    public func determination(of latents: Tensor, _ pictures: [RGBImage]) -> Double {
        let (height, width) = (latents.shape[1], latents.shape[2])
        var (count, residual) = (0.0, 0.0)
        var (sums, squares) = ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
        for (picture, look) in zip(pictures, self(latents)) {
            for y in 0..<height {
                for x in 0..<width {
                    let colour = Self.meanColour(picture, column: x, row: y, columns: width, rows: height)
                    count += 1
                    for c in 0..<3 {
                        let shown = Double(look.pixels[(y * width + x) * 3 + c]) / 255
                        residual += (colour[c] - shown) * (colour[c] - shown)
                        sums[c] += colour[c]
                        squares[c] += colour[c] * colour[c]
                    }
                }
            }
        }
        let variance = zip(sums, squares).reduce(0.0) { $0 + $1.1 - $1.0 * $1.0 / max(1, count) }
        return variance > 0 ? 1 - residual / variance : 0
    }

    /// Number of latent channels that the map is for.
    public var channels: Int { coefficients[0].count - 1 }

    /// One pixel for each latent.
    /// - Parameter latents: [N, H, W, C]
    /// - Precondition: C is the number of channels that the map was fitted to.
    /// - Returns: N pictures of W by H pixels.
    public func callAsFunction(_ latents: Tensor) -> [RGBImage] {
        let channels = latents.shape[3]
        precondition(
            coefficients[0].count == channels + 1, "a preview of \(coefficients[0].count - 1) channels was given \(channels)")
        let values = Tensor(uninitialized: Array(latents.shape.dropLast()) + [3])
        for position in 0..<(latents.count / channels) {
            let source = latents.pointer + position * channels
            for colour in 0..<3 {
                let row = coefficients[colour]
                var sum = row[channels]
                for c in 0..<channels { sum += row[c] * source[c] }
                values.pointer[position * 3 + colour] = 2 * sum - 1
            }
        }
        return rgbImages(values)
    }

    /// Mean colour, 0...1, of the pixels that belong to one latent.
    private static func meanColour(_ picture: RGBImage, column: Int, row: Int, columns: Int, rows: Int) -> [Double] {
        let (across, down) = (picture.width / columns, picture.height / rows)
        var sums = [0.0, 0.0, 0.0]
        for y in (row * down)..<((row + 1) * down) {
            for x in (column * across)..<((column + 1) * across) {
                for c in 0..<3 { sums[c] += Double(picture.pixels[(y * picture.width + x) * 3 + c]) }
            }
        }
        return sums.map { $0 / Double(255 * across * down) }
    }

    /// Solves a positive definite system by Gauss-Jordan elimination with pivots.
    private static func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double] {
        var rows = zip(matrix, right).map { $0 + [$1] }
        let size = right.count
        for column in 0..<size {
            let pivot = (column..<size).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
            rows.swapAt(column, pivot)
            let scale = rows[column][column]
            guard scale != 0 else { continue }
            for k in column...size { rows[column][k] /= scale }
            for other in 0..<size where other != column && rows[other][column] != 0 {
                let factor = rows[other][column]
                for k in column...size { rows[other][k] -= factor * rows[column][k] }
            }
        }
        return rows.map { $0[size] }
    }
}
