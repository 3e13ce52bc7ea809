import Checkpoints
import EngineAPI
import Foundation
import ImageCore

/// Where a command or the explorer goes on: somebody of the space, or what a file of w2w carries (a `.z` file, a picture, an exported adapter).
struct ResumePoint {
    /// What the person is called.
    var name: String
    var subject: Subject
    /// What the file says; nil for a plain name.
    var file: CodeRecord?

    /// - Parameters:
    ///   - argument: a name of the space, or the path of a file.
    ///   - description: the opened space.
    /// - Throws: `CommandFailure` when it is neither, or belongs to another space.
    init(_ argument: String, in description: SpaceDescription) throws {
        if description.identities.names.contains(argument) {
            (name, subject) = (argument, .identity(argument))
            return
        }
        guard FileManager.default.fileExists(atPath: (argument as NSString).expandingTildeInPath) else {
            throw Self.unknown(argument, in: description)
        }
        self = try ResumePoint(file: argument, in: description)
    }

    /// How the person was drawn last: as a file says, else as the space draws everybody.
    func settings(in description: SpaceDescription) -> GenerationSettings { file?.settings ?? description.defaults }

    /// The steps that led here, oldest first: those that a file carries, or the name itself.
    var lineage: [String] { file.map { $0.lineage ?? [$0.origin] } ?? [name] }

    /// The person's place in the coordinates of the model in use.
    /// - Throws: `CommandFailure` when the space has neither a weight VAE nor a PCA.
    func code(in description: SpaceDescription) throws -> WeightCode {
        if case .code(let code) = subject { return code }
        guard description.latentDimension > 0, case .identity(let identity) = subject,
            let row = description.identities.names.firstIndex(of: identity)
        else {
            throw CommandFailure(
                "the space '\(description.name)' has neither a weight VAE nor a PCA, so '\(name)' has no code.",
                advice: "Train one with `w2w train`, or draw the person by `w2w render --identity \(name)`.")
        }
        return description.identities.code(at: row)
    }

    /// The error for a name that no identity has.
    static func unknown(_ name: String, in description: SpaceDescription) -> CommandFailure {
        let names = description.identities.names
        let near = names.filter { $0.hasPrefix(String(name.prefix(max(1, name.count - 1)))) }.prefix(3)
        let examples = near.isEmpty ? names.prefix(3) : near
        var advice = "Its \(names.count) identities are called like \(examples.joined(separator: ", "))."
        if names.isEmpty {
            let isModelAlone = description.latentDimension == 0
            advice =
                "It has no identities; draw "
                + (isModelAlone ? "the model itself with `w2w render --base`." : "a new person with `w2w render --random SEED`.")
        }
        let looksLikeFile = name.contains("/") || name.hasSuffix(".z") || name.hasSuffix(".png")
        return CommandFailure(
            looksLikeFile
                ? "there is no file '\(name)'."
                : "the space '\(description.name)' has no identity '\(name)', and there is no such file.",
            advice: looksLikeFile ? "Code files are made by `w2w sample`." : advice)
    }

    /// - Parameters:
    ///   - argument: the path of a file.
    ///   - description: the opened space.
    /// - Throws: `CommandFailure` when it carries nothing, or something of another space.
    init(file argument: String, in description: SpaceDescription) throws {
        let path = (argument as NSString).expandingTildeInPath
        let (record, identity) = try CodeFile.readAll(path)
        file = record
        name = record.name
        if let identity, record.spaceFingerprint == description.fingerprint, description.identities.names.contains(identity) {
            subject = .identity(identity)
        } else {
            subject = .code(try record.weightCode(in: description, path: argument))
        }
    }

    /// The record of an export: what the file said, or what the space says of the name.
    func record(in description: SpaceDescription) -> CodeRecord {
        if let file { return file }
        var code = [Float]()
        if let row = description.identities.names.firstIndex(of: name), description.latentDimension > 0 {
            code = description.identities.code(at: row).values
        }
        return CodeRecord(
            name: name, space: description.name, spaceFingerprint: description.fingerprint, model: description.model,
            origin: name,
            code: code, settings: description.defaults)
    }
}
