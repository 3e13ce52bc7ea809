import EngineAPI
import Foundation
import ImageCore

/// A weight code in a file: JSON that says which space it belongs to. `w2w sample` and the explorer write them as `NAME.z`.
struct CodeFile: Codable {
    /// 1; a reader refuses what it does not know.
    var format = 1
    var name: String
    /// Name and fingerprint of the space: elsewhere the same numbers show another face.
    var space: String
    var spaceFingerprint: String
    /// The model whose coordinates these are; a file without one is of a weight VAE.
    var model: WeightModel?
    /// How the code came about, in a few words.
    var origin: String
    /// The steps that led here, oldest first; a file of a code that came about in one step may have none.
    var lineage: [String]?
    /// `[latentDim]`, in the prior's units.
    var code: [Float]

    enum CodingKeys: String, CodingKey {
        case format, name, space, model, origin, lineage, code
        case spaceFingerprint = "space_fingerprint"
    }

    /// Reads a code from a `.z` file, or from a picture that w2w drew.
    /// - Parameter path: The file.
    /// - Returns: What it holds, whichever space it belongs to.
    /// - Throws: `CommandFailure` that names the file.
    static func read(_ path: String) throws -> CodeFile {
        let bytes: [UInt8]
        do {
            bytes = try WholeFile.read(path, limit: 1 << 26)
        } catch {
            throw CommandFailure("\(error)", advice: "A code is a .z file of `w2w sample`, or a PNG picture drawn by w2w.")
        }
        if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47]) {
            guard let text = try PNGText.read(from: bytes).first(where: { $0.keyword == PictureMetadata.codeKeyword })?.text
            else {
                throw CommandFailure(
                    "\(path): this picture carries no weight code.",
                    advice: "Pictures of codes drawn by w2w carry one; those of identities and of the base model do not.")
            }
            return try decode(Data(text.utf8), path: path)
        }
        return try decode(Data(bytes), path: path)
    }

    private static func decode(_ data: Data, path: String) throws -> CodeFile {
        let file: CodeFile
        do {
            file = try JSONDecoder().decode(CodeFile.self, from: data)
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

    /// The steps that led to somebody named on the command line, oldest first: those that a file carries, or the name itself.
    /// - Throws: `CommandFailure` when the file cannot be read.
    static func lineage(of argument: String, in description: SpaceDescription, name: String) throws -> [String] {
        if description.identities.names.contains(argument) { return [argument] }
        let file = try read(argument)
        return file.lineage ?? [file.origin]
    }

    /// The file's contents.
    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return Array(try encoder.encode(self)) + [0x0a]
    }

    /// The code, if it belongs to the opened space.
    /// - Parameters:
    ///   - description: The opened space.
    ///   - path: The file, for the message.
    /// - Returns: The code.
    /// - Throws: `CommandFailure` when it was made with another space.
    func weightCode(in description: SpaceDescription, path: String) throws -> WeightCode {
        if let current = description.model, (model ?? .vae) != current {
            throw CommandFailure(
                "\(path): a code of the \((model ?? .vae).rawValue.uppercased()) of '\(space)', not of its "
                    + "\(current.rawValue.uppercased()).",
                advice: "Give --model \((model ?? .vae).rawValue).")
        }
        guard code.count == description.latentDimension else {
            throw CommandFailure(
                "\(path): a code of \(code.count) numbers; the space '\(description.name)' has \(description.latentDimension) axes.",
                advice: "It was made with the space '\(space)': give that one with --space.")
        }
        guard spaceFingerprint == description.fingerprint else {
            throw CommandFailure(
                "\(path): made with the space '\(space)' (\(spaceFingerprint.prefix(8))), this is '\(description.name)' "
                    + "(\(description.fingerprint.prefix(8))); the same numbers would show another face.",
                advice: "Give the space it was made with by --space.")
        }
        return WeightCode(code)
    }
}
