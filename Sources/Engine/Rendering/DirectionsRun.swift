import EngineAPI
import WeightSpace

/// Finds directions, or changes which ones are kept.
final class DirectionsRun: JobRun {
    enum Work {
        case find(DirectionSearch)
        case keep(DirectionDescription)
        case forget(String)
    }

    private let work: Work
    private let studio: Studio
    private let shelf: DirectionShelf

    init(_ work: Work, in studio: Studio, shelf: DirectionShelf) {
        self.work = work
        self.studio = studio
        self.shelf = shelf
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        switch work {
        case .find(let search):
            report(.directions(try find(search, report).map { DirectionDescription($0, isNamed: false) }))
        case .keep(let description):
            let direction = try direction(description)
            try shelf.change(for: studio.space) { kept in
                kept.removeAll { $0.name == direction.name }
                kept.append(direction)
            }
            report(.directions(try shelf.descriptions(of: studio.space)))
        case .forget(let name):
            guard try shelf.saved(for: studio.space).contains(where: { $0.name == name }) else {
                throw EngineFailure(
                    message: "no direction is kept under the name '\(name)'.",
                    advice: "Only your own directions can be forgotten.")
            }
            try shelf.change(for: studio.space) { kept in kept.removeAll { $0.name == name } }
            report(.directions(try shelf.descriptions(of: studio.space)))
        }
        return false
    }

    private func find(_ search: DirectionSearch, _ report: (JobReport) -> Void) throws -> [Direction] {
        let finder = try DirectionFinder(studio.space)
        switch search {
        case .attribute(let name, let isLogistic, let held):
            return [try finder.direction(of: name, method: isLogistic ? .logistic : .leastSquares, holding: held)]
        case .sefa(let count): return try finder.sefa(count: count)
        case .jacobian(let count):
            return try finder.jacobian(count: count) { share in
                report(.progress(Progress(activity: "finding directions", done: Int(share * 100), total: 100)))
            }
        }
    }

    /// A description as it is kept; the score is taken over as far as it tells.
    private func direction(_ description: DirectionDescription) throws -> Direction {
        guard let kind = studio.space.kind, description.step.count == studio.space.latentDimension,
            description.step.allSatisfy(\.isFinite), let method = Direction.Method(rawValue: description.method)
        else {
            throw EngineFailure(
                message: "the direction '\(description.name)' does not belong to this space.",
                advice: "Keep one that was found with the model in use.")
        }
        guard !description.name.isEmpty, description.name.count <= 200 else {
            throw EngineFailure(message: "a direction needs a name of 1 to 200 characters.", advice: "Give it one.")
        }
        let score = description.correlation.map {
            Direction.Score(
                count: 0, positives: 0, accuracy: nil, balancedAccuracy: description.accuracy.map { Double($0) },
                areaUnderCurve: nil, correlation: Double($0))
        }
        return Direction(
            name: description.name, model: kind, fingerprint: studio.description.fingerprint, method: method,
            attribute: description.attribute, held: description.held, step: description.step,
            unit: description.unit == .classGap ? .classGap : .deviation, deviations: description.deviations, score: score)
    }
}
