import Checkpoints
import Foundation
import StableDiffusion
import TensorKit

/// Writes LoRA vectors in the forms of other programs.
public enum AdapterExport {
    /// A folder of PEFT: `adapter_config.json` and `adapter_model.safetensors`, which `PeftModel.from_pretrained(unet, folder)` loads. The layout
    /// of weights2weights: `base_model.model.<module>.lora_A.weight` [r, in] and `.lora_B.weight` [out, r].
    /// - Parameters:
    ///   - vector: [1, n]
    ///   - layout: of the vector.
    ///   - base: what the model is called or where it lies, for the reader of the settings.
    ///   - metadata: travels in the header of the weights.
    ///   - folder: made, if it is not there; files of these names are replaced.
    /// - Throws: `CheckpointError` or `CocoaError` when a file cannot be written.
    public static func writePEFT(
        _ vector: Tensor, layout: LoRALayout, base: String, metadata: [String: String], to folder: URL
    ) throws {
        let tensors = factors(vector, layout).map {
            StoredTensor("base_model.model.\($0.module).lora_\($0.factor.rawValue).weight", $0.values)
        }
        let alpha: JSONValue = Int(exactly: layout.alpha).map { .integer($0) } ?? .number(Double(layout.alpha))
        let settings: [JSONValue.Member] = [
            .init("base_model_name_or_path", .string(base)), .init("bias", .string("none")),
            .init("fan_in_fan_out", .bool(false)),
            .init("inference_mode", .bool(true)), .init("init_lora_weights", .bool(true)), .init("lora_alpha", alpha),
            .init("lora_dropout", .number(0)), .init("modules_to_save", .null), .init("peft_type", .string("LORA")),
            .init("r", .integer(layout.rank)), .init("target_modules", .array(layout.adapters.map { .string($0.module) })),
            .init("task_type", .null), .init("use_dora", .bool(false)), .init("use_rslora", .bool(false)),
        ]
        let text = JSONValue.object(settings).text() + "\n"
        func write(_ folder: URL) throws {
            try SafetensorsWriter.write(
                tensors, metadata: metadata.merging(["format": "pt"]) { $1 },
                to: folder.appendingPathComponent("adapter_model.safetensors"))
            try AtomicFile.write(to: folder.appendingPathComponent("adapter_config.json")) { try $0.append(text) }
        }
        // A new folder appears whole; in one that holds an adapter already the files are replaced one by one.
        let isFilled = (try? FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty) == false
        try isFilled ? write(folder) : DraftFolder.fill(folder, write: write)
    }

    /// A file as kohya's scripts write it: `lora_unet_<module>.lora_down.weight`, `.lora_up.weight` and `.alpha`.
    /// - Parameters:
    ///   - vector: [1, n]
    ///   - layout: of the vector.
    ///   - metadata: travels in the header.
    ///   - url: what stands there is replaced.
    /// - Throws: `CheckpointError` when it cannot be written.
    public static func writeKohya(_ vector: Tensor, layout: LoRALayout, metadata: [String: String], to url: URL) throws {
        var tensors = [StoredTensor]()
        for (module, factor, values) in factors(vector, layout) {
            let name = "lora_unet_" + module.replacingOccurrences(of: ".", with: "_")
            if factor == .a { tensors.append(StoredTensor(name + ".alpha", Tensor([], [layout.alpha]))) }
            tensors.append(StoredTensor("\(name).lora_\(factor == .a ? "down" : "up").weight", values))
        }
        let own = [
            "format": "pt", "ss_network_module": "networks.lora", "ss_network_dim": "\(layout.rank)",
            "ss_network_alpha": "\(layout.alpha)",
        ]
        try SafetensorsWriter.write(tensors, metadata: metadata.merging(own) { $1 }, to: url)
    }

    /// The vector itself: the tensor `weights` [1, n], which `w2w import` and `w2w encode` read.
    /// - Parameters:
    ///   - vector: [1, n]
    ///   - layout: of the vector; its digest goes into the header.
    ///   - metadata: travels in the header.
    ///   - url: what stands there is replaced.
    /// - Throws: `CheckpointError` when it cannot be written.
    public static func writeVector(_ vector: Tensor, layout: LoRALayout, metadata: [String: String], to url: URL) throws {
        try SafetensorsWriter.write(
            [StoredTensor("weights", vector.reshaped([1, layout.vectorLength]))],
            metadata: metadata.merging(["w2w:layout": layout.digest]) { $1 }, to: url)
    }

    /// The factors of all layers, sorted by module, A before B.
    private static func factors(
        _ vector: Tensor, _ layout: LoRALayout
    ) -> [(module: String, factor: LoRALayout.Factor, values: Tensor)] {
        precondition(vector.count == layout.vectorLength, "a vector \(vector.shape) for length \(layout.vectorLength)")
        return layout.entries.sorted { ($0.module, $0.factor.rawValue) < ($1.module, $1.factor.rawValue) }.map { entry in
            let values = Tensor(uninitialized: entry.shape)
            values.pointer.update(from: vector.pointer + entry.range.lowerBound, count: entry.range.count)
            return (entry.module, entry.factor, values)
        }
    }
}
