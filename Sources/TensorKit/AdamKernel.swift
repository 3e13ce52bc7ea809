/// The numbers of one Adam step (Kingma and Ba 2015), as in `torch.optim.Adam` and `AdamW`.
public struct AdamStep: Sendable {
    public var learningRate: Float
    public var beta1: Float
    public var beta2: Float
    /// Added to the square root of the corrected second moment.
    public var epsilon: Float
    public var weightDecay: Float
    /// AdamW: the decay acts on the weight itself and not on the gradient.
    public var decoupledDecay: Bool
    /// Number of the step, from 1.
    public var step: Int

    public init(
        learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, decoupledDecay: Bool, step: Int
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.decoupledDecay = decoupledDecay
        self.step = step
    }
}

/// The running averages of Adam for one weight.
public struct AdamMoments {
    /// How a running average is kept.
    public enum Precision: Sendable {
        case float32
        /// Half the memory. Rounded up or down by chance, so that steps smaller than the format's resolution count on average; the chance
        /// depends on the step and the place alone, so that equal runs stay equal.
        case bfloat16
    }

    public let precision: Precision
    /// Number of elements of the weight.
    public let count: Int
    /// Running average of the gradient and of its square: floats, or two bfloat16 numbers in each float's place.
    public let first, second: Tensor

    /// Moments of a weight that no step has moved yet.
    public init(count: Int, precision: Precision) {
        self.precision = precision
        self.count = count
        let places = precision == .float32 ? count : (count + 1) / 2
        first = Tensor(zeros: [places])
        second = Tensor(zeros: [places])
    }

    /// Moments with given values.
    /// - Precondition: `first` and `second` have `count` elements.
    public init(first values: Tensor, second squares: Tensor, precision: Precision) {
        require(values.count == squares.count, "moments of \(values.shape) and \(squares.shape)")
        self.init(
            count: values.count, precision: precision,
            first: { $1.update(from: values.pointer + $0.lowerBound, count: $0.count) },
            second: { $1.update(from: squares.pointer + $0.lowerBound, count: $0.count) })
    }

    /// Moments that are read piece by piece, so that no more memory is needed than they take themselves.
    /// - Parameters:
    ///   - count: number of elements of the weight.
    ///   - precision: in which they are kept.
    ///   - readFirst: writes the elements of a range of the running average of the gradient.
    ///   - readSecond: the same of its square.
    public init(
        count: Int, precision: Precision, first readFirst: (Range<Int>, UnsafeMutablePointer<Float>) -> Void,
        second readSecond: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) {
        self.init(count: count, precision: precision)
        let piece = 1 << 20
        let floats = Tensor(uninitialized: [precision == .bfloat16 ? min(piece, count) : 0])
        func fill(_ target: Tensor, _ read: (Range<Int>, UnsafeMutablePointer<Float>) -> Void) {
            for start in stride(from: 0, to: count, by: piece) {
                let range = start..<min(count, start + piece)
                switch precision {
                case .float32: read(range, target.pointer + start)
                case .bfloat16:
                    read(range, floats.pointer)
                    let bits = UnsafeMutableRawPointer(target.pointer).bindMemory(to: UInt16.self, capacity: count) + start
                    for i in 0..<range.count { bits[i] = UInt16(truncatingIfNeeded: floats.pointer[i].bitPattern >> 16) }
                }
            }
        }
        fill(first, readFirst)
        fill(second, readSecond)
    }

    /// The running averages as floats, [count] each: shared when they are floats, copied otherwise.
    public var floats: (first: Tensor, second: Tensor) {
        guard precision == .bfloat16 else { return (first, second) }
        func widened(_ packed: Tensor) -> Tensor {
            let bits = UnsafeMutableRawPointer(packed.pointer).bindMemory(to: UInt16.self, capacity: count)
            let result = Tensor(uninitialized: [count])
            for i in 0..<count { result.pointer[i] = Float(bitPattern: UInt32(bits[i]) << 16) }
            return result
        }
        return (widened(first), widened(second))
    }
}

extension Kernels {
    /// Changes a weight and its moments in place, in one pass over memory.
    /// - Parameters:
    ///   - step: the numbers of the step.
    ///   - weight: changed in place.
    ///   - gradient: of the same number of elements.
    ///   - moments: changed in place.
    ///   - gradientScale: factor of the gradient (clipping).
    public static func adam(
        _ step: AdamStep, weight: Tensor, gradient: Tensor, moments: AdamMoments, gradientScale: Float = 1
    ) {
        require(
            weight.count == gradient.count && weight.count == moments.count,
            "Adam on a weight \(weight.shape) with a gradient \(gradient.shape)")
        let update = AdamUpdate(step, gradientScale: gradientScale)
        let (w, g) = (weight.pointer, gradient.pointer)
        Parallel.ranges((weight.count + 15) / 16, grain: 1 << 9) { range in
            let start = range.lowerBound * 16
            let count = min(weight.count, range.upperBound * 16) - start
            update.run(count, w + start, g + start, moments, at: start)
        }
    }

    /// Changes the weight of a linear layer and its moments by the gradient `gradient`ᵀ `x`, which is never held as a whole: a tile of it is
    /// made and used while it is in the processor's cache.
    /// - Parameters:
    ///   - step: the numbers of the step.
    ///   - gradient: of the layer's output, [N, out].
    ///   - x: the layer's input, [N, in].
    ///   - weight: [out, in], changed in place.
    ///   - moments: changed in place.
    public static func adam(_ step: AdamStep, gradient: Tensor, x: Tensor, weight: Tensor, moments: AdamMoments) {
        let (rows, outputs) = (gradient.shape[0], gradient.shape[1])
        let inputs = x.shape[1]
        require(
            x.shape[0] == rows && weight.shape == [outputs, inputs] && moments.count == weight.count,
            "Adam on a weight \(weight.shape) with gradients \(gradient.shape) of inputs \(x.shape)")
        let update = AdamUpdate(step, gradientScale: 1)
        let (tileRows, tileColumns) = (64, 2048)
        let down = (outputs + tileRows - 1) / tileRows
        let across = (inputs + tileColumns - 1) / tileColumns
        let (g, source, w) = (gradient.pointer, x.pointer, weight.pointer)
        // Tiles of one column follow each other, so that the stretch of `x` stays in the cache.
        Parallel.ranges(down * across, grain: 1) { range in
            let tile = Tensor(uninitialized: [tileRows, tileColumns])
            for number in range {
                let (top, left) = (number % down * tileRows, number / down * tileColumns)
                let (height, width) = (min(tileRows, outputs - top), min(tileColumns, inputs - left))
                product(
                    g + top, transposed: true, stride: outputs, source + left, stride: inputs, m: height, n: width, k: rows,
                    into: tile.pointer, stride: width)
                for row in 0..<height {
                    let at = (top + row) * inputs + left
                    update.run(width, w + at, tile.pointer + row * width, moments, at: at)
                }
            }
        }
    }
}

/// The arithmetic of a step on a stretch of a weight.
private struct AdamUpdate {
    let stepSize, inverseRoot, keep, coupled, fresh1, beta2, fresh2, epsilon, gradientScale: Float
    let seed: UInt32

    init(_ step: AdamStep, gradientScale: Float) {
        stepSize = Float(Double(step.learningRate) / (1 - Self.power(Double(step.beta1), step.step)))
        inverseRoot = Float(1 / (1 - Self.power(Double(step.beta2), step.step)).squareRoot())
        keep = step.decoupledDecay ? 1 - step.learningRate * step.weightDecay : 1
        coupled = step.decoupledDecay ? 0 : step.weightDecay
        (fresh1, beta2, fresh2, epsilon) = (1 - step.beta1, step.beta2, 1 - step.beta2, step.epsilon)
        self.gradientScale = gradientScale
        seed = UInt32(truncatingIfNeeded: step.step) &* 0x85EB_CA77
    }

    @inline(__always)
    private func update(_ w: inout Lanes, _ g: Lanes, _ m: inout Lanes, _ v: inout Lanes) {
        let g = g * gradientScale + w * coupled
        m += (g - m) * fresh1
        v = v * beta2 + g * g * fresh2
        w = w * keep - m * stepSize / (v.squareRoot() * inverseRoot + epsilon)
    }

    /// - Parameters:
    ///   - count: elements of the stretch.
    ///   - w: its weights.
    ///   - g: its gradients.
    ///   - moments: of the whole weight.
    ///   - start: where the stretch begins in the weight.
    @inline(__always)
    func run(
        _ count: Int, _ w: UnsafeMutablePointer<Float>, _ g: UnsafeMutablePointer<Float>, _ moments: AdamMoments, at start: Int
    ) {
        switch moments.precision {
        case .float32: single(count, w, g, moments.first.pointer + start, moments.second.pointer + start)
        case .bfloat16:
            half(
                count, w, g, UnsafeMutableRawPointer(moments.first.pointer) + 2 * start,
                UnsafeMutableRawPointer(moments.second.pointer) + 2 * start, start)
        }
    }

    private func single(
        _ count: Int, _ w: UnsafeMutablePointer<Float>, _ g: UnsafeMutablePointer<Float>, _ m: UnsafeMutablePointer<Float>,
        _ v: UnsafeMutablePointer<Float>
    ) {
        var i = 0
        while i + 16 <= count {
            var (wi, mi, vi) = (w.lanes(i), m.lanes(i), v.lanes(i))
            update(&wi, g.lanes(i), &mi, &vi)
            w.store(wi, i)
            m.store(mi, i)
            v.store(vi, i)
            i += 16
        }
        if i < count {
            let width = count - i
            var (wi, mi, vi) = (w.partialLanes(i, width), m.partialLanes(i, width), v.partialLanes(i, width))
            update(&wi, g.partialLanes(i, width), &mi, &vi)
            w.storePartial(wi, i, width)
            m.storePartial(mi, i, width)
            v.storePartial(vi, i, width)
        }
    }

    private func half(
        _ count: Int, _ w: UnsafeMutablePointer<Float>, _ g: UnsafeMutablePointer<Float>, _ m: UnsafeMutableRawPointer,
        _ v: UnsafeMutableRawPointer, _ start: Int
    ) {
        let lane = SIMD16<UInt32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
        var i = 0
        while i + 16 <= count {
            var wi = w.lanes(i)
            var mi = Self.widen(m.loadUnaligned(fromByteOffset: 2 * i, as: SIMD16<UInt16>.self))
            var vi = Self.widen(v.loadUnaligned(fromByteOffset: 2 * i, as: SIMD16<UInt16>.self))
            update(&wi, g.lanes(i), &mi, &vi)
            w.store(wi, i)
            let chance = self.chance(lane &+ UInt32(truncatingIfNeeded: start + i))
            m.storeBytes(of: Self.narrow(mi, chance & 0xFFFF), toByteOffset: 2 * i, as: SIMD16<UInt16>.self)
            v.storeBytes(of: Self.narrow(vi, chance &>> 16), toByteOffset: 2 * i, as: SIMD16<UInt16>.self)
            i += 16
        }
        while i < count {
            var wi = Lanes(repeating: w[i])
            var mi = Self.widen(SIMD16(repeating: m.load(fromByteOffset: 2 * i, as: UInt16.self)))
            var vi = Self.widen(SIMD16(repeating: v.load(fromByteOffset: 2 * i, as: UInt16.self)))
            update(&wi, Lanes(repeating: g[i]), &mi, &vi)
            w[i] = wi[0]
            let chance = self.chance(SIMD16(repeating: UInt32(truncatingIfNeeded: start + i)))
            m.storeBytes(of: Self.narrow(mi, chance & 0xFFFF)[0], toByteOffset: 2 * i, as: UInt16.self)
            v.storeBytes(of: Self.narrow(vi, chance &>> 16)[0], toByteOffset: 2 * i, as: UInt16.self)
            i += 1
        }
    }

    /// Thirty-two random bits of a place in this step (a finaliser in the manner of MurmurHash).
    @inline(__always)
    private func chance(_ place: SIMD16<UInt32>) -> SIMD16<UInt32> {
        var x = (place &* 0x9E37_79B1) ^ seed
        x = (x ^ (x &>> 16)) &* 0x85EB_CA6B
        x = (x ^ (x &>> 13)) &* 0xC2B2_AE35
        return x ^ (x &>> 16)
    }

    @inline(__always)
    private static func widen(_ bits: SIMD16<UInt16>) -> Lanes {
        unsafeBitCast(SIMD16<UInt32>(truncatingIfNeeded: bits) &<< 16, to: Lanes.self)
    }

    @inline(__always)
    private static func narrow(_ x: Lanes, _ chance: SIMD16<UInt32>) -> SIMD16<UInt16> {
        SIMD16<UInt16>(truncatingIfNeeded: (unsafeBitCast(x, to: SIMD16<UInt32>.self) &+ chance) &>> 16)
    }

    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, factor, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= factor }
            factor *= factor
            rest >>= 1
        }
        return result
    }
}
