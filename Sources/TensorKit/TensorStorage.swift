import Foundation
import Synchronization

/// Memory of a tensor: floats on a 64-byte boundary. Blocks of freed tensors are kept and handed out again, so that repeated work of
/// the same shapes neither asks the system for memory nor meets fresh pages.
public final class TensorStorage {
    /// Number of floats.
    public let count: Int
    let base: UnsafeMutablePointer<Float>
    private let release: () -> Void

    init(count: Int) {
        self.count = count
        let block = StorageAllocator.shared.take(bytes: max(64, count * 4))
        base = block.address.bindMemory(to: Float.self, capacity: max(1, count))
        release = { StorageAllocator.shared.give(block) }
    }

    /// Memory of exactly this size that goes back to the system when the tensor is gone, instead of waiting for another one: for what is used
    /// once, and for what stays.
    init(apart count: Int) {
        self.count = count
        let block = StorageBlock(bytes: max(64, count * 4))
        base = block.address.bindMemory(to: Float.self, capacity: max(1, count))
        release = { block.deallocate() }
    }

    /// Memory that belongs to something else (a mapped file).
    /// - Parameters:
    ///   - base: the first float; readable, and writable if a tensor over it is ever written, until `release` is called.
    ///   - count: number of floats.
    ///   - release: called once when the last tensor over the memory is gone.
    public init(external base: UnsafeMutablePointer<Float>, count: Int, release: @escaping () -> Void) {
        self.count = count
        self.base = base
        self.release = release
    }

    deinit { release() }
}

/// A block of memory and where it came from.
struct StorageBlock: @unchecked Sendable {  // plain memory; whoever holds the block owns it
    let address: UnsafeMutableRawPointer
    let bytes: Int
    /// Cut from the allocator's arena.
    let isFromArena: Bool

    /// What the system gave for a large block, to be given back to it whole.
    private let mapping: UnsafeMutableRawBufferPointer?

    /// From this size on a block is pages of its own, which are with the system again as soon as it is given back; a heap would keep them for
    /// blocks that may never come.
    private static let pagesSize = 1 << 20

    /// Asks the system. Large blocks ask for huge pages: fewer faults at first use, fewer misses of the address translation later.
    init(bytes: Int) {
        self.bytes = bytes
        isFromArena = false
        let isLarge = bytes >= 4 << 20
        if bytes >= Self.pagesSize {
            let huge = 2 << 20
            let length = bytes + (isLarge ? huge : 0)
            let base = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | Int32(MAP_ANONYMOUS), -1, 0)
            if let base, base != MAP_FAILED {
                mapping = UnsafeMutableRawBufferPointer(start: base, count: length)
                address = isLarge ? base.alignedUp(toMultipleOf: huge) : base
                #if os(Linux)
                    if isLarge { madvise(address, bytes, MADV_HUGEPAGE) }
                #endif
                return
            }
        }
        mapping = nil
        address = .allocate(byteCount: bytes, alignment: 64)
    }

    /// Gives the block back. Not for blocks of the arena.
    func deallocate() {
        if let mapping { munmap(mapping.baseAddress, mapping.count) } else { address.deallocate() }
    }

    /// A block of the arena.
    init(arena address: UnsafeMutableRawPointer, bytes: Int) {
        self.address = address
        self.bytes = bytes
        isFromArena = true
        mapping = nil
    }
}

/// Keeps freed blocks, up to a limit: small ones by size class, large ones in an arena.
public final class StorageAllocator: Sendable {
    public static let shared = StorageAllocator()

    private struct State: @unchecked Sendable {  // reached under the lock only
        var free: [Int: [StorageBlock]] = [:]
        var arena = StorageArena(capacity: 2 * Int(ProcessInfo.processInfo.physicalMemory))
        var smallBytes = 0
        var limit = 1 << 30
        var systemRequests = 0
        var largeBytes = 0
        var peak = (use: 0, hold: 0)

        var keptBytes: Int { smallBytes + (arena?.keptBytes ?? 0) }
    }
    private let state = Mutex(State())

    init() {}

    /// Bytes of freed blocks that are kept for reuse at most; 1 GiB at first.
    public var limit: Int {
        get { state.withLock { $0.limit } }
        set {
            state.withLock { $0.limit = newValue }
            if newValue < keptBytes { releaseAll() }
        }
    }

    /// Bytes of freed blocks kept now.
    public var keptBytes: Int { state.withLock { $0.keptBytes } }

    /// How often the system was asked for memory since the start; constant while work repeats.
    public var systemRequests: Int { state.withLock { $0.systemRequests } }

    /// Of large blocks, the most bytes that were in use at once, and the most that were held for them.
    public var peak: (use: Int, hold: Int) { state.withLock { $0.peak } }

    /// Gives all kept blocks back to the system.
    public func releaseAll() {
        let blocks = state.withLock { state in
            defer {
                state.free = [:]
                state.smallBytes = 0
            }
            state.arena?.releaseAll()
            return state.free.values.flatMap { $0 }
        }
        for block in blocks { block.deallocate() }
    }

    /// The size class of a small request: a power of two or one of three steps between two of them, so at most a fifth is wasted.
    static func sizeClass(_ bytes: Int) -> Int {
        if bytes <= 256 { return 256 }
        let step = 1 << max(6, Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount - 2)
        return (bytes + step - 1) / step * step
    }

    private static let largeSize = 1 << 20

    func take(bytes: Int) -> StorageBlock {
        let isLarge = bytes > Self.largeSize
        let size = isLarge ? StorageArena.rounded(bytes) : Self.sizeClass(bytes)
        let kept = state.withLock { state -> StorageBlock? in
            if isLarge, let found = state.arena?.take(size) {
                if found.isNew { state.systemRequests += 1 }
                state.largeBytes += size
                state.peak = (max(state.peak.use, state.largeBytes), max(state.peak.hold, state.arena?.top ?? 0))
                return StorageBlock(arena: found.address, bytes: size)
            }
            if !isLarge, let block = state.free[size]?.popLast() {
                state.smallBytes -= size
                return block
            }
            state.systemRequests += 1
            return nil
        }
        return kept ?? StorageBlock(bytes: size)
    }

    func give(_ block: StorageBlock) {
        let kept = state.withLock { state -> Bool in
            let fits = state.keptBytes + block.bytes <= state.limit
            if block.isFromArena {
                state.largeBytes -= block.bytes
                state.arena?.give(block.address, block.bytes, keeps: fits)
                return true
            }
            guard fits, block.bytes <= Self.largeSize else { return false }
            state.free[block.bytes, default: []].append(block)
            state.smallBytes += block.bytes
            return true
        }
        if !kept { block.deallocate() }
    }
}
