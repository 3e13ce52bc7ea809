import Foundation

/// A person's own directions: a file for each space and model, since elsewhere the same numbers do something else.
public struct DirectionShelf {
    public let directory: String

    /// - Parameter directory: made when something is kept.
    public init(directory: String) {
        self.directory = directory
    }

    private func url(_ fingerprint: String) -> URL {
        URL(fileURLWithPath: directory).appendingPathComponent("\(fingerprint.prefix(16)).json")
    }

    /// What was kept for the model in use.
    /// - Parameter space: with the model chosen.
    /// - Returns: oldest first.
    /// - Throws: `CheckpointError` or `SpaceError` when the file is damaged.
    public func saved(for space: Space) throws -> [Direction] {
        guard space.kind != nil else { return [] }
        let url = url(try space.fingerprint())
        return FileManager.default.fileExists(atPath: url.path) ? try DirectionsFile.read(url) : []
    }

    /// Changes what is kept for the model in use.
    /// - Parameters:
    ///   - space: with the model chosen.
    ///   - change: of the list.
    /// - Throws: `CheckpointError` or `CocoaError` when the file cannot be written; what stood there stays.
    public func change(for space: Space, _ change: (inout [Direction]) -> Void) throws {
        var directions = try saved(for: space)
        change(&directions)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try DirectionsFile.write(directions, to: url(try space.fingerprint()))
    }
}
