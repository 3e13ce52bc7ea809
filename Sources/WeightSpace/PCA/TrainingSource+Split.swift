import Checkpoints
import Foundation

extension TrainingSource {
    /// The rows that the space's weight VAE was trained on, so that a PCA can be compared with it on people that neither has seen; without a
    /// weight VAE the training part of the split of seed 0.
    /// - Returns: rows, rising.
    /// - Throws: `SpaceError` when the record names people whom the source does not have; `CheckpointError` when it cannot be read.
    public func trainingRows() throws -> [Int] {
        let folder = layoutURL.deletingLastPathComponent()
        let manifestURL = folder.appendingPathComponent("space.json")
        if FileManager.default.fileExists(atPath: manifestURL.path),
            let path = try SpaceManifest(contentsOf: manifestURL).paths[.vae],
            let record = try TrainingRecord(JSONConfiguration(contentsOf: Space.url(path, folder: folder)))
        {
            let heldOut = Set(record.heldOut("validation") + record.heldOut("test"))
            let unknown = heldOut.subtracting(labels.names)
            guard unknown.isEmpty else {
                throw SpaceError(
                    "\(manifestURL.path): the weight VAE kept aside \(unknown.min() ?? ""), whom the identities do not name",
                    advice: "Name the space that the weight VAE belongs to.")
            }
            if !heldOut.isEmpty { return labels.names.indices.filter { !heldOut.contains(labels.names[$0]) } }
        }
        guard labels.count >= 10 else {
            throw SpaceError("\(labels.count) vectors are too few for a split", advice: "Fit all of them.")
        }
        return DataSplit(count: labels.count, seed: 0).train.sorted()
    }
}
