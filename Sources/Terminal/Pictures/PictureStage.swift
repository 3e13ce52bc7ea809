import ImageCore
import ScreenModel

/// Which pictures should be on the screen, which are, and what to do next about the difference. Pure: it neither encodes nor sends.
struct PictureStage {
    /// A picture that should be seen.
    struct Wanted {
        var slot: String
        var image: ImageKey
        var pixels: RGBImage
        var fit: PictureFit
        var isDraft: Bool
    }

    /// Something to send or to encode.
    struct Task {
        var slot: String
        var key: PictureEncoder.Key
        var cells: Rect
        var pixels: RGBImage
    }

    private struct Slot {
        var wanted: Wanted
        /// Since when it wants this picture, in milliseconds.
        var since: Double
        /// What is completely on the screen.
        var shown: PictureEncoder.Key?
        /// Some part of a picture is on the screen.
        var isOnScreen = false
        /// When to send the same once more.
        var repeatAt: Double?
    }

    /// On a slow link, after so long without a change, a picture is sent again with better colours.
    static let rest = 300.0
    /// tmux repaints lines after it has passed a picture on; then it must be sent again.
    static let repeatDelay = 150.0

    var medium: PictureMedium?
    /// Whether newly placed pictures are to be sent a second time.
    var repeatsNewPictures = false
    private var slots: [String: Slot] = [:]
    private var lastSent: String?
    private var failed: Set<PictureEncoder.Key> = []

    init(medium: PictureMedium? = nil) {
        self.medium = medium
    }

    /// Takes over the pictures of a new frame.
    /// - Returns: cells on which old pictures must be erased.
    mutating func place(_ pictures: [Wanted], now: Double) -> [Rect] {
        var erased: [Rect] = []
        var next: [String: Slot] = [:]
        for wanted in pictures {
            if var slot = slots.removeValue(forKey: wanted.slot) {
                if slot.wanted.fit != wanted.fit {
                    if slot.isOnScreen { erased.append(slot.wanted.fit.cells) }
                    slot = Slot(wanted: wanted, since: now)
                } else if slot.wanted.image != wanted.image || slot.wanted.isDraft != wanted.isDraft {
                    slot.wanted = wanted
                    slot.since = now
                }
                next[wanted.slot] = slot
            } else {
                next[wanted.slot] = Slot(wanted: wanted, since: now)
            }
        }
        for slot in slots.values where slot.isOnScreen { erased.append(slot.wanted.fit.cells) }
        slots = next
        // An erased rectangle may have taken a part of a picture that stays.
        for rect in erased { damage(rect) }
        if let lastSent, slots[lastSent] == nil { self.lastSent = nil }
        return erased
    }

    /// Pictures in these cells (all if nil) must be sent again.
    mutating func damage(_ rect: Rect? = nil) {
        for name in slots.keys where rect.map({ slots[name]?.wanted.fit.cells.intersects($0) ?? false }) ?? true {
            slots[name]?.shown = nil
        }
    }

    /// The screen was cleared: nothing is on it.
    mutating func forgetScreen() {
        for name in slots.keys {
            slots[name]?.shown = nil
            slots[name]?.isOnScreen = false
            slots[name]?.repeatAt = nil
        }
    }

    /// Cells under pictures that are at least partly on the screen.
    var coveredCells: [Rect] { slots.values.filter(\.isOnScreen).map(\.wanted.fit.cells) }
    /// Cells that belong to pictures, drawn or yet to be drawn.
    var reservedCells: [Rect] { slots.values.map(\.wanted.fit.cells) }

    /// The picture to send next, of those that are encoded.
    func nextToSend(now: Double, link: LinkRate, isEncoded: (PictureEncoder.Key) -> Bool) -> Task? {
        return best(now: now, link: link) { $0.first(where: isEncoded) }
    }

    /// The picture to encode next.
    func nextToEncode(now: Double, link: LinkRate, isEncoded: (PictureEncoder.Key) -> Bool) -> Task? {
        return best(now: now, link: link) { keys in
            guard let quickest = keys.last, !keys.contains(where: isEncoded), !failed.contains(quickest) else { return nil }
            return quickest
        }
    }

    /// A picture is about to be sent.
    mutating func willSend(_ task: Task, now: Double) {
        lastSent = task.slot
        guard var slot = slots[task.slot] else { return }
        if let again = slot.repeatAt, again <= now { slot.repeatAt = nil }
        if repeatsNewPictures, !slot.isOnScreen { slot.repeatAt = now + Self.repeatDelay }
        slot.isOnScreen = true
        slot.shown = nil
        slots[task.slot] = slot
    }

    /// A picture has been handed over completely.
    mutating func didSend(_ task: Task) {
        guard let slot = slots[task.slot], slot.wanted.fit.cells == task.cells else { return }
        slots[task.slot]?.shown = task.key
    }

    /// A picture that cannot be encoded is not tried again.
    mutating func didFail(_ key: PictureEncoder.Key) {
        failed.insert(key)
    }

    /// When something becomes due by itself.
    func deadline(link: LinkRate) -> Double? {
        var earliest = Double.infinity
        for slot in slots.values {
            if let again = slot.repeatAt { earliest = min(earliest, again) }
            if upgrade(slot, link: link) != nil { earliest = min(earliest, slot.since + Self.rest) }
        }
        return earliest.isFinite ? earliest : nil
    }

    /// Missing pictures before better ones, large ones before small ones; no slot twice in a row while another waits.
    private func best(
        now: Double, link: LinkRate, choose: ([PictureEncoder.Key]) -> PictureEncoder.Key?
    ) -> Task? {
        var missing: [Task] = []
        var upgrades: [Task] = []
        for (name, slot) in slots {
            func task(_ key: PictureEncoder.Key) -> Task {
                Task(slot: name, key: key, cells: slot.wanted.fit.cells, pixels: slot.wanted.pixels)
            }
            if let keys = needed(slot, now: now, link: link) {
                if let key = choose(keys) { missing.append(task(key)) }
            } else if let better = upgrade(slot, link: link), now >= slot.since + Self.rest, let key = choose([better]) {
                upgrades.append(task(key))
            }
        }
        let list = missing.isEmpty ? upgrades : missing
        func comesFirst(_ left: Task, _ right: Task) -> Bool {
            let (leftArea, rightArea) = (left.cells.columns * left.cells.rows, right.cells.columns * right.cells.rows)
            if leftArea != rightArea { return leftArea > rightArea }
            if left.cells.y != right.cells.y { return left.cells.y < right.cells.y }
            return left.cells.x < right.cells.x
        }
        let others = list.filter { $0.slot != lastSent }
        return (others.isEmpty ? list : others).min(by: comesFirst)
    }

    /// What could be sent for a slot whose picture is not on the screen, best looking first, quickest last; nil when it is.
    private func needed(_ slot: Slot, now: Double, link: LinkRate) -> [PictureEncoder.Key]? {
        guard let medium else { return nil }
        let mustRepeat = slot.repeatAt.map { $0 <= now } ?? false
        if !mustRepeat, let shown = slot.shown, shown.image == slot.wanted.image.rawValue, shown.medium == medium { return nil }
        let quickest = key(slot, firstEffort(slot, link: link))
        guard medium == .sixel, !slot.wanted.isDraft else { return [quickest] }
        let finest = key(slot, link.effort(pixels: area(slot), isDraft: false))
        return finest == quickest ? [quickest] : [finest, quickest]
    }

    /// The better form of a picture that is on the screen.
    private func upgrade(_ slot: Slot, link: LinkRate) -> PictureEncoder.Key? {
        guard medium == .sixel, !slot.wanted.isDraft, let shown = slot.shown, shown.image == slot.wanted.image.rawValue else {
            return nil
        }
        let goal = link.effort(pixels: area(slot), isDraft: false)
        guard goal > shown.effort else { return nil }
        let better = key(slot, goal)
        return failed.contains(better) ? nil : better
    }

    /// What a picture is sent as first: a finished one in its final form, where the link carries that about as fast as a draft.
    private func firstEffort(_ slot: Slot, link: LinkRate) -> PictureEffort {
        guard medium == .sixel else { return .full }
        let draft = link.effort(pixels: area(slot), isDraft: true)
        return !slot.wanted.isDraft && draft == .quick ? .full : draft
    }

    private func area(_ slot: Slot) -> Int { slot.wanted.fit.pixels.width * slot.wanted.fit.pixels.height }

    private func key(_ slot: Slot, _ effort: PictureEffort) -> PictureEncoder.Key {
        PictureEncoder.Key(
            image: slot.wanted.image.rawValue, pixels: slot.wanted.fit.pixels, medium: medium ?? .sixel, effort: effort)
    }
}
