import Checkpoints
import EngineAPI
import Foundation
import ImageCore
import WeightSpace

/// The record of a code in a file; `w2w sample` and the explorer write such files as `NAME.z`.
typealias CodeFile = CodeRecord

extension CodeRecord {
    /// Reads a code from a `.z` file, or from a picture or adapter that w2w wrote.
    /// - Parameter path: The file, or a folder of PEFT.
    /// - Returns: What it holds, whichever space it belongs to.
    /// - Throws: `CommandFailure` that names the file.
    static func read(_ path: String) throws -> CodeRecord { try readAll(path).record }

    /// The same, with the name of the identity that a picture shows by its own LoRA vector.
    /// - Throws: `CommandFailure` that names the file.
    static func readAll(_ path: String) throws -> (record: CodeRecord, identity: String?) {
        let advice = "A code is a .z file of `w2w sample`, a PNG picture drawn by w2w, or an adapter of `w2w export`."
        if URL(fileURLWithPath: path).fileKind == .folder {
            return try readAll(path + "/adapter_model.safetensors")
        }
        if path.hasSuffix(".safetensors") {
            let texts: [String: String]
            do {
                texts = try StateDictionary(safetensors: URL(fileURLWithPath: path)).metadata
            } catch {
                throw CommandFailure("\(error)", advice: advice)
            }
            return try record(texts[CodeRecord.keyword], subject: texts[PictureMetadata.subjectKeyword], path: path, what: "file")
        }
        let bytes: [UInt8]
        do {
            bytes = try WholeFile.read(path, limit: 1 << 26)
        } catch {
            throw CommandFailure("\(error)", advice: advice)
        }
        guard bytes.starts(with: [0x89, 0x50, 0x4e, 0x47]) else { return (try decode(Data(bytes), path: path), nil) }
        let texts: [PNGText]
        do {
            texts = try PNGText.read(from: bytes)
        } catch {
            throw CommandFailure("\(path): \(error)", advice: advice)
        }
        let text = { (keyword: String) in texts.first { $0.keyword == keyword }?.text }
        return try record(text(CodeRecord.keyword), subject: text(PictureMetadata.subjectKeyword), path: path, what: "picture")
    }

    private static func record(
        _ text: String?, subject: String?, path: String, what: String
    ) throws -> (record: CodeRecord, identity: String?) {
        guard let text else {
            throw CommandFailure(
                "\(path): this \(what) carries no weight code.",
                advice: "What w2w drew or exported carries one, except of the base model.")
        }
        let identity = subject.flatMap { $0.hasPrefix("identity ") ? String($0.dropFirst("identity ".count)) : nil }
        return (try decode(Data(text.utf8), path: path), identity)
    }

    private static func decode(_ data: Data, path: String) throws -> CodeRecord {
        let file: CodeRecord
        do {
            file = try JSONDecoder().decode(CodeRecord.self, from: data)
        } catch let error as DecodingError {
            throw CommandFailure(
                "\(path): not a weight code: \(reason(error)).",
                advice: "Make one with `w2w sample --count 1 --out DIR`.")
        }
        guard file.format == 1 else {
            throw CommandFailure(
                "\(path): written in format \(file.format); this w2w reads format 1.", advice: "Use a newer w2w.")
        }
        guard file.code.allSatisfy(\.isFinite) else {
            throw CommandFailure("\(path): the code holds numbers that are not finite.")
        }
        return file
    }

    private static func reason(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "'\(key.stringValue)' is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' has another type than expected"
        default: "it is not JSON"
        }
    }

    /// The file's contents.
    func encoded() throws -> [UInt8] { Array(try json().utf8) + [0x0a] }

    /// The code, if it belongs to the opened space.
    /// - Parameters:
    ///   - description: The opened space.
    ///   - path: The file, for the message.
    /// - Returns: The code.
    /// - Throws: `CommandFailure` when it was made with another space.
    func weightCode(in description: SpaceDescription, path: String) throws -> WeightCode {
        try weightCode(
            for: description.model, of: description.name, fingerprint: description.fingerprint,
            dimension: description.latentDimension, path: path)
    }

    /// The same, of a space that only its weights are opened of.
    /// - Throws: `CommandFailure` when it was made with another space.
    func weightCode(in opened: Space, path: String) throws -> WeightCode {
        try weightCode(
            for: opened.kind.flatMap { WeightModel(rawValue: $0.rawValue) }, of: opened.manifest.name,
            fingerprint: try opened.fingerprint(), dimension: opened.latentDimension, path: path)
    }

    private func weightCode(
        for current: WeightModel?, of name: String, fingerprint: String, dimension: Int, path: String
    ) throws -> WeightCode {
        if let current, (model ?? .vae) != current {
            throw CommandFailure(
                "\(path): a code of the \((model ?? .vae).rawValue.uppercased()) of '\(space)', not of its "
                    + "\(current.rawValue.uppercased()).",
                advice: "Give --model \((model ?? .vae).rawValue).")
        }
        guard code.count == dimension else {
            throw CommandFailure(
                "\(path): a code of \(code.count) numbers; the space '\(name)' has \(dimension) axes.",
                advice: "It was made with the space '\(space)': give that one with --space.")
        }
        guard spaceFingerprint == fingerprint else {
            throw CommandFailure(
                "\(path): made with the space '\(space)' (\(spaceFingerprint.prefix(8))), this is '\(name)' "
                    + "(\(fingerprint.prefix(8))); the same numbers would show another face.",
                advice: "Give the space it was made with by --space.")
        }
        return WeightCode(code)
    }
}
