import ArgumentParser
import Foundation
import ImageCore
import TensorKit
import WeightSpace

/// The forms in which LoRA weights are written, for `w2w export` and `w2w decode`.
enum AdapterFormat: String, CaseIterable, ExpressibleByArgument {
    case peft, kohya, vector

    /// Refuses a name that does not suit the form.
    /// - Throws: `ValidationError`.
    func validate(out: String) throws {
        if self != .peft { try OutputFile.validate(out, kinds: ["safetensors"]) }
    }

    /// Writes LoRA weights.
    /// - Parameters:
    ///   - vector: [1, n] of the space's layout.
    ///   - space: whose layout and base model count.
    ///   - metadata: travels in the header.
    ///   - out: a folder for PEFT, else a file.
    /// - Throws: `CommandFailure` for a folder with other files in it, what writing throws.
    func write(_ vector: Tensor, of space: Space, metadata: [String: String], to out: String) throws {
        let url = URL(fileURLWithPath: (out as NSString).expandingTildeInPath)
        switch self {
        case .peft:
            if let contents = try? FileManager.default.contentsOfDirectory(atPath: url.path),
                contents.contains(where: { !$0.hasPrefix("adapter_") })
            {
                throw CommandFailure(
                    "the folder '\(out)' holds other files; nothing was written.", advice: "Give --out another folder.")
            }
            try AdapterExport.writePEFT(
                vector, layout: space.layout, base: space.baseFolder.path, metadata: metadata, to: url)
        case .kohya: try AdapterExport.writeKohya(vector, layout: space.layout, metadata: metadata, to: url)
        case .vector: try AdapterExport.writeVector(vector, layout: space.layout, metadata: metadata, to: url)
        }
    }
}
