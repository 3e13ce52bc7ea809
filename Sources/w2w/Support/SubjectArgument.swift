import EngineAPI
import Foundation

/// A person named on the command line: an identity of the space, or a file with a weight code.
struct SubjectArgument {
    /// What the person is called in messages and files.
    var name: String
    var code: WeightCode

    /// - Parameters:
    ///   - argument: A name of the space, or the path of a code file or picture.
    ///   - description: The opened space.
    /// - Throws: `CommandFailure` when it is neither.
    init(_ argument: String, in description: SpaceDescription) throws {
        if let row = description.identities.names.firstIndex(of: argument) {
            guard description.latentDimension > 0 else {
                throw CommandFailure(
                    "the space '\(description.name)' has no weight VAE, so '\(argument)' has no code.",
                    advice: "Train one with `w2w train`, or draw the person by `w2w render --identity \(argument)`.")
            }
            name = argument
            code = description.identities.code(at: row)
            return
        }
        guard FileManager.default.fileExists(atPath: argument) else {
            throw Self.unknown(argument, in: description)
        }
        code = try CodeFile.read(argument).weightCode(in: description, path: argument)
        name = ((argument as NSString).lastPathComponent as NSString).deletingPathExtension
    }

    /// The error for a name that no identity has.
    static func unknown(_ name: String, in description: SpaceDescription) -> CommandFailure {
        let names = description.identities.names
        let near = names.filter { $0.hasPrefix(String(name.prefix(max(1, name.count - 1)))) }.prefix(3)
        let examples = near.isEmpty ? names.prefix(3) : near
        var advice = "Its \(names.count) identities are called like \(examples.joined(separator: ", "))."
        if names.isEmpty { advice = "It has no identities; draw a new person with --random SEED." }
        let looksLikeFile = name.contains("/") || name.hasSuffix(".z") || name.hasSuffix(".png")
        return CommandFailure(
            looksLikeFile
                ? "there is no file '\(name)'."
                : "the space '\(description.name)' has no identity '\(name)', and there is no such file.",
            advice: looksLikeFile ? "Code files are made by `w2w sample`." : advice)
    }
}
