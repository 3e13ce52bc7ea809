import EngineAPI
import ImageCore
import StableDiffusion

/// Draws many subjects under equal settings, a few in each evaluation: several identities in one batch cost less than one after the other.
struct BatchRun {
    private let studio: Studio
    private let settings: GenerationSettings
    /// Places of the subjects still to be drawn, in order.
    private var waiting: [(index: Int, subject: Subject)]
    private var current: (run: DenoisingRun, members: [(index: Int, subject: Subject)])?

    /// - Parameters:
    ///   - subjects: Whom to draw, with the number that they are reported under.
    ///   - settings: Of all of them.
    ///   - studio: Where.
    init(_ subjects: [(index: Int, subject: Subject)], settings: GenerationSettings, in studio: Studio) {
        self.studio = studio
        self.settings = settings
        waiting = subjects
    }

    /// How many are drawn at once: as many as keep one evaluation short. Decided by size alone, so that equal requests give equal
    /// pictures.
    static func batchSize(_ settings: GenerationSettings) -> Int {
        let pixels = settings.width * settings.height * (settings.guidance > 1 ? 2 : 1)
        return max(1, min(4, 65_536 / max(1, pixels)))
    }

    var isFinished: Bool { waiting.isEmpty && current == nil }

    /// What was done of the batch under way, in pictures.
    var inHand: Double {
        current.map { Double($0.members.count) * Double($0.run.stepsDone) / Double($0.run.stepCount) } ?? 0
    }

    /// Does one step of the batch under way, or begins one.
    /// - Returns: Finished pictures, when the batch is done.
    /// - Throws: What makes a subject or the settings impossible; the subjects of that batch are given up.
    mutating func advance() throws -> [(index: Int, subject: Subject, image: RGBImage)] {
        if current == nil {
            let members = Array(waiting.prefix(Self.batchSize(settings)))
            waiting.removeFirst(members.count)
            guard !members.isEmpty else { return [] }
            current = (try studio.start(members.map(\.subject), settings), members)
        }
        guard case (var run, let members)? = current else { return [] }
        try studio.step(&run)
        guard run.isFinished else {
            current = (run, members)
            return []
        }
        current = nil
        let images = try studio.decode(run.latents)
        return zip(members, images).map { ($0.index, $0.subject, $1) }
    }
}
