import Checkpoints
import TensorKit

/// A LoRA file on its way into the weights of a model: W + multiplier · scale · B A for every layer that it names (diffusers' `fuse_lora`).
final class LoRAMerge {
    private let file: String
    private let multiplier: Float
    /// Layers by the full name of the parameter that they change.
    private var layers: [LoRAFile.Part: [String: LoRAFile.Layer]] = [:]

    /// Finds the layers of a file in the networks.
    /// - Parameters:
    ///   - adapter: the file.
    ///   - multiplier: 1 as trained, 0 nothing.
    ///   - unet: with its shapes; weights need not be loaded.
    ///   - textModel: the same.
    /// - Throws: `StateDictionaryMismatch` with all layers that the networks do not have or have in another shape, `CheckpointError` for
    ///   numbers that are not finite.
    init(_ adapter: LoRAFile, multiplier: Float, unet: UNet2DConditionModel, textModel: CLIPTextModel) throws {
        file = adapter.file
        self.multiplier = multiplier
        var shapes = [LoRAFile.Part: [String: (name: String, shape: [Int])]]()
        for (part, parameters) in [(LoRAFile.Part.unet, unet.parameterShapes), (.textModel, textModel.parameterShapes)] {
            for (name, shape) in parameters where name.hasSuffix(".weight") {
                let path = String(name.dropLast(".weight".count))
                shapes[part, default: [:]][path] = (name, shape)
                shapes[part, default: [:]][path.replacingOccurrences(of: ".", with: "_")] = (name, shape)
            }
        }
        var unexpected = [StateDictionaryMismatch.Item]()
        var wrong = [StateDictionaryMismatch.Difference]()
        for layer in adapter.layers {
            let found = [layer.b.shape[0]] + layer.a.shape.dropFirst()
            guard let (name, shape) = shapes[layer.part]?[layer.path] else {
                unexpected.append(.init(key: layer.path, shape: found))
                continue
            }
            guard shape.count >= 2, shape[0] == found[0], shape.dropFirst().reduce(1, *) == found.dropFirst().reduce(1, *) else {
                wrong.append(.init(key: layer.path, expected: shape, found: found))
                continue
            }
            for factor in [layer.a, layer.b] where !Kernels.sumOfSquares(factor.tensor()).isFinite {
                throw CheckpointError(
                    file: adapter.file, problem: .invalidEntry(tensor: factor.name, reason: "holds numbers that are not finite"))
            }
            layers[layer.part, default: [:]][name] = layer
        }
        guard unexpected.isEmpty, wrong.isEmpty else {
            if let origin = Self.origin(of: adapter, promptWidth: unet.configuration.crossAttentionDim) {
                throw CheckpointError(file: adapter.file, problem: .unsupported(reason: origin))
            }
            throw StateDictionaryMismatch(file: adapter.file, missing: [], unexpected: unexpected, wrongShape: wrong)
        }
    }

    /// Which family of models an adapter is for, when prompts are of another width there.
    private static func origin(of adapter: LoRAFile, promptWidth: Int) -> String? {
        let keys = adapter.layers.first { layer in
            layer.part == .unet && ["attn2.to_k", "attn2.to_v", "attn2_to_k", "attn2_to_v"].contains { layer.path.hasSuffix($0) }
        }
        let families = [768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"]
        guard let keys, keys.a.shape[1] != promptWidth, let family = families[keys.a.shape[1]] else { return nil }
        return
            "the adapter is for \(family): \(keys.path) takes prompts \(keys.a.shape[1]) wide, this model's are \(promptWidth) wide"
    }

    /// Whether a parameter is changed.
    func changes(_ part: LoRAFile.Part, _ name: String) -> Bool { layers[part]?[name] != nil }

    /// A weight with the change of its layer added, calculated whenever elements are read: nothing but the two factors lies in memory, and
    /// the kernels keep the sum in the precision that they keep other weights in.
    /// - Parameters:
    ///   - weight: as the model's file has it.
    ///   - part: the network.
    ///   - name: of the parameter.
    /// - Returns: `weight` itself where nothing changes.
    func merged(_ weight: WeightSource.Stored, _ part: LoRAFile.Part, _ name: String) -> WeightSource.Stored {
        guard let layer = layers[part]?[name] else { return weight }
        let rank = layer.rank
        let columns = layer.a.count / rank
        let (a, factor) = (layer.a.floats(), multiplier * layer.scale)
        let b = layer.b.floats().map { $0 * factor }
        return WeightSource.Stored(
            read: { range, target in
                weight.read(range, target)
                var start = range.lowerBound
                while start < range.upperBound {
                    let (row, column) = (start / columns, start % columns)
                    let count = min(columns - column, range.upperBound - start)
                    let sum = target + (start - range.lowerBound)
                    a.withUnsafeBufferPointer { a in
                        for r in 0..<rank {
                            let share = b[row * rank + r]
                            for i in 0..<count { sum[i] += share * a[r * columns + column + i] }
                        }
                    }
                    start += count
                }
            }, release: weight.release)
    }
}
