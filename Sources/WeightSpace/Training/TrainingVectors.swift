import Checkpoints
import Foundation
import TensorKit

/// The LoRA vectors of a run, scaled for the network as they are asked for.
protocol TrainingVectors: AnyObject {
    /// How many identities there are.
    var count: Int { get }
    /// n
    var length: Int { get }
    /// How raw vectors become scaled ones.
    var scaling: DataScaling { get }
    /// Scaled vectors of identities, [rows.count, n].
    /// - Throws: `SpaceError` when they cannot be trained on, and what `progress` throws.
    func scaled(_ rows: [Int], progress: ProgressHandler) throws -> Tensor
    /// Makes the batch of a step ready.
    /// - Throws: `SpaceError` when its vectors cannot be trained on.
    func prepare(step: Int, size: Int) throws
    /// Two scaled vectors that a row of the batch is made of; they stay where they are until the next call.
    /// - Parameters:
    ///   - row: of the batch.
    ///   - random: the run's stream.
    /// - Returns: n numbers each.
    func pair(_ row: Int, random: TorchRandomSource) -> (first: UnsafePointer<Float>, second: UnsafePointer<Float>)
    /// Tells one data set from another.
    var digest: String { get }
}

extension TrainingVectors {
    func scaled(_ rows: [Int]) throws -> Tensor { try scaled(rows) { _, _, _ in } }
}

/// Vectors that lie in memory.
final class ResidentVectors: TrainingVectors {
    let count, length: Int
    let scaling: DataScaling
    /// All identities, [N, n], and those trained on.
    private let all, training: Tensor

    init(_ vectors: Tensor, split: DataSplit) {
        (count, length) = (vectors.shape[0], vectors.shape[1])
        scaling = DataScaling.centred(on: vectors.gathering(split.train))
        all = scaling.scaled(vectors)
        training = all.gathering(split.train)
    }

    func scaled(_ rows: [Int], progress: ProgressHandler) -> Tensor { all.gathering(rows) }

    func scaled(_ rows: [Int]) -> Tensor { all.gathering(rows) }

    func prepare(step: Int, size: Int) {}

    func pair(_ row: Int, random: TorchRandomSource) -> (first: UnsafePointer<Float>, second: UnsafePointer<Float>) {
        let draw = { [self] in UnsafePointer(training.pointer + random.integer(below: training.shape[0]) * length) }
        let first = draw()
        return (first, draw())
    }

    lazy var digest = SHA256.hexDigest(of: UnsafeRawBufferPointer(start: all.pointer, count: all.count * 4))
}

/// Vectors that stay in their mapped file and are read in windows: the file is cut into blocks, the blocks come in a new order each epoch, some
/// of them make a window, and the rows of a window are drawn in a random order without repetition. Which rows make a batch depends on the seed and
/// the step alone. Pages of the file are given back as soon as they were read, so that memory holds one window and nothing else; half-precision
/// numbers stay what they are in it.
final class StreamedVectors: TrainingVectors {
    let count, length: Int
    let scaling: DataScaling
    private let entry: TensorEntry
    private let seed: UInt64
    /// Rows that are trained on, cut into blocks of neighbours.
    private let blocks: [[Int]]
    private let blocksInWindow: Int
    private struct Window {
        let epoch, number: Int
        /// Scaled rows, or half-precision rows as in the file, two numbers in each float's place.
        let rows: Tensor
        let order: [Int]
    }
    private var current: Window?
    /// Whether windows hold half-precision numbers.
    private let isHalf: Bool
    /// The two vectors of a pair, widened, [2, n]; without rows where a window is wide already.
    private let widened: Tensor
    /// Where the batch begins in the window.
    private var start = 0

    /// Rows in a block: enough that reading one is a long stretch of the file.
    private static let blockRows = 64

    /// - Parameters:
    ///   - entry: [N, n] of float16 or float32 in a mapped file.
    ///   - split: which rows are trained on.
    ///   - windowBytes: memory of a window at most; at least one block is held.
    ///   - seed: of the order.
    ///   - progress: is told about the first look at the file.
    /// - Throws: `SpaceError` when a number of the rows that are looked at is not finite, and what `progress` throws.
    init(
        _ entry: TensorEntry, split: DataSplit, windowBytes: Int, seed: UInt64, progress: ProgressHandler = { _, _, _ in }
    ) throws {
        self.entry = entry
        self.seed = seed
        (count, length) = (entry.shape[0], entry.shape[1])
        isHalf = entry.elementType == .float16 && entry.isContiguous
        widened = Tensor(uninitialized: [isHalf ? 2 : 0, length])
        let sorted = split.train.sorted()
        blocks = stride(from: 0, to: sorted.count, by: Self.blockRows).map {
            Array(sorted[$0..<min(sorted.count, $0 + Self.blockRows)])
        }
        blocksInWindow = max(1, min(blocks.count, windowBytes / (Self.blockRows * length * 4)))
        entry.expectScatteredRows()
        scaling = DataScaling.centred(on: try Self.read(entry, Self.spread(sorted, 1024), progress))
    }

    /// Rows in a window.
    var windowRows: Int { blocksInWindow * Self.blockRows }

    /// At most `count` of the rows, evenly spread.
    static func spread(_ rows: [Int], _ count: Int) -> [Int] {
        let kept = min(count, rows.count)
        return (0..<kept).map { rows[$0 * rows.count / kept] }
    }

    func scaled(_ rows: [Int], progress: ProgressHandler) throws -> Tensor {
        let result = try Self.read(entry, rows, progress)
        scaling.scaleInPlace(result)
        return result
    }

    /// Rows as float32; their pages of the file are given back.
    private static func read(_ entry: TensorEntry, _ rows: [Int], _ progress: ProgressHandler) throws -> Tensor {
        let length = entry.shape[1]
        let result = Tensor(uninitialized: [rows.count, length])
        for (target, row) in rows.enumerated() {
            fetch(entry, rows, after: target)
            entry.read(row: row, columns: 0..<length, into: result.pointer + target * length)
            if target % blockRows == blockRows - 1 {
                entry.release(rows: 0..<entry.shape[0])
                try progress("reading vectors", target + 1, rows.count)
            }
        }
        entry.release(rows: 0..<entry.shape[0])
        guard Kernels.sumOfSquares(result).isFinite else { throw notFinite(entry) }
        return result
    }

    private static func notFinite(_ entry: TensorEntry) -> SpaceError {
        SpaceError("\(entry.path): \(entry.name) holds numbers that are not finite", advice: "Leave the damaged identities out.")
    }

    /// Asks for the rows that come next, so that the disk works while the ones before are taken.
    private static func fetch(_ entry: TensorEntry, _ rows: [Int], after place: Int) {
        let ahead = 16
        let next = place == 0 ? 0..<min(ahead, rows.count) : min(rows.count, place + ahead - 1)..<min(rows.count, place + ahead)
        for row in rows[next] { entry.fetch(rows: row..<(row + 1)) }
    }

    /// Half-precision rows as they stand in the file; their pages are given back.
    private func halves(_ rows: [Int]) throws -> Tensor {
        let result = Tensor(uninitialized: [(rows.count * length + 1) / 2])
        let bits = UnsafeMutableRawPointer(result.pointer).bindMemory(to: UInt16.self, capacity: rows.count * length)
        for (target, row) in rows.enumerated() {
            Self.fetch(entry, rows, after: target)
            entry.copyBytes(row: row, to: bits + target * length)
        }
        entry.release(rows: 0..<entry.shape[0])
        // All ones in the exponent: infinite or not a number.
        var isFinite = true
        for i in 0..<(rows.count * length) where bits[i] & 0x7C00 == 0x7C00 { isFinite = false }
        guard isFinite else { throw Self.notFinite(entry) }
        return result
    }

    func prepare(step: Int, size: Int) throws {
        let perWindow = max(1, windowRows / size)
        let windows = max(1, blocks.count / blocksInWindow)
        let (epoch, within) = (step / (perWindow * windows), step % (perWindow * windows))
        current = try loaded(epoch: epoch, number: within / perWindow)
        start = within % perWindow * size
    }

    func pair(_ row: Int, random: TorchRandomSource) -> (first: UnsafePointer<Float>, second: UnsafePointer<Float>) {
        guard let current else { preconditionFailure("a row of a batch that was not prepared") }
        let places = [start + row, random.integer(below: current.order.count)].map { current.order[$0 % current.order.count] }
        guard isHalf else {
            let pointer = { [self] in UnsafePointer(current.rows.pointer + $0 * length) }
            return (pointer(places[0]), pointer(places[1]))
        }
        for (index, place) in places.enumerated() {
            HalfFloats.widen(
                UnsafeRawPointer(current.rows.pointer) + place * length * 2, count: length, into: widened.pointer + index * length
            )
        }
        scaling.scaleInPlace(widened)
        return (UnsafePointer(widened.pointer), UnsafePointer(widened.pointer + length))
    }

    private func loaded(epoch: Int, number: Int) throws -> Window {
        if let current, current.epoch == epoch, current.number == number { return current }
        current = nil  // its memory is used again
        let order = TorchRandomSource(seed: seed &+ UInt64(epoch) &* 0x9E37_79B9).permutation(blocks.count)
        let chosen = order[(number * blocksInWindow)..<min(order.count, (number + 1) * blocksInWindow)]
        let numbers = chosen.flatMap { blocks[$0] }
        let rows = try isHalf ? halves(numbers) : scaled(numbers)
        let mixed = TorchRandomSource(seed: seed &+ UInt64(epoch) &* 0x9E37_79B9 &+ UInt64(number) &+ 1).permutation(
            numbers.count)
        return Window(epoch: epoch, number: number, rows: rows, order: mixed)
    }

    /// Of the shape and of some rows: the whole of a large file would take minutes.
    lazy var digest: String = {
        guard let some = try? scaled(Self.spread(Array(0..<count), 32)) else { return "" }
        let numbers = SHA256.hexDigest(of: UnsafeRawBufferPointer(start: some.pointer, count: some.count * 4))
        return SHA256.hexDigest(ofText: "\(entry.shape) \(entry.elementType.rawValue) \(numbers)")
    }()
}
