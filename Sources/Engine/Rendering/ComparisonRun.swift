import EngineAPI
import ImageCore
import WeightSpace

/// Compares faces by the face embedder of the space.
final class ComparisonRun: JobRun {
    private let images: [RGBImage]
    private let studio: Studio

    init(_ images: [RGBImage], in studio: Studio) {
        self.images = images
        self.studio = studio
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        guard let embedder = try studio.embedder() else {
            throw EngineFailure(
                message: "this space has no face embedder, so nothing tells how alike faces are.",
                advice: "`w2w train SPACE --embedder --out SPACE` makes one from its photographs.")
        }
        let embeddings = embedder.embeddings(of: images)
        report(
            .compared(
                FaceComparison(
                    count: images.count, likeness: FaceLikeness.cosines(embeddings, embeddings).array,
                    samePerson: embedder.record?.samePerson.map { Float($0) },
                    differentPeople: embedder.record?.differentPeople.map { Float($0) })))
        return false
    }
}
