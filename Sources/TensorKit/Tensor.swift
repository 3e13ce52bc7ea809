/// A dense row-major array of float32. Activations of images are channels-last, [N, H, W, C]; of tokens [N, T, C].
///
/// A tensor is a reference: `reshaped` and `rows` share its memory. It is not `Sendable`; one queue owns all of a model's tensors.
public final class Tensor {
    public let shape: [Int]
    /// Number of elements.
    public let count: Int
    public let storage: TensorStorage
    let offset: Int

    /// A tensor whose elements are not yet set.
    public init(uninitialized shape: [Int]) {
        require(shape.allSatisfy { $0 >= 0 }, "a tensor cannot have the shape \(shape)")
        self.shape = shape
        count = shape.reduce(1, *)
        storage = TensorStorage(count: count)
        offset = 0
    }

    /// A tensor whose elements are not yet set, with memory apart from that which tensors pass on to each other.
    init(apart shape: [Int]) {
        self.shape = shape
        count = shape.reduce(1, *)
        storage = TensorStorage(apart: count)
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
        require(values.count == count, "\(values.count) values for shape \(shape)")
        values.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { pointer.update(from: base, count: count) }
        }
    }

    /// A tensor over existing memory.
    /// - Precondition: the memory holds the product of `shape` floats from `offset` on.
    public init(shape: [Int], storage: TensorStorage, offset: Int = 0) {
        self.shape = shape
        count = shape.reduce(1, *)
        require(offset >= 0 && offset + count <= storage.count, "shape \(shape) at \(offset) in \(storage.count) floats")
        self.storage = storage
        self.offset = offset
    }

    /// The first element. Valid while the tensor lives.
    public var pointer: UnsafeMutablePointer<Float> { storage.base + offset }

    /// An independent copy.
    public func copy() -> Tensor {
        let result = Tensor(uninitialized: shape)
        result.pointer.update(from: pointer, count: count)
        return result
    }

    /// A copy of the elements, row-major.
    public var array: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

    /// Whether no element is infinite or not a number.
    public var isFinite: Bool {
        // Nought times those is not a number, which stays in a sum.
        var (sum, i) = (Lanes.zero, 0)
        while i + 16 <= count {
            sum += pointer.lanes(i) * 0
            i += 16
        }
        var total = sum.sum()
        while i < count {
            total += pointer[i] * 0
            i += 1
        }
        return total == 0
    }

    /// The same elements under another shape.
    /// - Precondition: equal element counts.
    public func reshaped(_ shape: [Int]) -> Tensor {
        require(shape.reduce(1, *) == count, "cannot view \(self.shape) as \(shape)")
        return Tensor(shape: shape, storage: storage, offset: offset)
    }

    /// Entries `range` of the first dimension, sharing memory.
    public func rows(_ range: Range<Int>) -> Tensor {
        require(!shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
        let stride = shape.dropFirst().reduce(1, *)
        return Tensor(shape: [range.count] + shape.dropFirst(), storage: storage, offset: offset + range.lowerBound * stride)
    }
}
