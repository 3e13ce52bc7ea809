import EngineAPI
import Foundation
import ImageCore
import ScreenModel
import Testing

@testable import Explorer

@Suite("The Model screen, the seed test, the models side by side") struct ModelStories {
    /// The town with a PCA beside its weight VAE, in the coordinates of either.
    static func town(_ model: WeightModel) -> SpaceDescription {
        var town = TestSpace.description(axes: model == .vae ? 12 : 6, fingerprint: model == .vae ? "f00d" : "bead")
        town.model = model
        town.models = [.vae, .pca]
        town.decoder = model == .vae ? "vanilla VAE" : "PCA"
        town.record = SpaceRecord(
            measures: [
                .init(name: "reconstruction.vae.r2", value: 0.608), .init(name: "reconstruction.pca.r2", value: 0.598),
                .init(name: "identity.consistency", value: 0.81),
            ],
            training: (1...20).map { .init(step: $0, loss: 1 / Double($0), validationR2: 1 - 1 / Double($0)) },
            parts: [.init(path: "vae.json", digest: String(repeating: "ab", count: 32))])
        return town
    }

    /// The requests of the thumbnails asked for last.
    private func wanted(_ story: Story) -> [RenderRequest] {
        guard
            case (_, .thumbnails(let requests))? = story.lastSubmitted(where: { if case .thumbnails = $0 { true } else { false } }
            )
        else { return [] }
        return requests
    }

    @Test("an axis opens its passport: five faces from −2 to +2 σ of the face in hand, figures, people, attributes")
    func passport() throws {
        var story = Story.opened(Self.town(.vae))
        story.press(.right)
        story.press("p")
        #expect(story.model.screen == .model)
        let axis = try #require(story.model.axes.selectedAxis)
        let code = try #require(story.step?.code)
        let requests = story.model.passportRequests
        #expect(requests.count == 5)
        // What has been drawn is not asked for again.
        #expect(wanted(story) == requests.filter { story.model.pictures.picture(of: $0) == nil } && !wanted(story).isEmpty)
        for (stop, request) in zip(Passport.stops, requests) {
            var expected = code
            expected[axis] = 0.5 + 2 * stop
            #expect(request.subject == .code(expected))
        }
        story.finishThumbnails()
        #expect(story.frame.placements.filter { $0.slot.hasPrefix("passport") }.count == 5)
        #expect(story.screen.contains("male") && story.screen.contains("KL 3.00 nats"))
        #expect(story.screen.contains("R2 VAE 0.608 · PCA 0.598") && story.screen.contains("consistent 0.81"))
        #expect(story.screen.contains("sha256 abababab"))
        // The next axis has faces of its own; the choice holds in Explore.
        story.press(.down)
        let next = try #require(story.model.axes.selectedAxis)
        #expect(next != axis && story.model.passport?.axis == next)
        #expect(Set(wanted(story)).isSubset(of: story.model.passportRequests) && wanted(story).count >= 4)
        story.press(.enter)
        #expect(story.model.screen == .explore && story.model.axes.selectedAxis == next)
        // Nobody looks at the faces any more.
        #expect(story.all.contains { if case .cancel = $0 { true } else { false } })
    }

    @Test("the passport says what an axis does to the face where that was measured, and nothing where it was not")
    func faceEffect() throws {
        for measured in [Float(0.21), nil] {
            var town = Self.town(.vae)
            for index in town.axes.indices { town.axes[index].faceEffect = measured }
            var story = Story.opened(town)
            story.press("p")
            #expect(story.screen.contains("· face 0.21 · KL") == (measured != nil))
            #expect(story.screen.contains("· face") == (measured != nil))
        }
    }

    @Test("figures of the passport that have no room are left out whole", arguments: [60, 80, 90, 100, 110, 130])
    func wholeFigures(columns: Int) throws {
        var description = TestSpace.description()
        for axis in description.axes.indices { description.axes[axis].faceEffect = 0.25 }
        var story = Story.opened(description, size: Size(columns: columns, rows: 30))
        story.press("p")
        let line = try #require(
            story.screen.split(separator: "\n").first { $0.contains("effect 1.00") || $0.contains("effect 0.") })
        let figures = try #require(line.range(of: "effect ")).lowerBound
        let words = line[figures...].prefix { $0 != "│" }.trimmingCharacters(in: .whitespaces)
        #expect(!words.contains("…") && words.contains(" · face 0.25"), "\(words)")
        let measures = ["effect", "face", "KL", "variance"]
        #expect(words.split(separator: "·").enumerated().allSatisfy { $1.contains(measures[$0] + " ") }, "\(words)")
    }

    @Test("a face of the passport is clicked: the axis goes there")
    func clickFace() throws {
        var story = Story.opened(Self.town(.vae))
        story.press("5")
        let canvas = story.model.canvas(size: story.model.size)
        let hit = try #require(canvas.hits.first { $0.target == .passportFace(4) })
        let axis = try #require(story.model.axes.selectedAxis)
        story.click(Point(x: hit.rect.x + 1, y: hit.rect.y + 1))
        #expect(story.model.screen == .explore)
        #expect(abs(story.sigma(axis) - 2) < 1e-5)
    }

    @Test("the histogram counts everybody once, the prior sums to one, and a shifted posterior is told in nats")
    func histogram() {
        let index = SpaceIndex(TestSpace.description())
        let passport = Passport(axis: 3, in: index)
        #expect(abs(passport.people.reduce(0, +) - 1) < 1e-5)
        #expect(abs(passport.prior.reduce(0, +) - 1) < 1e-5)
        #expect(passport.prior[Passport.bins / 2] == passport.prior.max())
        #expect(abs(passport.aggregate - (0.25 + 4 - 1 - 1.3862944) / 2) < 1e-4)
        #expect(Passport.divergence(mean: 0, deviation: 1) == 0)
        #expect(Passport.divergence(mean: .nan, deviation: 1) == 0 && Passport.divergence(mean: 0, deviation: 0) == 0)
    }

    @Test("in a narrow window the space has the passport's place, and back")
    func narrow() {
        var story = Story.opened(Self.town(.vae), size: Size(columns: 80, rows: 24))
        story.press("5")
        #expect(story.screen.contains("Passport") && !story.screen.contains("fingerprint"))
        #expect(story.screen.contains("v space"))
        story.press("v")
        #expect(!story.screen.contains("Passport") && story.screen.contains("fingerprint"))
        #expect(story.screen.contains("v passport"))
        story.press("v")
        #expect(story.screen.contains("Passport"))
    }

    @Test("the seed test draws the face under six seeds; Enter goes on with one")
    func seeds() throws {
        var story = Story.opened()
        story.press("x")
        let requests = wanted(story)
        #expect(requests.map(\.settings.seed) == [89, 90, 91, 92, 93])
        #expect(Set(requests.map(\.subject)).count == 1)
        #expect(story.screen.contains("seed 93"))
        story.press(.right)
        story.press(.enter)
        #expect(story.model.contact == nil)
        #expect(story.step?.settings.seed == 89)
        story.press("x")
        story.press(.escape)
        #expect(story.model.contact == nil && story.step?.settings.seed == 89)
    }

    @Test("the seed test states how alike the faces are, where the space has a face embedder")
    func likeness() throws {
        var description = TestSpace.description()
        description.hasEmbedder = true
        var story = Story.opened(description)
        func comparisons() -> [(JobID, [RGBImage])] {
            story.all.compactMap { if case .submit(.compare(let images), let id) = $0 { (id, images) } else { nil } }
        }
        story.press("x")
        story.finishThumbnails(4)
        #expect(comparisons().isEmpty, "not before all faces are there")
        story.finishThumbnails()
        let (id, images) = try #require(comparisons().first)
        #expect(images.count == 6)
        story.press(.right)
        #expect(comparisons().count == 1, "asked once")
        var table = [Float](repeating: 0.9, count: 36)
        for place in 0..<6 {
            table[place * 7] = 1
            // The last one is somebody else.
            if place < 5 { (table[place * 6 + 5], table[30 + place]) = (0.2, 0.2) }
        }
        story.send(
            .engine(.compared(id, FaceComparison(count: 6, likeness: table, samePerson: 0.95, differentPeople: 0.01))))
        let mean = Format.similarity((4 * 0.9 + 0.2) / 5)
        #expect(story.screen.contains("seed 88  \(mean)") && story.screen.contains("seed 93  .20"))
        #expect(story.screen.contains("photos: two people .01 · one .95 · these alike .67"))
        // In a small window the words give way, not the figures.
        story.send(.input(.resized(Size(columns: 80, rows: 24))))
        story.press(.left)
        #expect(story.screen.contains("▌88  \(mean)▐") && story.screen.contains("93  .20"), "\(story.screen)")
        #expect(story.screen.contains(" two people .01, one .95 · here .67 ─╯"), "\(story.screen)")
        // The longest seed that is drawn by lot.
        var contact = try #require(story.model.contact)
        contact.requests[0].settings.seed = 9999
        #expect(contact.captions(columns: 8)[0] == "9999 \(mean)")
        story.send(.input(.resized(Size(columns: 120, rows: 34))))
        // Another face has another answer; a late one is not taken for it.
        story.press("x")
        story.press(.right)
        story.press("x")
        story.send(.engine(.compared(id, FaceComparison(count: 6, likeness: table))))
        #expect(!story.screen.contains("alike .67"))
        // Without an embedder nobody asks.
        var plain = Story.opened()
        plain.press("x")
        plain.finishThumbnails()
        #expect(!plain.all.contains { if case .submit(.compare, _) = $0 { true } else { false } })
    }

    @Test("typicality comes from the engine and changes with the face; until then nothing is claimed")
    func typicality() throws {
        var story = Story(ExplorerOptions(size: Size(columns: 120, rows: 34), resumesLastWalk: false))
        let (id, _) = try #require(story.lastSubmitted(where: { if case .open = $0 { true } else { false } }))
        story.send(.engine(.opened(id, TestSpace.description())))
        #expect(story.screen.contains("typical") && !story.screen.contains(" %"))
        story.send(.engine(.typicality(id, TestSpace.gauge)))
        let code = try #require(story.step?.code)
        #expect(story.screen.contains(Format.percent(TestSpace.gauge(code))))
        story.press("R")
        #expect(story.screen.contains("100 %"))
    }

    @Test("the model that the command line names is the one that is opened")
    func namedModel() {
        let story = Story(ExplorerOptions(weightModel: .pca, resumesLastWalk: false))
        #expect(
            story.all.contains { if case .submit(.open(.builtIn, model: .pca), _) = $0 { true } else { false } })
    }

    @Test("the models stand side by side and follow the sliders; the person's own weights stand there until something is changed")
    func sideBySide() throws {
        var story = Story.opened(Self.town(.vae))
        let code = try #require(story.step?.code)
        story.press("w")
        #expect(wanted(story).map(\.subject) == [.through(.pca, .code(code)), .identity("p00001")])
        #expect(story.screen.contains("PCA") && story.screen.contains("own weights"))
        story.press(.right)
        let moved = try #require(story.step?.code)
        #expect(wanted(story).map(\.subject) == [.through(.pca, .code(moved))])
        story.press("w")
        #expect(!story.screen.contains("own weights"))
        // A space with one model says so.
        var alone = Story.opened()
        alone.press("w")
        #expect(alone.toast.contains("weight VAE only"))
    }

    @Test("another model is used: the same person in its coordinates, and each model keeps its walk")
    func otherModel() throws {
        var story = Story.opened(Self.town(.vae))
        story.press("2")
        story.press(.right)
        story.press(.enter)
        story.press(.right)
        let code = try #require(story.step?.code)
        story.press("5")
        story.press("w")
        func answer(_ model: WeightModel) throws {
            let (id, command) = try #require(story.lastSubmitted(where: { if case .use = $0 { true } else { false } }))
            guard case .use(model) = command else {
                Issue.record("\(command)")
                return
            }
            story.send(.engine(.opened(id, Self.town(model))))
            story.send(.engine(.finished(id)))
        }
        try answer(.pca)
        #expect(story.step?.title == "p00002")
        #expect(story.step?.code.count == 6)
        #expect(story.model.axes.rows.allSatisfy { $0 < 6 })
        #expect(story.lastPreview?.request.subject == .code(try #require(story.step?.code)))
        #expect(!story.screen.contains("nats"))
        story.press("w")
        try answer(.vae)
        #expect(story.step?.code == code)
    }

    @Test("a small picture of a gallery does not pass for the finished one, but is shown until that is there")
    func smallPictures() {
        var store = PictureStore()
        let request = RenderRequest(
            subject: .base,
            settings: GenerationSettings(
                prompt: "x", seed: 1, steps: 2, guidance: 1, scheduler: .ddim, width: 512, height: 512))
        let small = store.add(TestSpace.picture(), finishedFor: request, isSmall: true)
        #expect(store.finishedPicture(of: request) == nil && store.picture(of: request) == small)
        let full = store.add(TestSpace.picture(90, side: 512), finishedFor: request)
        #expect(store.finishedPicture(of: request) == full && store.picture(of: request) == full)
        store.remove(full)
        #expect(store.picture(of: request) == small)
        store.remove(small)
        #expect(store.picture(of: request) == nil && store.bytes == 0)
    }
}
