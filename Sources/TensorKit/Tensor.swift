/// Memory of a tensor: floats on a 64-byte boundary.
public final class TensorStorage {
    /// Number of floats.
    public let count: Int
    let base: UnsafeMutablePointer<Float>
    private let release: () -> Void

    init(count: Int) {
        self.count = count
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(64, count * 4), alignment: 64)
        base = raw.bindMemory(to: Float.self, capacity: max(1, count))
        release = { raw.deallocate() }
    }

    deinit { release() }
}

/// A dense row-major array of float32. Activations of images are channels-last, [N, H, W, C]; of tokens [N, T, C].
///
/// A tensor is a reference: `reshaped` and `rows` share its memory. It is not `Sendable`; one queue owns all of a model's tensors.
public final class Tensor {
    public let shape: [Int]
    public let storage: TensorStorage
    private let offset: Int

    /// A tensor whose elements are not yet set.
    public init(uninitialized shape: [Int]) {
        self.shape = shape
        storage = TensorStorage(count: shape.reduce(1, *))
        offset = 0
    }

    /// A tensor of zeros.
    public convenience init(zeros shape: [Int]) {
        self.init(uninitialized: shape)
        pointer.update(repeating: 0, count: count)
    }

    /// A tensor of given elements, row-major.
    /// - Precondition: `values.count` equals the product of `shape`.
    public convenience init(_ shape: [Int], _ values: [Float]) {
        self.init(uninitialized: shape)
        precondition(values.count == count, "\(values.count) values for shape \(shape)")
        values.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { pointer.update(from: base, count: count) }
        }
    }

    private init(shape: [Int], storage: TensorStorage, offset: Int) {
        self.shape = shape
        self.storage = storage
        self.offset = offset
    }

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// The first element. Valid while the tensor lives.
    public var pointer: UnsafeMutablePointer<Float> { storage.base + offset }

    /// A copy of the elements, row-major.
    public var array: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

    /// The same elements under another shape.
    /// - Precondition: equal element counts.
    public func reshaped(_ shape: [Int]) -> Tensor {
        precondition(shape.reduce(1, *) == count, "cannot view \(self.shape) as \(shape)")
        return Tensor(shape: shape, storage: storage, offset: offset)
    }

    /// Entries `range` of the first dimension, sharing memory.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(!shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
        let stride = shape.dropFirst().reduce(1, *)
        return Tensor(shape: [range.count] + shape.dropFirst(), storage: storage, offset: offset + range.lowerBound * stride)
    }
}
