import Dispatch
import Foundation
import Synchronization

/// Splits loops over the processor's cores. The parts run on the OpenMP pool that oneDNN uses anyway, so that a network's own loops and
/// its products wake the same threads; without OpenMP they run through `DispatchQueue.concurrentPerform`.
///
/// The split depends on the sizes and the number of threads alone, so sums come out the same each time; `share` leaves open who does an item, not
/// what becomes of it.
public enum Parallel {
    /// Number of threads that a loop is split over.
    public static let threads: Int = {
        if let count = openMP?.maxThreads() { return max(1, Int(count)) }
        return ProcessInfo.processInfo.activeProcessorCount
    }()

    /// Calls `body` once for each of `0..<parts`, on several threads.
    public static func run(_ parts: Int, _ body: (Int) -> Void) {
        if parts <= 1 || threads == 1 || slot != 0 {
            for part in 0..<max(0, parts) { body(part) }
            return
        }
        guard let openMP else {
            withoutActuallyEscaping(body) { body in
                let job = Job(parts: parts, body: body)
                DispatchQueue.concurrentPerform(iterations: parts) { job.body($0) }
            }
            return
        }
        withoutActuallyEscaping(body) { body in
            var job = Job(parts: parts, body: body)
            withUnsafeMutablePointer(to: &job) {
                openMP.parallel(runJob, UnsafeMutableRawPointer($0), UInt32(min(parts, threads)), 0)
            }
        }
    }

    /// Calls `body` once for each of `0..<count` (at most `threads`), each on a thread of its own with all its kernels: what they would split
    /// runs in one piece there. For the samples of a batch, whose ways through a network never meet: one wake-up of the threads for the whole
    /// network instead of one for each layer, and nobody waits for a neighbour that the system has put aside.
    ///
    /// Layers may be shared between lanes as long as no tape records; tensors may be shared for reading.
    public static func lanes(_ count: Int, _ body: (_ lane: Int) -> Void) {
        require(count <= threads, "\(count) lanes for \(threads) threads")
        if count == 1 || openMP == nil {
            for lane in 0..<count { body(lane) }
        } else {
            run(count, body)
        }
    }

    /// A function of a batch whose samples do not meet, in lanes.
    /// - Parameters:
    ///   - batch: [N, ...]
    ///   - body: from some samples [n, ...] to their results [n, ...].
    /// - Returns: the results in the order of the samples.
    public static func inLanes(_ batch: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
        let samples = batch.shape.first ?? 0
        let count = min(samples, threads)
        if count <= 1 { return body(batch) }
        var parts = [Tensor?](repeating: nil, count: count)
        parts.withUnsafeMutableBufferPointer { parts in
            let parts = parts
            lanes(count) { parts[$0] = body(batch.rows(samples * $0 / count..<samples * ($0 + 1) / count)) }
        }
        let found = parts.compactMap { $0 }
        let result = Tensor(uninitialized: [samples] + found[0].shape.dropFirst())
        var target = result.pointer
        for part in found {
            target.update(from: part.pointer, count: part.count)
            target += part.count
        }
        return result
    }

    /// 0 outside of parallel work, else 1 and up by thread: what a layer keeps for running on this thread.
    static var slot: Int {
        guard let openMP, openMP.isInParallel() != 0 else { return 0 }
        return Int(openMP.threadNumber()) + 1
    }

    /// Number of different values of `slot`.
    static let slots = threads + 1

    /// Splits `0..<count` into one contiguous range for each thread, none shorter than `grain` (in units of the loop; choose it so that a
    /// range is worth some ten microseconds).
    public static func ranges(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
        let parts = min(threads, count / max(1, grain))
        if parts <= 1 {
            if count > 0 { body(0..<count) }
            return
        }
        run(parts) { body(count * $0 / parts..<count * ($0 + 1) / parts) }
    }

    /// Splits `0..<count` over `parts` threads so that nobody waits long for a neighbour that the system has put aside: each takes the items of a
    /// contiguous range of its own from the front, then what others have left of theirs from the back. What becomes of an item must not depend
    /// on who does it, nor on what was done before.
    /// - Parameters:
    ///   - count: of items, each worth some ten microseconds; below 2³².
    ///   - parts: at most so many calls of `body`.
    ///   - body: gets its number, below `parts`, and what gives it one item after the other, nil when none is left.
    public static func share(_ count: Int, parts: Int, _ body: (_ part: Int, _ next: () -> Int?) -> Void) {
        if parts <= 1 || threads == 1 || slot != 0 {
            var item = 0
            body(0) {
                defer { item += 1 }
                return item < count ? item : nil
            }
            return
        }
        let shares = Shares(count, parts: parts)
        run(parts) { part in body(part) { shares.next(part) } }
        shares.free()
    }

    /// What is left of each thread's items: the first in the lower half of a word, the end in the upper half.
    private struct Shares: @unchecked Sendable {
        /// Words of one thread lie on a line of its own.
        private static let apart = 8
        private let words: UnsafeMutablePointer<Atomic<UInt64>>
        private let parts: Int

        init(_ count: Int, parts: Int) {
            self.parts = parts
            words = .allocate(capacity: parts * Self.apart)
            for part in 0..<parts {
                let (first, end) = (count * part / parts, count * (part + 1) / parts)
                (words + part * Self.apart).initialize(to: Atomic(UInt64(first) | UInt64(end) << 32))
            }
        }

        func free() { words.deallocate() }

        func next(_ part: Int) -> Int? {
            if let item = take(part, fromFront: true) { return item }
            for other in 1..<parts {
                if let item = take((part + other) % parts, fromFront: false) { return item }
            }
            return nil
        }

        private func take(_ part: Int, fromFront: Bool) -> Int? {
            let word = words + part * Self.apart
            var known = word.pointee.load(ordering: .relaxed)
            while true {
                let (first, end) = (known & 0xFFFF_FFFF, known >> 32)
                guard first < end else { return nil }
                let (exchanged, found) = word.pointee.compareExchange(
                    expected: known, desired: fromFront ? known + 1 : known - (1 << 32), ordering: .relaxed)
                if exchanged { return Int(fromFront ? first : end - 1) }
                known = found
            }
        }
    }

    /// Sendable because the parts of a loop write to different places by the contract of `run`.
    private struct Job: @unchecked Sendable {
        let parts: Int
        let body: (Int) -> Void
    }

    /// The entry points of libgomp, which is in the process because oneDNN is linked to it.
    private struct OpenMP: Sendable {
        let parallel:
            @convention(c) (
                @convention(c) (UnsafeMutableRawPointer?) -> Void, UnsafeMutableRawPointer?, UInt32, UInt32
            ) -> Void
        let threadNumber: @convention(c) () -> Int32
        let threadCount: @convention(c) () -> Int32
        let maxThreads: @convention(c) () -> Int32
        let isInParallel: @convention(c) () -> Int32

        init?() {
            guard let parallel = dlsym(nil, "GOMP_parallel"), let number = dlsym(nil, "omp_get_thread_num"),
                let count = dlsym(nil, "omp_get_num_threads"), let maximum = dlsym(nil, "omp_get_max_threads"),
                let inParallel = dlsym(nil, "omp_in_parallel")
            else { return nil }
            self.parallel = unsafeBitCast(parallel, to: type(of: self.parallel))
            threadNumber = unsafeBitCast(number, to: type(of: threadNumber))
            threadCount = unsafeBitCast(count, to: type(of: threadCount))
            maxThreads = unsafeBitCast(maximum, to: type(of: maxThreads))
            isInParallel = unsafeBitCast(inParallel, to: type(of: isInParallel))
        }
    }

    private static let openMP = OpenMP()

    private static let runJob: @convention(c) (UnsafeMutableRawPointer?) -> Void = { raw in
        guard let job = raw?.assumingMemoryBound(to: Job.self), let openMP else { return }
        // A team may be smaller than asked for: every thread takes each `threadCount`-th part.
        let step = Int(openMP.threadCount())
        var part = Int(openMP.threadNumber())
        while part < job.pointee.parts {
            job.pointee.body(part)
            part += step
        }
    }
}
