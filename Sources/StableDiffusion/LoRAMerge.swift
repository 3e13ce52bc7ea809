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
            throw StateDictionaryMismatch(file: adapter.file, missing: [], unexpected: unexpected, wrongShape: wrong)
        }
    }

    /// Whether a parameter is changed.
    func changes(_ part: LoRAFile.Part, _ name: String) -> Bool { layers[part]?[name] != nil }

    /// A weight with the change of its layer added.
    /// - Parameters:
    ///   - weight: as the model's file has it; changed in place.
    ///   - part: the network.
    ///   - name: of the parameter.
    /// - Returns: the same tensor.
    func merged(_ weight: Tensor, _ part: LoRAFile.Part, _ name: String) -> Tensor {
        guard let layer = layers[part]?[name] else { return weight }
        let rank = layer.rank
        let a = layer.a.tensor().reshaped([rank, layer.a.count / rank])
        let b = layer.b.tensor().reshaped([layer.b.count / rank, rank])
        let change = Kernels.product(b, a)
        let factor = multiplier * layer.scale
        for i in 0..<weight.count { weight.pointer[i] += factor * change.pointer[i] }
        return weight
    }
}
