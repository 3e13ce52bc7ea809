import Checkpoints
import Foundation
import ImageCore
import TensorKit
import Testing

@testable import WeightSpace

/// Regressions and projections against PyTorch's (`Fixtures/regression.py`).
struct RegressionTests {
    private let state: StateDictionary

    init() throws {
        state = try StateDictionary(safetensors: fixture("regression.safetensors"))
    }

    private func doubles(_ name: String) throws -> [Double] { try state.entry(name).floats().map { Double($0) } }

    @Test(arguments: [true, false])
    func logisticRegressionEqualsPyTorchs(isBalanced: Bool) throws {
        let labels = try doubles("labels").map { $0 > 0.5 }
        let found = try LogisticRegression(doubles("rows"), labels: labels, penalty: 2.5, isBalanced: isBalanced)
        let expected = try state.entry("logistic." + (isBalanced ? "balanced" : "plain")).tensor()
        expectClose(
            Tensor([10], (found.weights + [found.intercept]).map { Float($0) }), expected, tolerance: 1e-6, "solution")
        #expect(found.iterations < 12)
    }

    @Test func separableClassesHaveASolutionAndOneClassHasNone() throws {
        let rows = (0..<20).map { Double($0) - 9.5 }
        let found = try LogisticRegression(rows, labels: rows.map { $0 > 0 }, penalty: 0.1)
        #expect(found.weights[0] > 0 && found.weights[0].isFinite && abs(found.intercept) < 1e-6)
        #expect(throws: SpaceError.self) { try LogisticRegression(rows, labels: rows.map { _ in true }, penalty: 1) }
    }

    @Test func projectionEqualsTheFormula() throws {
        let held = try state.entry("held").tensor()
        let columns = (0..<3).map { column in (0..<9).map { Double(held.pointer[$0 * 3 + column]) } }
        let direction = try doubles("least_squares")
        let found = DirectionFinder.projected(direction, out: columns)
        expectClose(Tensor([9], found.map { Float($0) }), try state.entry("projected").tensor(), tolerance: 1e-5, "projected")
        // A column that depends on the others changes nothing.
        let sum = zip(columns[0], columns[1]).map { $0 + 2 * $1 }
        let again = DirectionFinder.projected(direction, out: columns + [sum])
        expectClose(Tensor([9], again.map { Float($0) }), Tensor([9], found.map { Float($0) }), tolerance: 1e-6, "dependent")
    }

    @Test func areasUnderCurvesCountTiesHalf() {
        #expect(DirectionFinder.areaUnderCurve([1, 2, 3, 4], [false, false, true, true]) == 1)
        #expect(DirectionFinder.areaUnderCurve([4, 3, 2, 1], [false, false, true, true]) == 0)
        #expect(DirectionFinder.areaUnderCurve([1, 1, 1, 1], [false, true, false, true]) == 0.5)
        #expect(DirectionFinder.areaUnderCurve([1, 2, 2, 3], [false, false, true, true]) == 0.875)
    }
}

/// Directions of the built-in space.
struct DirectionTests {
    private let space: Space

    init() throws {
        space = try Space.builtIn()
    }

    /// Mean of an attribute's score over identities: what `weights` say of their codes.
    private func codes(of rows: [Int]) -> [[Float]] { rows.map { space.code(at: $0) } }

    @Test(arguments: WeightModelKind.allCases, [Direction.Method.leastSquares, .logistic])
    func peopleWhomItWasNotFittedToAreToldApart(kind: WeightModelKind, method: Direction.Method) throws {
        try space.use(kind)
        let finder = try DirectionFinder(space)
        #expect(finder.heldOut.count == 108 && finder.training.count == 436)
        for attribute in ["Eyeglasses", "Beard", "Gray_Hair", "Male"] {
            let score = try #require(try finder.direction(of: attribute, method: method).score)
            #expect((score.balancedAccuracy ?? 0) > 0.95 && score.count == 108, "\(attribute): \(score)")
        }
        // A graded attribute: no classes, a correlation, and one deviation as the unit.
        let age = try finder.direction(of: "age_years", method: method)
        #expect(age.attribute == "Age_Years" && age.unit == .deviation && abs(age.deviations - 1) < 1e-4)
        #expect((age.score?.correlation ?? 0) > 0.7 && age.score?.accuracy == nil)
    }

    /// The whole way from codes and labels to a unit's step, with and without held attributes, against `torch.linalg.pinv`
    /// (`Fixtures/directions.py`).
    @Test(arguments: WeightModelKind.allCases)
    func leastSquaresIsThePseudoInverseOfPyTorch(kind: WeightModelKind) throws {
        try space.use(kind)
        let finder = try DirectionFinder(space)
        let expected = try StateDictionary(safetensors: fixture("directions.safetensors"))
        let own = expected.entries.filter { $0.name.hasPrefix(kind.rawValue + "/") }
        #expect(own.count == 4)
        for entry in own {
            let names = entry.name.split(separator: "/").dropFirst().map(String.init)
            let found = try finder.direction(of: names[0], holding: Array(names.dropFirst()))
            expectClose(Tensor([64], found.step), entry.tensor(), tolerance: 1e-5, entry.name)
        }
    }

    @Test func oneUnitLeadsFromOneClassToTheOther() throws {
        let finder = try DirectionFinder(space)
        let direction = try finder.direction(of: "Eyeglasses")
        let column = space.identities.column(try #require(space.identities.attributeNames.firstIndex(of: "Eyeglasses")))
        let score = { (code: [Float]) in zip(code, direction.step).reduce(Float(0)) { $0 + $1.0 * $1.1 } }
        func mean(_ rows: [Int]) -> Float { codes(of: rows).map(score).reduce(0, +) / Float(rows.count) }
        let with = finder.training.filter { column[$0] > 0.5 }
        let without = finder.training.filter { column[$0] < 0.5 }
        let moved = codes(of: without).map { score(direction.apply(to: $0, strength: 1)) }.reduce(0, +) / Float(without.count)
        #expect(abs(moved - mean(with)) < 1e-2 * (mean(with) - mean(without)))
        let length = direction.step.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(length > 1 && length < 4)
    }

    @Test(arguments: WeightModelKind.allCases)
    func heldAttributesKeepTheirScores(kind: WeightModelKind) throws {
        try space.use(kind)
        let finder = try DirectionFinder(space)
        let held = ["Male", "Gray_Hair", "Long_Hair"]
        let free = try finder.direction(of: "Young")
        let direction = try finder.direction(of: "Young", holding: held)
        #expect(direction.held == held && direction.name == "Young (Male, Gray_Hair, Long_Hair held)")
        let scale = try #require(space.model).priorScale
        let u = { (step: [Float]) in zip(step, scale).map { $0 / $1 } }
        for name in held {
            let other = try finder.direction(of: name).step
            let (dot, before) = (cosine(u(direction.step), u(other)), cosine(u(free.step), u(other)))
            #expect(abs(dot) < 1e-4, "\(name): \(dot), freely \(before)")
        }
        #expect(abs(cosine(u(free.step), u(try finder.direction(of: "Gray_Hair").step))) > 0.05)
    }

    private func cosine(_ a: [Float], _ b: [Float]) -> Float {
        let dot = zip(a, b).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        return dot / (a.reduce(0) { $0 + $1 * $1 } * b.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    @Test func whatCannotBeDoneIsSaid() throws {
        let finder = try DirectionFinder(space)
        func message(_ attribute: String, _ held: [String] = []) -> String {
            "\(#expect(throws: SpaceError.self) { try finder.direction(of: attribute, holding: held) } ?? SpaceError(""))"
        }
        #expect(message("Glasses").contains("Eyeglasses"))
        #expect(message("Afro").contains("0 of 436 identities have it"))
        #expect(message("Beard", ["Mustache"]).contains("while Mustache"))
        #expect(message("Beard", ["beard"]).contains("set and held"))
        #expect(throws: SpaceError.self) { try finder.sefa(count: 65) }
    }

    @Test func unsupervisedDirectionsOfAPCAAreItsAxesByEffect() throws {
        try space.use(.pca)
        let finder = try DirectionFinder(space)
        for direction in [try finder.jacobian(count: 3), try finder.sefa(count: 3)].joined() {
            let number = try #require(Int(direction.name.split(separator: " ")[1]))
            // Only centred: the first components act most, and one deviation is the slider's.
            let largest = direction.step.indices.max { abs(direction.step[$0]) < abs(direction.step[$1]) }
            #expect(largest == number - 1, "\(direction.name)")
            let axis = space.axes[number - 1]
            #expect(abs(abs(direction.step[number - 1]) / axis.deviation - 1) < 0.1)
        }
    }

    @Test func jacobianDirectionsAreWhatTheDecoderReactsTo() throws {
        let finder = try DirectionFinder(space)
        let directions = try finder.jacobian(count: 64, probes: 2)
        let shares = directions.compactMap(\.share)
        #expect(shares.count == 64 && zip(shares, shares.dropFirst()).allSatisfy { $0 >= $1 - 1e-6 })
        #expect(abs(shares.reduce(0, +) - 1) < 1e-3)
        // A small step along the first changes the decoded vector more than one of equal length along the last.
        let code = space.code(at: finder.training[0])
        func change(_ direction: Direction) throws -> Double {
            let length = direction.step.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let moved = direction.apply(to: code, strength: 0.1 / length)
            let vectors = try space.decode(Tensor([2, 64], code + moved))
            return Kernels.sumOfSquares(Kernels.scaledDifference(vectors.rows(0..<1), vectors.rows(1..<2), factor: 1))
        }
        let ratio = try change(directions[0]) / change(directions[63])
        let expected = Double(shares[0] / shares[63])
        #expect(ratio > 2 && abs(ratio / expected - 1) < 0.5, "\(ratio), expected \(expected)")
        var told = 0.0
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try finder.jacobian(count: 1) { share in
                told = share
                throw Stop()
            }
        }
        #expect(told > 0 && told < 1)
    }

    @Test func aFileBringsDirectionsBack() throws {
        let folder = try TemporaryFolder()
        let finder = try DirectionFinder(space)
        let directions = [
            try finder.direction(of: "Young", method: .logistic, holding: ["Male"], name: "younger \"face\""),
            try finder.direction(of: "Age_Years"), try finder.sefa(count: 1)[0],
        ]
        let url = folder.url.appendingPathComponent("shared.json")
        try DirectionsFile.write(directions, to: url)
        let read = try DirectionsFile.read(url)
        #expect(read.map(\.name) == directions.map(\.name) && read.map(\.step) == directions.map(\.step))
        #expect(read[0].held == ["Male"] && read[0].method == .logistic && read[2].share == directions[2].share)
        #expect(abs((read[0].score?.accuracy ?? 0) - (directions[0].score?.accuracy ?? 1)) < 1e-6)
        try DirectionsFile.write([directions[0], directions[0]], to: url)
        #expect(throws: SpaceError.self) { try DirectionsFile.read(url) }
        let text = try String(contentsOf: url, encoding: .utf8).replacingOccurrences(of: "logistic", with: "guessing")
        try Data(text.utf8).write(to: url)
        #expect(throws: CheckpointError.self) { try DirectionsFile.read(url) }
    }

    @Test func theShelfKeepsDirectionsOfOneSpaceAndModel() throws {
        let folder = try TemporaryFolder()
        let shelf = DirectionShelf(directory: folder.url.appendingPathComponent("directions").path)
        let found = try DirectionFinder(space).direction(of: "Eyeglasses", name: "spectacles")
        try shelf.change(for: space) { $0.append(found) }
        #expect(try shelf.saved(for: space) == [try #require(try DirectionsFileProbe.rounded(found))])
        let listed = try space.directions(including: shelf.saved(for: space))
        // The kept one stands first, and in the place of the attribute's own.
        #expect(listed.first?.name == "spectacles" && !listed.contains { $0.name == "Eyeglasses" } && listed.count == 32)
        try space.use(.pca)
        #expect(try shelf.saved(for: space).isEmpty)
        #expect(try space.directions(including: [found]).contains { $0.name == "Eyeglasses" })
    }
}

/// A direction as its file gives it back: scores are stored in single precision.
private enum DirectionsFileProbe {
    static func rounded(_ direction: Direction) throws -> Direction? {
        let folder = try TemporaryFolder()
        let url = folder.url.appendingPathComponent("one.json")
        try DirectionsFile.write([direction], to: url)
        return try DirectionsFile.read(url).first
    }
}

/// Walks in equal steps of the face.
struct PacingTests {
    @Test func stepsBecomeEqual() {
        // The picture changes with the square of the position.
        var positions: [Float] = (0..<9).map { Float($0) / 8 }
        func steps() -> [Double] {
            zip(positions, positions.dropFirst()).map { Double($1 * $1 - $0 * $0) }
        }
        #expect(EvenPacing.unevenness(steps()) > 1.8)
        for _ in 0..<4 { positions = EvenPacing.retimed(positions, steps: steps(), frames: 9) }
        #expect(EvenPacing.unevenness(steps()) < 1.02)
        #expect(positions.first == 0 && positions.last == 1 && positions.count == 9)
        #expect(zip(positions, positions.dropFirst()).allSatisfy { $0 < $1 })
        #expect(EvenPacing.retimed([0, 0.3, 1], steps: [0, 0], frames: 3) == [0, 0.5, 1])
    }

    @Test func aJumpIsOneStepAndTheOthersShareTheRest() {
        // Nothing lies between 0.499 and 0.501; everywhere else the picture changes with the position.
        let positions: [Float] = [0, 0.25, 0.499, 0.501, 0.75, 1]
        let retimed = EvenPacing.retimed(positions, steps: [0.25, 0.249, 2, 0.249, 0.25], frames: 8)
        let steps = zip(retimed, retimed.dropFirst()).map { from, to in
            let jump: Double = from < 0.5 && to > 0.5 ? 2 : 0
            return Double(to - from) + jump
        }
        #expect(steps.count(where: { $0 > 1 }) == 1)
        #expect(steps.filter { $0 < 1 }.allSatisfy { $0 > 0.05 && $0 < 0.2 }, "\(steps)")
    }

    @Test func theEmbedderOfTheSpaceMeasures() throws {
        let space = try Space.builtIn()
        let distance = EmbeddingDistance(try #require(try space.faceEmbedder()))
        #expect(distance.title.contains("embedder"))
        let photos = try RGBImage(
            contentsOfFile: space.folder.appendingPathComponent("photos/\(space.identities.names[0]).jpg").path)
        let other = try RGBImage(
            contentsOfFile: space.folder.appendingPathComponent("photos/\(space.identities.names[7]).jpg").path)
        let square = { (strip: RGBImage, place: Int) in
            strip.cropped(x: place * strip.height, y: 0, side: strip.height)
        }
        // The same photograph, another one of the same person, another person.
        let steps = distance.steps([square(photos, 0), square(photos, 0), square(photos, 1), square(other, 0)])
        #expect(steps.count == 3 && steps[0] < 1e-3 && steps[1] > 0.01 && steps[2] > 1.5 * steps[1], "\(steps)")
        #expect(LowFrequencyDistance().title != distance.title)
    }

    @Test func slerpIsRoundInThePriorsUnits() {
        let path = CodePath(
            from: [10, 0], to: [0, 0.1], kind: .slerp, centre: [0, 0], active: [true, true], scale: [10, 0.1])
        let middle = path.code(at: 0.5)
        #expect(abs(middle[0] / 10 - Float(0.5).squareRoot()) < 1e-5 && abs(middle[1] / 0.1 - Float(0.5).squareRoot()) < 1e-5)
    }
}
