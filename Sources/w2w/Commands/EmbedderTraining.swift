import EngineAPI
import Foundation
import WeightSpace

/// `w2w train SPACE --embedder --out DIR`: the face embedder of a space, from its photographs.
struct EmbedderTraining {
    /// The space whose photographs it learns from.
    let space: URL
    /// Where the embedder goes; a space that lies there gets it as a part.
    let out: URL
    let plan: FaceEmbedderPlan

    /// Trains, measures, writes; nothing is written before the end.
    /// - Throws: `SpaceError`, `CheckpointError`, `ImageFileError`, or `Cancelled` after Ctrl-C.
    func run() throws {
        let manifest = try SpaceManifest(contentsOf: space.appendingPathComponent("space.json"))
        guard let photos = manifest.paths[.photos], let identities = manifest.paths[.identities] else {
            throw CommandFailure(
                "\(space.path): this space has no photographs of its identities.",
                advice: "Put them in photos/NAME.jpg and let space.json name \"photos\": \"photos\" and \"identities\".")
        }
        let url = { (path: String) in
            path.hasPrefix("/") ? URL(fileURLWithPath: path) : space.appendingPathComponent(path)
        }
        let labels = try IdentityLabels(contentsOf: url(identities))
        let album = try PhotoAlbum(url(photos), labels: labels, side: plan.configuration.imageSize)
        let trainer = try FaceEmbedderTrainer(plan, album: album)
        let split = trainer.split
        print(
            """
            photographs of \(album.names.count) people, \(album.photos.map(\.count).reduce(0, +)) in all: \(split.train.count) to \
            learn from, \(split.validation.count) for validation, \(split.test.count) for the test
            """)
        Interruption.shared.listen()
        var meter = ProgressMeter(activity: "training the embedder", total: plan.steps)
        var loss: Float = 0
        while !trainer.isFinished {
            try Interruption.shared.check(kept: "nothing was written.")
            loss = trainer.advance()
            guard loss.isFinite else {
                throw CommandFailure(
                    "the training ran away at step \(trainer.step).", advice: "Choose a lower --learning-rate, such as 0.001.")
            }
            meter.advance()
            ProgressLine.show(meter.progress)
            if trainer.step % 250 == 0 { report(trainer, loss: loss) }
        }
        ProgressLine.clear()
        try FileManager.default.createDirectory(at: out, withIntermediateDirectories: true)
        let record: FaceEmbedderRecord
        if FileManager.default.fileExists(atPath: out.appendingPathComponent("space.json").path) {
            var written: FaceEmbedderRecord?
            try SpaceWriter.replace([("embedder.safetensors", .embedder), ("embedder.json", .embedder)], in: out) {
                written = try trainer.write(to: $0)
            }
            guard let written else { return }
            record = written
        } else {
            record = try trainer.write(to: out)
        }
        let figure = { (value: Double?) in value.map { String(format: "%.2f", $0) } ?? "not measured" }
        print(
            """
            people it never saw: d' \(figure(record.dPrime)); against others of equal skin and hair: \(figure(record.hardDPrime))
            embedder: \(out.appendingPathComponent("embedder.json").path)
            """)
    }

    private func report(_ trainer: FaceEmbedderTrainer, loss: Float) {
        let (all, alike) = trainer.separation(of: trainer.split.validation)
        ProgressLine.clear()
        print(
            String(
                format: "step %d: loss %.3f, validation d' %.2f, equal skin and hair %.2f", trainer.step, loss, all.dPrime,
                alike?.dPrime ?? .nan))
    }
}
