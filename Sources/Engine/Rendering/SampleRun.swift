import EngineAPI

/// Codes of new people.
final class SampleRun: JobRun {
    private let request: SampleRequest
    private let studio: Studio

    init(_ request: SampleRequest, in studio: Studio) {
        self.request = request
        self.studio = studio
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        guard (1...100_000).contains(request.count) else {
            throw EngineFailure(message: "\(request.count) people cannot be sampled.", advice: "Choose a number from 1 on.")
        }
        report(.sampled(try studio.sample(request)))
        return false
    }
}
