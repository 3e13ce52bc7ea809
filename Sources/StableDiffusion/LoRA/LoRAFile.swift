import Checkpoints
import Foundation
import TensorKit

/// A LoRA adapter as PEFT, diffusers and kohya's scripts write it, of any rank and any set of layers.
///
/// Read are: a PEFT folder (`adapter_config.json` and `adapter_model.safetensors` or `.bin`; also with `unet/` and `text_encoder/` folders), the
/// file of diffusers' `save_lora_weights`, the older one of its attention processors, and kohya's (`lora_unet_…`, `lora_te_…`).
public struct LoRAFile {
    /// The network that a layer belongs to.
    public enum Part: String, Sendable {
        case unet
        case textModel
    }

    /// The change of one layer's weight: scale · B A.
    public struct Layer {
        public let part: Part
        /// Path of the layer with points, or as kohya writes it, with low lines for points.
        public let path: String
        /// [r, in], or [r, in, height, width] of a convolution.
        public let a: TensorEntry
        /// [out, r], or [out, r, 1, 1] of a convolution.
        public let b: TensorEntry
        /// alpha, before it is divided by the rank.
        public let alpha: Float
        /// What B A is multiplied by: alpha / r, or alpha / sqrt(r) where the adapter is rank-stabilised.
        public let scale: Float

        public var rank: Int { a.shape[0] }
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
            throw CheckpointError(file: file, problem: .unsupported(reason: "holds no LoRA layers"))
        }
    }

    /// SHA-256 over names, shapes, scales and numbers.
    public var digest: String {
        let lines = layers.map { layer in
            let numbers = [layer.a, layer.b].map { entry in "\(entry.shape) \(entry.withBytes { SHA256.hexDigest(of: $0) })" }
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

/// `adapter_config.json` of PEFT's `LoraConfig`.
struct PEFTSettings {
    let rank: Int
    let alpha: Float
    let alphaPattern: [(key: String, value: Float)]
    let isRankStabilized: Bool

    init(_ file: JSONConfiguration) throws {
        guard try file.value("peft_type", default: "LORA") == "LORA" else { throw file.wrong("peft_type", expected: "\"LORA\"") }
        for key in ["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"] where try file.value(key, default: false) {
            throw file.wrong(key, expected: "false: only plain LoRA is read")
        }
        guard try file.value("bias", default: "none") == "none" else { throw file.wrong("bias", expected: "\"none\"") }
        if case .array(let saved)? = file["modules_to_save"], !saved.isEmpty {
            throw file.wrong("modules_to_save", expected: "null")
        }
        rank = try file.count("r", default: 8, limit: 1 << 14)
        alpha = try file.value("lora_alpha", default: 8)
        guard alpha.isFinite else { throw file.wrong("lora_alpha", expected: "a finite number") }
        isRankStabilized = try file.value("use_rslora", default: false)
        var patterns = [(key: String, value: Float)]()
        if case .object? = file["alpha_pattern"] {
            let pattern = try file.object("alpha_pattern")
            for member in pattern.members {
                // PEFT takes the keys for regular expressions; those that it writes itself are names.
                let isName = member.key.unicodeScalars.allSatisfy {
                    $0 == "." || $0 == "_" || $0 == "-" || $0.properties.isAlphabetic || ("0"..."9").contains($0)
                }
                guard isName else { throw pattern.wrong(member.key, expected: "under the name of a layer, not under a pattern") }
                let value: Float = try pattern.require(member.key)
                guard value.isFinite else { throw pattern.wrong(member.key, expected: "a finite number") }
                patterns.append((member.key, value))
            }
        }
        alphaPattern = patterns
    }

    /// alpha of a layer: that of the first name which is the end of its path.
    func alpha(of path: String) -> Float {
        alphaPattern.first { path == $0.key || path.hasSuffix("." + $0.key) }?.value ?? alpha
    }
}

/// The layers that the names of a state dictionary describe.
struct LoRAKeys {
    private(set) var layers: [LoRAFile.Layer] = []
    private(set) var isFlat = false

    private enum Role { case a, b, alpha }

    /// - Parameters:
    ///   - state: the file.
    ///   - settings: of PEFT, when there are any.
    ///   - part: the network, when the place of the file says it.
    /// - Throws: `CheckpointError` that names what is not read.
    init(_ state: StateDictionary, settings: PEFTSettings?, part: LoRAFile.Part?) throws {
        struct Item {
            var a, b, alpha: TensorEntry?
            let part: LoRAFile.Part
            let path: String
        }
        var items = [String: Item]()
        var order = [String]()
        for entry in state.entries {
            func refuse(_ reason: String) -> CheckpointError {
                CheckpointError(file: state.file, problem: .unsupported(reason: "\(entry.name): \(reason)"))
            }
            if let kind = Self.otherKind(entry.name) { throw refuse("\(kind) is not read; only plain LoRA is") }
            guard let (stem, role) = Self.role(entry.name) else { throw refuse("is no tensor of a LoRA adapter") }
            guard !stem.hasPrefix("lora_te2_"), !stem.hasPrefix("text_encoder_2."), !stem.hasPrefix("lora_te1_") else {
                throw refuse("the adapter is for Stable Diffusion XL, which has two text models")
            }
            let place = Self.place(stem, part: part)
            if stem.hasPrefix("lora_unet_") || stem.hasPrefix("lora_te_") { isFlat = true }
            let key = "\(place.part.rawValue) \(place.path)"
            if items[key] == nil { order.append(key) }
            var item = items[key] ?? Item(part: place.part, path: place.path)
            switch role {
            case .a where item.a == nil: item.a = entry
            case .b where item.b == nil: item.b = entry
            case .alpha where item.alpha == nil: item.alpha = entry
            default: throw refuse("stands twice")
            }
            items[key] = item
        }
        let stored = try Self.storedSettings(state)
        for key in order {
            guard let item = items[key] else { continue }
            guard let a = item.a, let b = item.b else {
                throw CheckpointError(
                    file: state.file,
                    problem: .unsupported(
                        reason: "\(item.path): \(item.a == nil ? "the factor A (down)" : "the factor B (up)") is missing"))
            }
            guard a.shape.count == b.shape.count, a.shape.count == 2 || a.shape.count == 4, let rank = a.shape.first, rank > 0,
                b.shape[1] == rank, b.shape.dropFirst(2).allSatisfy({ $0 == 1 })
            else {
                throw CheckpointError(
                    file: state.file,
                    problem: .wrongShape(
                        tensor: b.name, expected: "[out, \(a.shape.first ?? 0)] beside A \(a.shape)", found: b.shape))
            }
            let settings = settings ?? stored[item.part]
            var alpha = settings?.alpha(of: item.path) ?? Float(rank)
            if let entry = item.alpha {
                guard entry.count == 1, let value = entry.floats().first, value.isFinite else {
                    throw CheckpointError(
                        file: state.file, problem: .wrongShape(tensor: entry.name, expected: "one number", found: entry.shape))
                }
                alpha = value
            }
            let scale = settings?.isRankStabilized == true ? alpha / Float(rank).squareRoot() : alpha / Float(rank)
            layers.append(LoRAFile.Layer(part: item.part, path: item.path, a: a, b: b, alpha: alpha, scale: scale))
        }
    }

    /// Kinds of adapters that share the ending of files with LoRA.
    private static func otherKind(_ name: String) -> String? {
        for (mark, kind) in [
            ("hada_w", "LoHa"), ("lokr_w", "LoKr"), ("dora_scale", "DoRA"), ("lora_magnitude_vector", "DoRA"), ("oft_", "OFT"),
            ("lora_mid", "a LoCon with a middle factor"),
            ("lora_embedding", "an adapted embedding"), (".on_input", "IA3"), (".diff.", "a full difference of weights"),
            (".diff_b.", "a full difference of a bias"),
            (".w_norm", "an adapted norm"),
        ] where (name + ".").contains(mark) { return kind }
        return nil
    }

    private static func role(_ name: String) -> (stem: String, role: Role)? {
        for (ending, role) in [
            (".lora_down.weight", Role.a), (".lora_up.weight", .b), (".lora.down.weight", .a), (".lora.up.weight", .b),
            ("_lora.down.weight", .a), ("_lora.up.weight", .b), (".lora_linear_layer.down.weight", .a),
            (".lora_linear_layer.up.weight", .b), (".lora.alpha", .alpha), ("_lora.alpha", .alpha), (".alpha", .alpha),
        ] where name.hasSuffix(ending) { return (String(name.dropLast(ending.count)), role) }
        // PEFT, with or without the adapter's name: "….lora_A.weight", "….lora_A.identity1.weight".
        for (mark, role) in [(".lora_A.", Role.a), (".lora_B.", .b)] {
            guard let range = name.range(of: mark, options: .backwards), name.hasSuffix("weight") else { continue }
            let rest = name[range.upperBound...]
            if rest == "weight" || rest.dropLast("weight".count).dropLast().split(separator: ".").count == 1 {
                return (String(name[..<range.lowerBound]), role)
            }
        }
        return nil
    }

    /// The network and the path that the first part of a name says.
    private static func place(_ stem: String, part: LoRAFile.Part?) -> (part: LoRAFile.Part, path: String) {
        for (prefix, part) in [("lora_unet_", LoRAFile.Part.unet), ("lora_te_text_model_", .textModel), ("lora_te_", .textModel)]
        where stem.hasPrefix(prefix) { return (part, String(stem.dropFirst(prefix.count))) }
        var path = stem.hasPrefix("base_model.model.") ? String(stem.dropFirst("base_model.model.".count)) : stem
        var part = part
        for (prefix, named) in [("unet.", LoRAFile.Part.unet), ("text_encoder.", .textModel)] where path.hasPrefix(prefix) {
            path = String(path.dropFirst(prefix.count))
            part = part ?? named
        }
        if path.hasPrefix("text_model.") {
            path = String(path.dropFirst("text_model.".count))
            part = part ?? .textModel
        } else if path.contains("self_attn.") || path.contains(".mlp.fc") {
            part = part ?? .textModel
        }
        // The attention processors of older diffusers: "attn1.processor.to_out".
        path = path.replacingOccurrences(of: ".processor.", with: ".")
        if path.hasSuffix(".to_out") { path += ".0" }
        return (part ?? .unet, path)
    }

    /// The settings that newer versions of diffusers keep in the header of `pytorch_lora_weights.safetensors`.
    private static func storedSettings(_ state: StateDictionary) throws -> [LoRAFile.Part: PEFTSettings] {
        guard let text = state.metadata["lora_adapter_metadata"] else { return [:] }
        let json = try JSONConfiguration(text: text, file: state.file)
        var settings = [LoRAFile.Part: PEFTSettings]()
        for (part, prefix) in [(LoRAFile.Part.unet, "unet."), (.textModel, "text_encoder.")] {
            let members = json.members.filter { $0.key.hasPrefix(prefix) }.map {
                JSONValue.Member(String($0.key.dropFirst(prefix.count)), $0.value)
            }
            if !members.isEmpty { settings[part] = try PEFTSettings(JSONConfiguration(members: members, file: state.file)) }
        }
        return settings
    }
}
