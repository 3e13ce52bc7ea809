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
            throw SubjectArgument.unknown(argument, in: description)
        }
        self = try ResumePoint(file: argument, in: description)
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
