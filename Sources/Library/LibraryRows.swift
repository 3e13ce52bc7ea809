import EngineAPI
import Foundation
import GRDB

/// Rows of the library and the values they stand for.
enum LibraryRows {
    /// The values of `LibrarySchema.stateColumns`, in that order.
    static func arguments(of state: VisitedState) -> [(any DatabaseValueConvertible)?] {
        let settings = state.settings
        return [
            data(of: state.code), settings.prompt, settings.negativePrompt, Int64(bitPattern: settings.seed), settings.steps,
            Double(settings.guidance), settings.scheduler.rawValue, settings.width, settings.height, state.spaceFingerprint,
            state.spaceName, state.step, state.origin,
        ]
    }

    /// nil for a sampler that this program does not know, or a code that is not a row of numbers.
    static func state(of row: Row) -> VisitedState? {
        guard let scheduler = SchedulerName(rawValue: row["scheduler"]), let code = code(of: row["code"]) else { return nil }
        let settings = GenerationSettings(
            prompt: row["prompt"], negativePrompt: row["negative_prompt"], seed: UInt64(bitPattern: row["seed"] as Int64),
            steps: row["steps"], guidance: Float(row["guidance"] as Double), scheduler: scheduler, width: row["width"],
            height: row["height"])
        return VisitedState(
            code: code, settings: settings, spaceFingerprint: row["space_fingerprint"], spaceName: row["space_name"],
            step: row["step"], origin: row["origin"])
    }

    static func favourite(of row: Row, tags: [String]) -> Favourite? {
        guard let state = state(of: row) else { return nil }
        let thumbnail: Data? = row["thumbnail"]
        return Favourite(
            id: row["id"], name: row["name"], tags: tags, created: row["created"], state: state,
            lineage: lineage(of: row["lineage"]), thumbnail: thumbnail.map { [UInt8]($0) })
    }

    /// Steps as a JSON array of strings.
    static func text(of lineage: [String]) throws -> String {
        String(decoding: try JSONEncoder().encode(lineage), as: UTF8.self)
    }

    private static func lineage(of text: String) -> [String] {
        (try? JSONDecoder().decode([String].self, from: Data(text.utf8))) ?? []
    }

    private static func data(of code: WeightCode) -> Data {
        var data = Data(capacity: code.count * 4)
        for value in code.values { withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
        return data
    }

    private static func code(of data: Data) -> WeightCode? {
        guard data.count % 4 == 0 else { return nil }
        return WeightCode(
            data.withUnsafeBytes { bytes in
                (0..<(data.count / 4)).map {
                    Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
                }
            })
    }
}
