import EngineAPI
import ImageCore
import Library
import Testing

@Suite struct FavouriteTests {
    @Test func everythingOfAFavouriteSurvives() throws {
        let folder = try TemporaryFolder()
        let png = try RGBImage(width: 64, height: 64, filledWith: (9, 8, 7)).pngData()
        let place = state(
            "a07 +1.25", code: [.infinity, -0.0, .leastNonzeroMagnitude, 1.1], seed: .max, prompt: "Zoë, 'quoted' \"σ\"; --")
        var kept: Favourite?
        do {
            let library = try Library(path: folder.library, clock: { 1234.5 })
            #expect(library.isKept && library.notices.isEmpty)
            kept =
                library.perform(
                    .save(
                        name: "  Zoë ", tags: ["glasses", " ", "young", "glasses"], state: place,
                        lineage: ["p00042", "a07 +1.25"], thumbnail: png)
                ).saved
        }
        let favourite = try #require(kept)
        #expect(favourite.name == "Zoë" && favourite.tags == ["glasses", "young"])
        #expect(favourite.state == place && favourite.thumbnail == png && favourite.created == 1234.5)
        #expect(favourite.lineage == ["p00042", "a07 +1.25"])
        #expect(try Library(path: folder.library).favourites == [favourite])
    }

    @Test func newestComeFirstAndEachChangeAnswersWithTheList() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library, clock: { 5 })
        let first = try #require(library.save("one"))
        let second = try #require(library.save("two"))
        #expect(library.favourites.map(\.name) == ["two", "one"])
        #expect(library.perform(.rename(first.id, name: "uno", tags: ["x"])).favourites.map(\.name) == ["two", "uno"])
        #expect(library.favourites[1].tags == ["x"])
        #expect(library.perform(.delete(second.id)).favourites.map(\.name) == ["uno"])
        #expect(library.perform(.restore(second.id)).favourites == [second, library.favourites[1]])
        let png = try RGBImage(width: 1, height: 1).pngData()
        #expect(library.perform(.setThumbnail(first.id, png: png)).favourites[1].thumbnail == png)
    }

    @Test func largeThumbnailsAreMadeSmall() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library)
        let png = try RGBImage(width: 600, height: 300, filledWith: (200, 0, 0)).pngData()
        let events = library.perform(.save(name: "a", tags: [], state: state("a"), lineage: [], thumbnail: png))
        let small = try RGBImage(pngData: #require(events.saved?.thumbnail))
        #expect(small == RGBImage(width: 128, height: 64, filledWith: (200, 0, 0)))
    }

    @Test func whatCannotBeDoneIsSaid() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library)
        #expect(
            library.perform(.rename(7, name: "x", tags: [])).failures == ["there is no favourite number 7 in \(folder.library)"])
        #expect(library.perform(.delete(7)).failures.count == 1)
        let favourite = try #require(library.save("a"))
        #expect(library.perform(.rename(favourite.id, name: " \n\u{7}", tags: [])).failures == ["a favourite needs a name"])
        #expect(library.perform(.setThumbnail(favourite.id, png: [1, 2, 3])).failures == ["the thumbnail is not a PNG file"])
        let events = library.perform(.save(name: "b", tags: [], state: state("b"), lineage: [], thumbnail: [1]))
        #expect(events.saved?.name == "b" && events.notices == ["kept without its picture: the thumbnail is not a PNG file"])
        #expect(library.perform(.save(name: "", tags: [], state: state("b"), lineage: [], thumbnail: nil)).failures.count == 1)
        #expect(library.favourites.map(\.name) == ["b", "a"])
    }
}
