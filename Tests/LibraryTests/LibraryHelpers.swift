import EngineAPI
import Foundation
import ImageCore
import Library

/// A folder of its own that goes away with the test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/w2w-library-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var library: String { path + "/data/library.sqlite" }

    func bytes(_ file: String) throws -> [UInt8] { try WholeFile.read(file) }

    /// Files beside the library.
    var files: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path + "/data")) ?? []).sorted() }
}

func state(
    _ step: String, code: [Float] = [0.5, -1.25, 3], seed: UInt64 = 88, prompt: String = "photo of sks person",
    space: String = "abc"
) -> VisitedState {
    VisitedState(
        code: WeightCode(code),
        settings: GenerationSettings(
            prompt: prompt, negativePrompt: "blurry", seed: seed, steps: 12, guidance: 3.5, scheduler: .dpmpp2m, width: 128,
            height: 128),
        spaceFingerprint: space, spaceName: "built-in", step: step, origin: "p00042")
}

/// Whose rights this thread has on files: permissions do not bind root, but another user they do.
func becomeFileUser(_ user: UInt32) {
    // Not in Swift's Glibc module. It acts on the calling thread alone.
    typealias Function = @convention(c) (UInt32) -> Int32
    guard let symbol = dlsym(nil, "setfsuid") else { return }
    _ = unsafeBitCast(symbol, to: Function.self)(user)
}

extension Library {
    /// What the list answers.
    var favourites: [Favourite] { perform(.list).favourites }

    @discardableResult
    func save(_ name: String, tags: [String] = []) -> Favourite? {
        perform(.save(name: name, tags: tags, state: state(name), lineage: [], thumbnail: nil)).saved
    }

    func history(_ space: String = "abc", count: Int = 1000) -> [VisitedState] {
        for case .history(let states) in perform(.history(spaceFingerprint: space, count: count)) { return states }
        return []
    }
}

extension [LibraryEvent] {
    var saved: Favourite? {
        for case .saved(let favourite) in self { return favourite }
        return nil
    }

    var favourites: [Favourite] {
        for case .favourites(let list) in self { return list }
        return []
    }

    var failures: [String] {
        compactMap { event in
            if case .failed(let text) = event { text } else { nil }
        }
    }

    var notices: [String] {
        compactMap { event in
            if case .notice(let text) = event { text } else { nil }
        }
    }
}
