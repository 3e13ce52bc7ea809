import Checkpoints
import NeuralNetworks
import TensorKit

/// Loads the three networks of a model in pieces, so that a program can show how far it is and stop in between. Opening it checks all names and
/// shapes; only then are numbers read.
public final class PipelineLoader {
    private struct Pending {
        let name: String
        let parameter: Parameter
        let entry: TensorEntry
    }

    let folder: ModelFolder
    let textModel: CLIPTextModel
    public let unet: UNet2DConditionModel
    let vae: AutoencoderKL
    private let adapters: [LoRAMerge]
    /// What is still to be read, the last first.
    private var pending: [(part: LoRAFile.Part?, items: [Pending])] = []

    /// Bytes of all weights in the files.
    public let totalBytes: Int
    /// Bytes of the weights that are read.
    public private(set) var loadedBytes = 0

    /// Numbers of weights of the three networks.
    public var parameterCounts: (text: Int, unet: Int, vae: Int) {
        (textModel.parameterCount, unet.parameterCount, vae.parameterCount)
    }

    /// Opens the files of a model and holds them against its networks.
    /// - Parameters:
    ///   - folder: the model.
    ///   - adapters: LoRA files that become part of its weights, each with its multiplier.
    /// - Throws: what `CheckpointError`, `StateDictionaryMismatch` or `StableDiffusionError` says of the files.
    public init(_ folder: ModelFolder, adapters: [(file: LoRAFile, multiplier: Float)] = []) throws {
        let textModel = CLIPTextModel(folder.textConfiguration)
        let unet = UNet2DConditionModel(folder.unetConfiguration)
        let vae = AutoencoderKL(folder.vaeConfiguration)
        (self.folder, self.textModel, self.unet, self.vae) = (folder, textModel, unet, vae)
        self.adapters = try adapters.map {
            try LoRAMerge($0.file, multiplier: $0.multiplier, unet: unet, textModel: textModel)
        }
        func matched(_ module: any Module, _ state: StateDictionary) throws -> [Pending] {
            let parameters = module.namedParameters()
            let entries = try state.matched(to: parameters.map { ($0.name, $0.parameter.shape) })
            for entry in entries where !entry.elementType.isFloatingPoint {
                throw CheckpointError(
                    file: entry.path,
                    problem: .invalidEntry(
                        tensor: entry.name,
                        reason: "should hold floating-point numbers \(entry.shape), holds \(entry.elementType.rawValue)"))
            }
            return zip(parameters, entries).map { Pending(name: $0.name, parameter: $0.parameter, entry: $1) }
        }
        let text = try matched(textModel, folder.textState(of: textModel))
        let image = try matched(vae, folder.vaeState(of: vae))
        let noise = try matched(unet, folder.unetState(of: unet))
        pending = [(.unet, noise.reversed()), (nil, image.reversed()), (.textModel, text.reversed())]
        totalBytes = (text + image + noise).reduce(0) { $0 + $1.entry.byteCount }
    }

    /// Reads some of the weights.
    /// - Parameter bytes: about how many.
    /// - Returns: whether something is left.
    @discardableResult
    public func advance(bytes: Int = 48 << 20) -> Bool {
        let goal = loadedBytes + bytes
        while loadedBytes < goal, let part = pending.indices.last {
            guard let item = pending[part].items.popLast() else {
                pending.removeLast()
                continue
            }
            let changes =
                pending[part].part.map { kind in adapters.filter { $0.changes(kind, item.name) }.map { ($0, kind) } } ?? []
            if changes.isEmpty {
                item.parameter.load(item.entry)
            } else {
                let sum = changes.reduce(item.entry.stored) { $1.0.merged($0, $1.1, item.name) }
                item.parameter.load(sum)
            }
            loadedBytes += item.entry.byteCount
        }
        return !pending.isEmpty
    }
}
