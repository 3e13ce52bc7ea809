import Checkpoints
import Foundation
import TensorKit

/// An adapter as PEFT, diffusers, kohya's scripts and LyCORIS write it, of any rank and any set of layers: LoRA, LoHa, LoKr, each also with the
/// magnitudes of DoRA.
///
/// Read are: a PEFT folder (`adapter_config.json` and `adapter_model.safetensors` or `.bin`; also with `unet/` and `text_encoder/` folders), the
/// file of diffusers' `save_lora_weights`, the older one of its attention processors, and kohya's (`lora_unet_…`, `lora_te_…`).
public struct LoRAFile {
    /// The network that a layer belongs to.
    public enum Part: String, Sendable {
        case unet
        case textModel
    }

    /// The change of one layer's weight: scale times what its form says.
    public struct Layer {
        public let part: Part
        /// Path of the layer with points, or as kohya writes it, with low lines for points.
        public let path: String
        let form: AdapterForm
        /// DoRA's lengths of the changed weight's rows or columns.
        let magnitude: Magnitude?
        /// alpha, before it is divided by the rank.
        public let alpha: Float
        /// What the form is multiplied by: alpha / r, or alpha / sqrt(r) where the adapter is rank-stabilised.
        public let scale: Float

        /// A [r, in] (or [r, in, height, width] of a convolution) and B [out, r] (or [out, r, 1, 1]) where the change is plain LoRA, scale · B A.
        public var factors: (a: TensorEntry, b: TensorEntry)? {
            guard magnitude == nil, case .lora(.product(let up, let down)) = form else { return nil }
            return (down, up)
        }

        /// What the form is called: "LoHa", "LoRA with DoRA's magnitudes".
        public var kind: String { form.name + (magnitude == nil ? "" : " with DoRA's magnitudes") }

        var tensors: [TensorEntry] { form.tensors + (magnitude.map { [$0.entry] } ?? []) }
    }

    /// Path of the file or folder.
    public let file: String
    /// In the file's order.
    public let layers: [Layer]
    /// Whether paths are kohya's, with low lines.
    public let isFlat: Bool

    /// Opens a file or a folder.
    /// - Throws: `CheckpointError` that names the tensor that is not read or does not fit.
    public init(_ url: URL) throws {
        guard let kind = url.fileKind else {
            throw CheckpointError(file: url.path, problem: .unreadable(reason: "there is no such file or folder"))
        }
        file = url.path
        if kind == .folder {
            (layers, isFlat) = (try Self.folder(url), false)
        } else {
            let parsed = try LoRAKeys(StateDictionary(opening: url), settings: Self.settings(beside: url), part: nil)
            (layers, isFlat) = (parsed.layers, parsed.isFlat)
        }
        guard !layers.isEmpty else {
            throw CheckpointError(file: file, problem: .unsupported(reason: "holds no layers of an adapter"))
        }
    }

    /// SHA-256 over names, shapes, scales and numbers.
    public var digest: String {
        let lines = layers.map { layer in
            let numbers = layer.tensors.map { entry in "\(entry.shape) \(entry.withBytes { SHA256.hexDigest(of: $0) })" }
            return "\(layer.part.rawValue) \(layer.path) \(layer.scale) \(numbers)"
        }
        return Data(lines.joined(separator: "\n").utf8).withUnsafeBytes { SHA256.hexDigest(of: $0) }
    }

    /// Whether a folder holds an adapter of PEFT.
    public static func isAdapterFolder(_ url: URL) -> Bool {
        ["", "unet/", "text_encoder/"].contains {
            FileManager.default.fileExists(atPath: url.appendingPathComponent($0 + "adapter_config.json").path)
        }
    }

    private static func folder(_ url: URL) throws -> [Layer] {
        let exists = { (path: String) in FileManager.default.fileExists(atPath: url.appendingPathComponent(path).path) }
        var layers = [Layer]()
        for (part, folder) in [(Part?.none, ""), (.unet, "unet/"), (.textModel, "text_encoder/")]
        where exists(folder + "adapter_config.json") {
            let settings = try PEFTSettings(
                JSONConfiguration(contentsOf: url.appendingPathComponent(folder + "adapter_config.json")))
            guard let name = ["adapter_model.safetensors", "adapter_model.bin"].first(where: { exists(folder + $0) }) else {
                throw StableDiffusionError.missingFile(
                    path: url.appendingPathComponent(folder + "adapter_model.safetensors").path,
                    role: "the weights of the adapter")
            }
            let state = try StateDictionary(opening: url.appendingPathComponent(folder + name))
            layers += try LoRAKeys(state, settings: settings, part: part).layers
        }
        guard !layers.isEmpty else {
            if exists("pytorch_lora_weights.safetensors") {
                return try LoRAFile(url.appendingPathComponent("pytorch_lora_weights.safetensors")).layers
            }
            throw StableDiffusionError.missingFile(
                path: url.appendingPathComponent("adapter_config.json").path, role: "the settings of the adapter")
        }
        return layers
    }

    /// The settings of a lone `adapter_model.*`: they lie beside it.
    private static func settings(beside url: URL) throws -> PEFTSettings? {
        let settings = url.deletingLastPathComponent().appendingPathComponent("adapter_config.json")
        guard url.lastPathComponent.hasPrefix("adapter_model."), FileManager.default.fileExists(atPath: settings.path) else {
            return nil
        }
        return try PEFTSettings(JSONConfiguration(contentsOf: settings))
    }
}
