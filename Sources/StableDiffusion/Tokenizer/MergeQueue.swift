/// Merges that a word offers, the one to be applied first in front: a binary heap, so that very long words take no quadratic time.
struct MergeQueue {
    /// Two neighbours that may become one.
    struct Candidate: Equatable {
        let rank: Int
        /// Of the left neighbour.
        let index: Int
        /// What they become.
        let id: Int

        fileprivate func precedes(_ other: Candidate) -> Bool { (rank, index) < (other.rank, other.index) }
    }

    /// Each at or before the two at twice its place.
    private var items: [Candidate] = []

    mutating func insert(_ candidate: Candidate?) {
        guard let candidate else { return }
        items.append(candidate)
        var child = items.count - 1
        while child > 0, items[child].precedes(items[(child - 1) / 2]) {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() -> Candidate? {
        guard let first = items.first, let last = items.popLast() else { return nil }
        guard !items.isEmpty else { return first }
        items[0] = last
        var parent = 0
        while 2 * parent + 1 < items.count {
            let (left, right) = (2 * parent + 1, 2 * parent + 2)
            let least = right < items.count && items[right].precedes(items[left]) ? right : left
            guard items[least].precedes(items[parent]) else { break }
            items.swapAt(least, parent)
            parent = least
        }
        return first
    }
}
