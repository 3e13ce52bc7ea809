import Checkpoints
import Foundation

/// The layers that the names of a state dictionary describe.
struct LoRAKeys {
    private(set) var layers: [LoRAFile.Layer] = []
    private(set) var isFlat = false

    /// What a tensor is to its layer, by the names of PEFT and LyCORIS.
    enum Role: String, CaseIterable {
        case loraA = "lora_A"
        case loraB = "lora_B"
        case loraMid = "lora_mid"
        case hadaW1A = "hada_w1_a"
        case hadaW1B = "hada_w1_b"
        case hadaT1 = "hada_t1"
        case hadaW2A = "hada_w2_a"
        case hadaW2B = "hada_w2_b"
        case hadaT2 = "hada_t2"
        case lokrW1 = "lokr_w1"
        case lokrW1A = "lokr_w1_a"
        case lokrW1B = "lokr_w1_b"
        case lokrW2 = "lokr_w2"
        case lokrW2A = "lokr_w2_a"
        case lokrW2B = "lokr_w2_b"
        case lokrT2 = "lokr_t2"
        case magnitude = "lora_magnitude_vector"
        case doraScale = "dora_scale"
        case alpha
    }

    private struct Item {
        let part: LoRAFile.Part
        let path: String
        var tensors: [Role: TensorEntry] = [:]
    }

    /// - Parameters:
    ///   - state: the file.
    ///   - settings: of PEFT, when there are any.
    ///   - part: the network, when the place of the file says it.
    /// - Throws: `CheckpointError` that names what is not read.
    init(_ state: StateDictionary, settings: PEFTSettings?, part: LoRAFile.Part?) throws {
        var items = [String: Item]()
        var order = [String]()
        for entry in state.entries {
            func refuse(_ reason: String) -> CheckpointError {
                CheckpointError(file: state.file, problem: .unsupported(reason: "\(entry.name): \(reason)"))
            }
            if let kind = Self.otherKind(entry.name) { throw refuse("\(kind) is not read; LoRA, LoHa, LoKr and DoRA are") }
            guard let (stem, role) = Self.role(entry.name) else { throw refuse("is no tensor of a LoRA adapter") }
            guard !stem.hasPrefix("lora_te2_"), !stem.hasPrefix("text_encoder_2."), !stem.hasPrefix("lora_te1_") else {
                throw refuse("the adapter is for Stable Diffusion XL, which has two text models")
            }
            let place = Self.place(stem, part: part)
            if stem.hasPrefix("lora_unet_") || stem.hasPrefix("lora_te_") { isFlat = true }
            let key = "\(place.part.rawValue) \(place.path)"
            if items[key] == nil { order.append(key) }
            var item = items[key] ?? Item(part: place.part, path: place.path)
            guard item.tensors.updateValue(entry, forKey: role) == nil else { throw refuse("stands twice") }
            items[key] = item
        }
        let stored = try Self.storedSettings(state)
        for key in order {
            guard let item = items[key] else { continue }
            layers.append(try Self.layer(item, settings ?? stored[item.part], file: state.file))
        }
    }

    private static func layer(_ item: Item, _ settings: PEFTSettings?, file: String) throws -> LoRAFile.Layer {
        let form = try AdapterForm(item.tensors, path: item.path, file: file)
        let rank = form.rank ?? settings?.rank(of: item.path)
        var alpha = settings?.alpha(of: item.path) ?? Float(rank ?? 1)
        if let entry = item.tensors[.alpha] {
            guard entry.count == 1, let value = entry.floats().first, value.isFinite else {
                throw CheckpointError(
                    file: file, problem: .wrongShape(tensor: entry.name, expected: "one number", found: entry.shape))
            }
            alpha = value
        }
        var scale: Float = 1
        // LyCORIS gives matrices of LoKr that are both whole no rank, and then alpha does not count.
        if let rank {
            scale = settings?.isRankStabilized == true ? alpha / Float(rank).squareRoot() : alpha / Float(rank)
        }
        return LoRAFile.Layer(
            part: item.part, path: item.path, form: form, magnitude: try Magnitude(item.tensors, shape: form.shape, file: file),
            alpha: alpha, scale: scale)
    }

    /// Kinds of adapters that share the ending of files with LoRA.
    private static func otherKind(_ name: String) -> String? {
        for (mark, kind) in [
            ("oft_", "OFT"), ("lora_embedding", "an adapted embedding"), (".on_input", "IA3"),
            (".diff.", "a full difference of weights"), (".diff_b.", "a full difference of a bias"),
            (".w_norm", "an adapted norm"),
        ] where (name + ".").contains(mark) { return kind }
        return nil
    }

    private static func role(_ name: String) -> (stem: String, role: Role)? {
        for (ending, role) in [
            (".lora_down.weight", Role.loraA), (".lora_up.weight", .loraB), (".lora.down.weight", .loraA),
            (".lora.up.weight", .loraB), ("_lora.down.weight", .loraA), ("_lora.up.weight", .loraB),
            (".lora_linear_layer.down.weight", .loraA), (".lora_linear_layer.up.weight", .loraB), (".lora.alpha", .alpha),
            ("_lora.alpha", .alpha), (".alpha", .alpha),
        ] where name.hasSuffix(ending) { return (String(name.dropLast(ending.count)), role) }
        // PEFT, with or without the adapter's name: "….lora_A.weight", "….lora_A.identity1.weight", "….hada_w1_a".
        for role in Role.allCases where role != .alpha {
            guard let range = name.range(of: "." + role.rawValue, options: .backwards) else { continue }
            var rest = name[range.upperBound...].split(separator: ".", omittingEmptySubsequences: false)
            if rest.last == "weight" { rest.removeLast() }
            if rest == [""] || rest.isEmpty || rest.count == 2 && rest[0].isEmpty {
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
        if part == .textModel {
            // There layers of the text model had the names of the U-Net's too.
            for (old, name) in [("to_q", "q_proj"), ("to_k", "k_proj"), ("to_v", "v_proj"), ("to_out.0", "out_proj")]
            where path.hasSuffix(".self_attn." + old) { path = path.dropLast(old.count) + name }
        }
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
