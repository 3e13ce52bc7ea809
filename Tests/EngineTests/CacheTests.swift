import EngineAPI
import Foundation
import ImageCore
import Testing

@testable import Engine

/// What is kept in memory and on disk.
@Suite struct CacheTests {
    /// A folder of its own that is gone afterwards.
    final class Folder {
        let path = NSTemporaryDirectory() + "w2w-cache-\(UUID().uuidString)"
        deinit { try? FileManager.default.removeItem(atPath: path) }

        var files: [String] {
            (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []).filter { $0.hasSuffix(".png") }
        }
    }

    static func key(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 64 - digits.count) + digits
    }

    static func picture(_ seed: UInt8, side: Int = 16) -> RGBImage {
        RGBImage(width: side, height: side, pixels: (0..<(side * side * 3)).map { UInt8(truncatingIfNeeded: $0 * 7) &+ seed })
    }

    @Test func theOldestIsForgottenFirst() {
        var cache = LeastRecentlyUsed<String, Int>(limit: 10)
        cache.insert(1, for: "a", weight: 4)
        cache.insert(2, for: "b", weight: 4)
        #expect(cache.value(for: "a") == 1)
        cache.insert(3, for: "c", weight: 4)
        #expect(cache.value(for: "b") == nil)
        #expect(cache.value(for: "a") == 1)
        #expect(cache.value(for: "c") == 3)
        #expect(cache.weight == 8)
        cache.insert(4, for: "a", weight: 2)
        #expect(cache.value(for: "a") == 4)
        #expect(cache.weight == 6)
        cache.insert(5, for: "huge", weight: 11)
        #expect(cache.value(for: "huge") == nil)
        #expect(cache.count == 2)
    }

    @Test func aKeptPictureComesBackToThePixel() {
        let folder = Folder()
        let cache = ThumbnailCache(directory: folder.path)
        #expect(cache.image(for: Self.key(1)) == nil)
        cache.insert(Self.picture(9), for: Self.key(1))
        #expect(cache.image(for: Self.key(1)) == Self.picture(9))
        // Another run of the program.
        #expect(ThumbnailCache(directory: folder.path).image(for: Self.key(1)) == Self.picture(9))
        #expect(folder.files.count == 1)
    }

    @Test(arguments: ["", "not a picture", "\u{89}PNG\r\n\u{1a}\n"])
    func aDamagedFileCountsAsMissing(contents: String) throws {
        let folder = Folder()
        let cache = ThumbnailCache(directory: folder.path)
        cache.insert(Self.picture(9), for: Self.key(1))
        let file = try #require(folder.files.first)
        try Data(contents.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/\(file)"))
        #expect(cache.image(for: Self.key(1)) == nil)
        cache.insert(Self.picture(8), for: Self.key(1))
        #expect(cache.image(for: Self.key(1)) == Self.picture(8))
    }

    @Test func aTruncatedFileCountsAsMissing() throws {
        let folder = Folder()
        let cache = ThumbnailCache(directory: folder.path)
        cache.insert(Self.picture(9), for: Self.key(1))
        let url = URL(fileURLWithPath: "\(folder.path)/\(try #require(folder.files.first))")
        try Data(contentsOf: url).dropLast(20).write(to: url)
        #expect(cache.image(for: Self.key(1)) == nil)
    }

    @Test func theFolderStaysWithinItsBound() throws {
        let folder = Folder()
        let one = try Self.picture(0, side: 64).pngData(fast: true).count
        let cache = ThumbnailCache(directory: folder.path, limit: one * 5)
        for number in 0..<40 { cache.insert(Self.picture(UInt8(number), side: 64), for: Self.key(number)) }
        #expect(folder.files.count <= 6)
        #expect(folder.files.count >= 3)
    }

    @Test func aFolderThatCannotBeWrittenIsNoError() {
        let cache = ThumbnailCache(directory: "/proc/no-such-folder")
        cache.insert(Self.picture(1), for: Self.key(1))
        #expect(cache.image(for: Self.key(1)) == nil)
    }

    @Test func everythingThatDecidesAPictureIsPartOfItsKey() {
        let settings = JobTableTests.settings
        let code = WeightCode([0.5, -1])
        let plain = RenderRequest(subject: .code(code), settings: settings)
        var requests = [plain]
        requests.append(RenderRequest(subject: .base, settings: settings))
        requests.append(RenderRequest(subject: .identity("p"), settings: settings))
        requests.append(RenderRequest(subject: .identity("q"), settings: settings))
        requests.append(RenderRequest(subject: .code(WeightCode([0.5, 1])), settings: settings))
        let changes: [(inout GenerationSettings) -> Void] = [
            { $0.prompt = "x" }, { $0.negativePrompt = "x" }, { $0.seed = 1 }, { $0.steps = 2 }, { $0.guidance = 2 },
            { $0.scheduler = .dpmpp2m }, { $0.width = 16 }, { $0.height = 16 },
        ]
        for change in changes {
            var request = plain
            change(&request.settings)
            requests.append(request)
        }
        var keys = Set(requests.map { RequestKey.digest(of: $0, fingerprint: "a") })
        #expect(keys.count == requests.count)
        keys.insert(RequestKey.digest(of: plain, fingerprint: "b"))
        #expect(keys.count == requests.count + 1)
        #expect(RequestKey.digest(of: plain, fingerprint: "a") == RequestKey.digest(of: plain, fingerprint: "a"))
    }

    @Test func theEstimateLeavesOutWhatCameFromTheCache() {
        var estimator = ProgressEstimator(activity: "drawing", total: 10)
        #expect(estimator.progress.secondsLeft == nil)
        estimator.add(units: 4, seconds: 0, counts: false)
        #expect(estimator.progress.secondsLeft == nil)
        estimator.add(units: 2, seconds: 3)
        #expect(estimator.progress.done == 6)
        #expect(estimator.progress.secondsLeft == 6)
    }

    @Test func theEstimateCountsWhatIsInHand() {
        var estimator = ProgressEstimator(activity: "walking", total: 9)
        estimator.add(units: 0, seconds: 2)
        #expect(estimator.progress.secondsLeft == nil)
        // A tenth of two pictures in two seconds.
        #expect(abs((estimator.progress(inHand: 0.2).secondsLeft ?? 0) - 88) < 1e-9)
        #expect(estimator.progress(inHand: 0.2).done == 0)
    }
}
