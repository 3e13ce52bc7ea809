import EngineAPI
import ImageCore
import ScreenModel

/// The pictures that the explorer holds, named by keys. Beyond a budget the ones that were not used for longest go first.
struct PictureStore: Sendable {
    private struct Entry: Sendable {
        var image: RGBImage
        var request: RenderRequest?
        /// Whether it is smaller than what the request asks for.
        var isSmall = false
        var lastUse: UInt64
    }

    private var entries: [ImageKey: Entry] = [:]
    private var finished: [RenderRequest: ImageKey] = [:]
    private var small: [RenderRequest: ImageKey] = [:]
    private var nextKey: UInt64 = 1
    private var clock: UInt64 = 0
    private(set) var bytes = 0
    let budget: Int

    /// - Parameter budget: bytes of pixels to keep.
    init(budget: Int = 96 << 20) {
        self.budget = budget
    }

    var count: Int { entries.count }

    func image(_ key: ImageKey) -> RGBImage? { entries[key]?.image }

    func contains(_ key: ImageKey) -> Bool { entries[key] != nil }

    /// A finished picture of a request, the full one if it is here and else a small one.
    func picture(of request: RenderRequest) -> ImageKey? { finished[request] ?? small[request] }

    /// The finished picture of a request in full size, if it is still here.
    func finishedPicture(of request: RenderRequest) -> ImageKey? { finished[request] }

    /// Takes a picture in. Equal requests have equal pictures: what is here already stays under its name, for somebody may be looking at it.
    /// - Parameters:
    ///   - image: the pixels.
    ///   - request: what it is the finished picture of; nil for drafts.
    ///   - isSmall: whether it was made smaller for a gallery: it stands in for the full one nowhere else.
    /// - Returns: its name.
    mutating func add(_ image: RGBImage, finishedFor request: RenderRequest? = nil, isSmall: Bool = false) -> ImageKey {
        if let request, let old = isSmall ? small[request] : finished[request], let known = entries[old]?.image {
            if (known.width, known.height) == (image.width, image.height) {
                touch(old)
                return old
            }
            remove(old)
        }
        let key = ImageKey(nextKey)
        nextKey += 1
        clock += 1
        entries[key] = Entry(image: image, request: request, isSmall: isSmall, lastUse: clock)
        bytes += image.pixels.count
        if let request {
            if isSmall { small[request] = key } else { finished[request] = key }
        }
        return key
    }

    /// Marks a picture as used now.
    mutating func touch(_ key: ImageKey) {
        clock += 1
        entries[key]?.lastUse = clock
    }

    mutating func remove(_ key: ImageKey) {
        guard let entry = entries.removeValue(forKey: key) else { return }
        bytes -= entry.image.pixels.count
        guard let request = entry.request else { return }
        if finished[request] == key { finished[request] = nil }
        if small[request] == key { small[request] = nil }
    }

    /// Drops a draft; a finished picture stays for a return to it.
    mutating func removeDraft(_ key: ImageKey) {
        if let entry = entries[key], entry.request == nil { remove(key) }
    }

    /// Falls back to three quarters of the budget once it is exceeded.
    /// - Parameter kept: pictures that are on the screen.
    mutating func trim(keeping kept: Set<ImageKey>) {
        guard bytes > budget else { return }
        for (key, _) in entries.sorted(by: { $0.value.lastUse < $1.value.lastUse }) where !kept.contains(key) {
            if bytes <= budget / 4 * 3 { break }
            remove(key)
        }
    }
}
