import Foundation

/// One range of addresses from which large blocks are cut, and into which they are joined again when they are given back: tensors of different
/// sizes take turns on the same pages, so the whole takes little more than what is in use at once.
///
/// Addresses are reserved once; pages come in when they are first written.
struct StorageArena {
    /// A part that nobody uses.
    private struct Gap: Equatable {
        var offset: Int
        var bytes: Int
        /// Whether its pages are with the system.
        var isEmpty: Bool

        var end: Int { offset + bytes }
    }

    /// Blocks start at multiples of it.
    static let granularity = 1 << 16

    private let base: UnsafeMutableRawPointer
    private let capacity: Int
    /// In the order of their addresses, never two side by side.
    private var gaps: [Gap] = []
    /// Bytes from the start on that were ever handed out.
    private(set) var top = 0

    /// nil when the system does not reserve so many addresses.
    init?(capacity: Int) {
        let capacity = capacity / Self.granularity * Self.granularity
        guard capacity > 0,
            let base = mmap(
                nil, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | Int32(MAP_ANONYMOUS) | Int32(MAP_NORESERVE), -1, 0),
            base != MAP_FAILED
        else { return nil }
        self.base = base
        self.capacity = capacity
        #if os(Linux)
            // Fewer faults at first use, fewer misses of the address translation later.
            madvise(base, capacity, MADV_HUGEPAGE)
        #endif
    }

    /// Bytes of gaps whose pages are in memory.
    var keptBytes: Int { gaps.reduce(0) { $0 + ($1.isEmpty ? 0 : $1.bytes) } }

    static func rounded(_ bytes: Int) -> Int { (bytes + granularity - 1) / granularity * granularity }

    /// The smallest gap that fits, or new pages; nil when there are no addresses left.
    /// - Parameter bytes: a multiple of `granularity`.
    /// - Returns: the block, and whether it needed pages that nobody had used before.
    mutating func take(_ bytes: Int) -> (address: UnsafeMutableRawPointer, isNew: Bool)? {
        var best: Int?
        for index in gaps.indices where gaps[index].bytes >= bytes {
            if best.map({ gaps[index].bytes < gaps[$0].bytes }) ?? true { best = index }
        }
        if let best {
            let offset = gaps[best].offset
            let isNew = gaps[best].isEmpty
            if gaps[best].bytes == bytes {
                gaps.remove(at: best)
            } else {
                gaps[best].offset += bytes
                gaps[best].bytes -= bytes
            }
            return (base + offset, isNew)
        }
        // What is free at the end is grown.
        let start = gaps.last.flatMap { $0.end == top ? $0.offset : nil } ?? top
        guard start + bytes <= capacity else { return nil }
        if start < top { gaps.removeLast() }
        top = start + bytes
        return (base + start, true)
    }

    /// Takes a block back.
    /// - Parameters:
    ///   - address: what `take` returned.
    ///   - bytes: what it was asked for.
    ///   - keeps: whether the pages stay in memory for the next one.
    mutating func give(_ address: UnsafeMutableRawPointer, _ bytes: Int, keeps: Bool) {
        var gap = Gap(offset: address - base, bytes: bytes, isEmpty: false)
        if !keeps { empty(&gap) }
        var index = gaps.firstIndex { $0.offset > gap.offset } ?? gaps.count
        if index < gaps.count, gap.end == gaps[index].offset {
            gap.bytes += gaps[index].bytes
            gap.isEmpty = gap.isEmpty && gaps[index].isEmpty
            gaps.remove(at: index)
        }
        if index > 0, gaps[index - 1].end == gap.offset {
            index -= 1
            gap.isEmpty = gap.isEmpty && gaps[index].isEmpty
            gap = Gap(offset: gaps[index].offset, bytes: gaps[index].bytes + gap.bytes, isEmpty: gap.isEmpty)
            gaps.remove(at: index)
        }
        gaps.insert(gap, at: index)
    }

    /// Gives the pages of all gaps back to the system.
    mutating func releaseAll() {
        for index in gaps.indices where !gaps[index].isEmpty { empty(&gaps[index]) }
        if let last = gaps.last, last.end == top {
            top = last.offset
            gaps.removeLast()
        }
    }

    private func empty(_ gap: inout Gap) {
        madvise(base + gap.offset, gap.bytes, MADV_DONTNEED)
        gap.isEmpty = true
    }
}
