/// Loops over elements, sixteen at a time and on several threads when there are many.
enum Elementwise {
    /// target[i] = function(a[i])
    @inline(__always)
    static func map(
        _ count: Int, _ a: UnsafeMutablePointer<Float>, _ target: UnsafeMutablePointer<Float>, grain: Int = 1 << 15,
        _ function: (Lanes) -> Lanes
    ) {
        ranges(count, grain: grain) { start, width in
            if width == 16 {
                target.store(function(a.lanes(start)), start)
            } else {
                target.storePartial(function(a.partialLanes(start, width)), start, width)
            }
        }
    }

    /// target[i] = function(a[i], b[i])
    @inline(__always)
    static func map(
        _ count: Int, _ a: UnsafeMutablePointer<Float>, _ b: UnsafeMutablePointer<Float>, _ target: UnsafeMutablePointer<Float>,
        grain: Int = 1 << 15, _ function: (Lanes, Lanes) -> Lanes
    ) {
        ranges(count, grain: grain) { start, width in
            if width == 16 {
                target.store(function(a.lanes(start), b.lanes(start)), start)
            } else {
                target.storePartial(function(a.partialLanes(start, width), b.partialLanes(start, width)), start, width)
            }
        }
    }

    /// Calls `body` with every start of sixteen elements, and once with what is left over.
    @inline(__always)
    static func ranges(_ count: Int, grain: Int, _ body: (_ start: Int, _ width: Int) -> Void) {
        let blocks = count / 16
        Parallel.ranges(blocks, grain: max(1, grain / 16)) { range in
            for block in range { body(block * 16, 16) }
        }
        if count % 16 != 0 { body(blocks * 16, count % 16) }
    }
}

extension Kernels {
    /// The activation of every element.
    public static func apply(_ activation: Activation, _ x: Tensor) -> Tensor {
        let y = Tensor(uninitialized: x.shape)
        apply(activation, x, into: y)
        return y
    }

    /// The activation of every element, written to `y`, which may be `x`.
    public static func apply(_ activation: Activation, _ x: Tensor, into y: Tensor) {
        require(x.count == y.count, "an activation from \(x.shape) to \(y.shape)")
        let (count, a, b) = (x.count, x.pointer, y.pointer)
        let grain = 1 << 13  // exponentials are worth a thread earlier
        switch activation {
        case .identity: if a != b { b.update(from: a, count: count) }
        case .relu: Elementwise.map(count, a, b) { VectorMath.maximum($0, .zero) }
        case .leakyReLU(let slope): Elementwise.map(count, a, b) { $0.replacing(with: $0 * slope, where: $0 .< 0) }
        case .tanh: Elementwise.map(count, a, b, grain: grain) { VectorMath.tanh($0) }
        case .sigmoid: Elementwise.map(count, a, b, grain: grain) { VectorMath.sigmoid($0) }
        case .silu: Elementwise.map(count, a, b, grain: grain) { VectorMath.silu($0) }
        case .gelu: Elementwise.map(count, a, b, grain: grain) { VectorMath.gelu($0) }
        case .quickGELU: Elementwise.map(count, a, b, grain: grain) { $0 * VectorMath.sigmoid($0 * 1.702) }
        }
    }

    /// Gradient of the input `x` of an activation from the gradient of its output.
    public static func activationGradient(_ activation: Activation, x: Tensor, gradient: Tensor) -> Tensor {
        require(x.count == gradient.count, "activation gradient \(gradient.shape) of \(x.shape)")
        let result = Tensor(uninitialized: x.shape)
        let (count, a, g, target) = (x.count, x.pointer, gradient.pointer, result.pointer)
        let grain = 1 << 13
        switch activation {
        case .identity: target.update(from: g, count: count)
        case .relu: Elementwise.map(count, a, g, target) { $1.replacing(with: 0, where: $0 .<= 0) }
        case .leakyReLU(let slope): Elementwise.map(count, a, g, target) { $1.replacing(with: $1 * slope, where: $0 .<= 0) }
        case .tanh:
            Elementwise.map(count, a, g, target, grain: grain) {
                let y = VectorMath.tanh($0)
                return $1 * (1 - y * y)
            }
        case .sigmoid:
            Elementwise.map(count, a, g, target, grain: grain) {
                let y = VectorMath.sigmoid($0)
                return $1 * (y * (1 - y))
            }
        case .silu: Elementwise.map(count, a, g, target, grain: grain) { $1 * VectorMath.siluDerivative($0) }
        case .gelu: Elementwise.map(count, a, g, target, grain: grain) { $1 * VectorMath.geluDerivative($0) }
        case .quickGELU:
            Elementwise.map(count, a, g, target, grain: grain) {
                let y = VectorMath.sigmoid($0 * 1.702)
                return $1 * (y * (1 + 1.702 * $0 * (1 - y)))
            }
        }
        return result
    }

    /// x + y
    public static func add(_ x: Tensor, _ y: Tensor) -> Tensor {
        require(x.count == y.count, "a sum of \(x.shape) and \(y.shape)")
        let result = Tensor(uninitialized: x.shape)
        Elementwise.map(x.count, x.pointer, y.pointer, result.pointer) { $0 + $1 }
        return result
    }

    /// Adds `factor * y` to `x` in place.
    public static func accumulate(_ y: Tensor, into x: Tensor, factor: Float = 1) {
        require(x.count == y.count, "a sum of \(x.shape) and \(y.shape)")
        Elementwise.map(x.count, x.pointer, y.pointer, x.pointer) { $0 + $1 * factor }
    }

    /// factor * x
    public static func scale(_ x: Tensor, by factor: Float) -> Tensor {
        let result = Tensor(uninitialized: x.shape)
        Elementwise.map(x.count, x.pointer, result.pointer) { $0 * factor }
        return result
    }

    /// The sum of all elements, in double precision.
    public static func sum(_ x: Tensor) -> Double { reduce(x.count) { Double(x.pointer[$0]) } }

    /// The sum of the squares of all elements, in double precision.
    public static func sumOfSquares(_ x: Tensor) -> Double {
        reduce(x.count) { Double(x.pointer[$0]) * Double(x.pointer[$0]) }
    }

    /// The sum of all elements in float32, as fast as memory gives them: for measuring that.
    public static func roughSum(_ x: Tensor) -> Float {
        let (source, parts) = (x.pointer, Parallel.threads)
        var sums = [Float](repeating: 0, count: parts)
        sums.withUnsafeMutableBufferPointer { sums in
            let sums = sums
            Parallel.run(parts) { part in
                var (a, b, c, d) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
                var i = x.count * part / parts
                let end = x.count * (part + 1) / parts
                while i + 64 <= end {
                    a += source.lanes(i)
                    b += source.lanes(i + 16)
                    c += source.lanes(i + 32)
                    d += source.lanes(i + 48)
                    i += 64
                }
                var sum = VectorMath.sum((a + b) + (c + d))
                while i < end {
                    sum += source[i]
                    i += 1
                }
                sums[part] = sum
            }
        }
        return sums.reduce(0, +)
    }

    /// Sums `term(i)` over `0..<count` in blocks whose order does not depend on the number of threads.
    @inline(__always)
    static func reduce(_ count: Int, _ term: (Int) -> Double) -> Double {
        let block = 1 << 13
        let blocks = (count + block - 1) / block
        var sums = [Double](repeating: 0, count: blocks)
        sums.withUnsafeMutableBufferPointer { sums in
            let sums = sums
            Parallel.ranges(blocks, grain: 4) { range in
                for b in range {
                    // Four sums, so that additions need not wait for each other.
                    var parts = SIMD4<Double>.zero
                    let end = min(count, (b + 1) * block)
                    var i = b * block
                    while i + 4 <= end {
                        parts += SIMD4(term(i), term(i + 1), term(i + 2), term(i + 3))
                        i += 4
                    }
                    while i < end {
                        parts[0] += term(i)
                        i += 1
                    }
                    sums[b] = parts.sum()
                }
            }
        }
        return sums.reduce(0, +)
    }
}
