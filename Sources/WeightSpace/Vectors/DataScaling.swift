import Checkpoints
import Foundation
import TensorKit

/// How LoRA vectors are brought into the range of a weight VAE, and back.
public enum DataScaling {
    /// scaled = raw * factor, as in the published model (10).
    case factor(Float)
    /// scaled = 2 (raw - minimum) / range - 1
    case range(minimum: Float, range: Float)
    /// scaled = (raw - offset) / scale; `offset` and `scale` are [n].
    case affine(offset: Tensor, scale: Tensor)

    /// Where offset and scale of `.affine` stand in the header of `vae.safetensors`: float32, little end first, as base64.
    static let offsetKey = "data_scaling.offset"
    static let scaleKey = "data_scaling.scale"

    /// The offset and scale that travel with a weight VAE; older files have them as tensors of the same names.
    /// - Parameters:
    ///   - state: what `vae.safetensors` holds.
    ///   - length: of the vectors.
    /// - Throws: `CheckpointError` when one is missing, of another length, or no offset and scale.
    init(affineOf state: StateDictionary, length: Int) throws {
        func values(_ key: String) throws -> Tensor {
            guard let text = state.metadata[key] else { return try state.entry(key, shape: [length]).tensor() }
            guard let data = Data(base64Encoded: text), data.count == 4 * length else {
                throw CheckpointError(
                    file: state.file, problem: .malformed(reason: "\"\(key)\" in its header is not \(length) numbers as base64"))
            }
            let result = Tensor(uninitialized: [length])
            for i in 0..<length {
                let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(data[4 * i + $1]) << UInt32(8 * $1) }
                result.pointer[i] = Float(bitPattern: bits)
            }
            return result
        }
        let (offset, scale) = (try values(Self.offsetKey), try values(Self.scaleKey))
        guard scale.array.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw CheckpointError(
                file: state.file, problem: .invalidEntry(tensor: Self.scaleKey, reason: "a scale is not above 0"))
        }
        guard offset.array.allSatisfy(\.isFinite) else {
            throw CheckpointError(
                file: state.file, problem: .invalidEntry(tensor: Self.offsetKey, reason: "an offset is not finite"))
        }
        self = .affine(offset: offset, scale: scale)
    }

    /// What travels in the header of `vae.safetensors`.
    var metadata: [String: String] {
        guard case .affine(let offset, let scale) = self else { return [:] }
        func text(_ values: Tensor) -> String {
            var data = Data(capacity: 4 * values.count)
            for value in values.array { withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
            return data.base64EncodedString()
        }
        return [Self.offsetKey: text(offset), Self.scaleKey: text(scale)]
    }

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
