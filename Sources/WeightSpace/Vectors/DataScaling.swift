import Checkpoints
import TensorKit

/// How LoRA vectors are brought into the range of a weight VAE, and back.
public enum DataScaling {
    /// scaled = raw * factor, as in the published model (10).
    case factor(Float)
    /// scaled = 2 (raw - minimum) / range - 1
    case range(minimum: Float, range: Float)
    /// scaled = (raw - offset) / scale; `offset` and `scale` are [n].
    case affine(offset: Tensor, scale: Tensor)

    /// The tensors of `.affine` in `vae.safetensors`, beside the published keys.
    static let offsetKey = "data_scaling.offset"
    static let scaleKey = "data_scaling.scale"

    /// Brings raw vectors into the VAE's range.
    /// - Parameter raw: [N, n]
    /// - Returns: [N, n]
    public func scaled(_ raw: Tensor) -> Tensor {
        let result = Tensor(uninitialized: raw.shape)
        map(raw, result) { value, offset, scale in (value - offset) / scale }
        return result
    }

    /// Brings raw vectors into the VAE's range where they lie, [N, n].
    func scaleInPlace(_ raw: Tensor) { map(raw, raw) { value, offset, scale in (value - offset) / scale } }

    /// Undoes `scaled`.
    /// - Parameter scaled: [N, n]
    /// - Returns: [N, n] in raw units.
    public func raw(_ scaled: Tensor) -> Tensor {
        let result = Tensor(uninitialized: scaled.shape)
        map(scaled, result) { value, offset, scale in value * scale + offset }
        return result
    }

    @inline(__always)
    private func map(_ source: Tensor, _ target: Tensor, _ body: (Float, Float, Float) -> Float) {
        let (from, to) = (source.pointer, target.pointer)
        switch self {
        case .factor(let factor):
            for i in 0..<source.count { to[i] = body(from[i], 0, 1 / factor) }
        case .range(let minimum, let range):
            for i in 0..<source.count { to[i] = body(from[i], minimum + range / 2, range / 2) }
        case .affine(let offset, let scale):
            let n = offset.count
            precondition(source.count % n == 0, "vectors \(source.shape) for a scaling of length \(n)")
            for row in 0..<(source.count / n) {
                for i in 0..<n { to[row * n + i] = body(from[row * n + i], offset.pointer[i], scale.pointer[i]) }
            }
        }
    }

    /// Affine scaling measured on vectors: the mean of every parameter becomes 0, and the farthest number of all lies at `reach`.
    ///
    /// One scale for all parameters keeps their proportions, so that the VAE's squared error is the squared error of the raw vectors.
    /// - Parameters:
    ///   - vectors: raw training vectors, [N, n].
    ///   - reach: where the largest deviation from the mean goes; below 1, the most a hyperbolic tangent can give.
    /// - Returns: an affine scaling.
    public static func centred(on vectors: Tensor, reach: Float = 0.8) -> DataScaling {
        let (count, n) = (vectors.shape[0], vectors.shape[1])
        var mean = [Double](repeating: 0, count: n)
        for row in 0..<count {
            for i in 0..<n { mean[i] += Double(vectors.pointer[row * n + i]) }
        }
        let offset = Tensor([n], mean.map { Float($0 / Double(max(1, count))) })
        var farthest: Float = 0
        for row in 0..<count {
            for i in 0..<n { farthest = max(farthest, abs(vectors.pointer[row * n + i] - offset.pointer[i])) }
        }
        return .affine(offset: offset, scale: Tensor([n], Array(repeating: farthest > 0 ? farthest / reach : 1, count: n)))
    }
}
