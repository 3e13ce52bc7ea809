/// Products of eight rows with one to three vectors of columns, held in registers: the inside of attention, whose matrices are too small and too
/// many for a primitive each.
enum TileProduct {
    static let rows = 8

    /// c = a b
    /// - Parameters:
    ///   - depth: number of columns of `a` and rows of `b`.
    ///   - a: eight rows, `aStride` floats apart.
    ///   - aStride: distance of rows.
    ///   - b: rows of `vectors` * 16 floats, `bStride` floats apart.
    ///   - bStride: distance of rows.
    ///   - c: eight rows, `cStride` floats apart.
    ///   - cStride: distance of rows.
    ///   - vectors: width of `b` and `c` in sixteens.
    @inline(__always)
    static func multiply(
        depth: Int, _ a: UnsafeMutablePointer<Float>, _ aStride: Int, _ b: UnsafeMutablePointer<Float>, _ bStride: Int,
        _ c: UnsafeMutablePointer<Float>, _ cStride: Int, vectors: Int
    ) {
        var v = 0
        while v + 3 <= vectors {
            multiply3(depth, a, aStride, b + v * 16, bStride, c + v * 16, cStride)
            v += 3
        }
        if v + 2 == vectors {
            multiply2(depth, a, aStride, b + v * 16, bStride, c + v * 16, cStride)
        } else if v + 1 == vectors {
            multiply1(depth, a, aStride, b + v * 16, bStride, c + v * 16, cStride)
        }
    }

    /// Eight accumulators: one vector of columns of eight rows.
    private struct Column {
        var r0 = Lanes.zero, r1 = Lanes.zero, r2 = Lanes.zero, r3 = Lanes.zero
        var r4 = Lanes.zero, r5 = Lanes.zero, r6 = Lanes.zero, r7 = Lanes.zero

        @inline(__always)
        mutating func add(_ a: UnsafeMutablePointer<Float>, _ stride: Int, _ b: Lanes) {
            r0 = VectorMath.multiplyAdd(Lanes(repeating: a[0]), b, r0)
            r1 = VectorMath.multiplyAdd(Lanes(repeating: a[stride]), b, r1)
            r2 = VectorMath.multiplyAdd(Lanes(repeating: a[2 * stride]), b, r2)
            r3 = VectorMath.multiplyAdd(Lanes(repeating: a[3 * stride]), b, r3)
            r4 = VectorMath.multiplyAdd(Lanes(repeating: a[4 * stride]), b, r4)
            r5 = VectorMath.multiplyAdd(Lanes(repeating: a[5 * stride]), b, r5)
            r6 = VectorMath.multiplyAdd(Lanes(repeating: a[6 * stride]), b, r6)
            r7 = VectorMath.multiplyAdd(Lanes(repeating: a[7 * stride]), b, r7)
        }

        @inline(__always)
        func store(_ c: UnsafeMutablePointer<Float>, _ stride: Int) {
            c.store(r0, 0)
            c.store(r1, stride)
            c.store(r2, 2 * stride)
            c.store(r3, 3 * stride)
            c.store(r4, 4 * stride)
            c.store(r5, 5 * stride)
            c.store(r6, 6 * stride)
            c.store(r7, 7 * stride)
        }
    }

    private static func multiply1(
        _ depth: Int, _ a: UnsafeMutablePointer<Float>, _ aStride: Int, _ b: UnsafeMutablePointer<Float>, _ bStride: Int,
        _ c: UnsafeMutablePointer<Float>, _ cStride: Int
    ) {
        var (even, odd) = (Column(), Column())  // two sums each, so that additions need not wait for each other
        var k = 0
        while k + 2 <= depth {
            even.add(a + k, aStride, b.lanes(k * bStride))
            odd.add(a + k + 1, aStride, b.lanes((k + 1) * bStride))
            k += 2
        }
        if k < depth { even.add(a + k, aStride, b.lanes(k * bStride)) }
        even.r0 += odd.r0
        even.r1 += odd.r1
        even.r2 += odd.r2
        even.r3 += odd.r3
        even.r4 += odd.r4
        even.r5 += odd.r5
        even.r6 += odd.r6
        even.r7 += odd.r7
        even.store(c, cStride)
    }

    private static func multiply2(
        _ depth: Int, _ a: UnsafeMutablePointer<Float>, _ aStride: Int, _ b: UnsafeMutablePointer<Float>, _ bStride: Int,
        _ c: UnsafeMutablePointer<Float>, _ cStride: Int
    ) {
        var (first, second) = (Column(), Column())
        for k in 0..<depth {
            first.add(a + k, aStride, b.lanes(k * bStride))
            second.add(a + k, aStride, b.lanes(k * bStride + 16))
        }
        first.store(c, cStride)
        second.store(c + 16, cStride)
    }

    private static func multiply3(
        _ depth: Int, _ a: UnsafeMutablePointer<Float>, _ aStride: Int, _ b: UnsafeMutablePointer<Float>, _ bStride: Int,
        _ c: UnsafeMutablePointer<Float>, _ cStride: Int
    ) {
        var (first, second, third) = (Column(), Column(), Column())
        for k in 0..<depth {
            first.add(a + k, aStride, b.lanes(k * bStride))
            second.add(a + k, aStride, b.lanes(k * bStride + 16))
            third.add(a + k, aStride, b.lanes(k * bStride + 32))
        }
        first.store(c, cStride)
        second.store(c + 16, cStride)
        third.store(c + 32, cStride)
    }
}
