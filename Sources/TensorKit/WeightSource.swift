/// A weight as a kernel gets it: a tensor in memory, or numbers that lie in a file and are read when a layout of them is made.
public struct WeightSource: @unchecked Sendable {  // tensors are read only while a kernel runs
    /// Elements that are stored elsewhere.
    public struct Stored: Sendable {
        /// Writes the elements of a range as float32.
        public let read: @Sendable (_ range: Range<Int>, _ target: UnsafeMutablePointer<Float>) -> Void
        /// Lets go of the memory behind them, which `read` brings back.
        public let release: @Sendable () -> Void
        /// Whether all of them are half-precision numbers (IEEE 754 binary16), so that they can be kept as such without loss.
        public let isHalf: Bool

        /// - Parameters:
        ///   - read: writes the elements of a range as float32; called from several threads at once.
        ///   - release: lets go of the memory behind them, which `read` brings back.
        ///   - isHalf: whether all elements are half-precision numbers.
        public init(
            read: @escaping @Sendable (_ range: Range<Int>, _ target: UnsafeMutablePointer<Float>) -> Void,
            release: @escaping @Sendable () -> Void, isHalf: Bool = false
        ) {
            self.read = read
            self.release = release
            self.isHalf = isHalf
        }
    }

    enum Content {
        case tensor(Tensor)
        case stored(Stored)
    }

    public let shape: [Int]
    /// Changes when the elements changed; derived layouts are kept as long as it stays.
    public let version: Int
    let content: Content

    /// A weight in memory.
    public init(_ tensor: Tensor, version: Int) {
        shape = tensor.shape
        self.version = version
        content = .tensor(tensor)
    }

    /// A weight that lies elsewhere.
    public init(shape: [Int], version: Int, stored: Stored) {
        self.shape = shape
        self.version = version
        content = .stored(stored)
    }

    private init(shape: [Int], version: Int, content: Content) {
        self.shape = shape
        self.version = version
        self.content = content
    }

    /// The same elements under another shape.
    func reshaped(_ shape: [Int]) -> WeightSource {
        require(shape.reduce(1, *) == count, "cannot view a weight \(self.shape) as \(shape)")
        if case .tensor(let tensor) = content { return WeightSource(tensor.reshaped(shape), version: version) }
        return WeightSource(shape: shape, version: version, content: content)
    }

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// Whether all elements are known to be half-precision numbers.
    var isHalf: Bool {
        if case .stored(let stored) = content { stored.isHalf } else { false }
    }

    /// The elements in memory: the tensor itself, or a new one.
    public func tensor() -> Tensor {
        switch content {
        case .tensor(let tensor): return tensor
        case .stored(let stored):
            let tensor = Tensor(uninitialized: shape)
            let target = tensor.pointer
            Parallel.ranges(count, grain: 1 << 16) { stored.read($0, target + $0.lowerBound) }
            return tensor
        }
    }

    /// Rows of the first dimension, one after the other: [rows.count, ...].
    /// - Precondition: the weight has such rows.
    public func rows(_ rows: [Int]) -> Tensor {
        let stride = shape.dropFirst().reduce(1, *)
        let result = Tensor(uninitialized: [rows.count] + shape.dropFirst())
        for (index, row) in rows.enumerated() {
            require(row >= 0 && row < shape[0], "row \(row) of a weight \(shape)")
            let target = result.pointer + index * stride
            switch content {
            case .tensor(let tensor): target.update(from: tensor.pointer + row * stride, count: stride)
            case .stored(let stored): stored.read(row * stride..<(row + 1) * stride, target)
            }
        }
        return result
    }
}
