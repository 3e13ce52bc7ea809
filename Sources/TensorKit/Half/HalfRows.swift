/// Sums of half-precision products of one row with 64 columns, in two registers.
struct HalfRow {
    var x = HalfLanes.zero, y = HalfLanes.zero

    /// - Parameters:
    ///   - a: the row's number, doubled.
    ///   - b0: its partners for the first 32 columns.
    ///   - b1: for the others.
    @inline(__always)
    mutating func add(_ a: UInt32, _ b0: HalfLanes, _ b1: HalfLanes) {
        let a = HalfMath.spread(a)
        x = HalfMath.multiplyAdd(a, b0, x)
        y = HalfMath.multiplyAdd(a, b1, y)
    }

    @inline(__always)
    func store(_ to: UnsafeMutablePointer<Float16>) {
        to.store(x, 0)
        to.store(y, 32)
    }

    @inline(__always)
    mutating func add(_ sums: UnsafeMutablePointer<Float16>) {
        x = HalfMath.add(x, sums.halfLanes(0))
        y = HalfMath.add(y, sums.halfLanes(32))
    }

    /// The sums in float32: calls `body` with sixteen columns at a time, and with the number of the first.
    @inline(__always)
    func eachSixteen(_ body: (_ sums: Lanes, _ column: Int) -> Void) {
        let (a, b) = (HalfMath.halves(x), HalfMath.halves(y))
        body(HalfMath.widen(a.low), 0)
        body(HalfMath.widen(a.high), 16)
        body(HalfMath.widen(b.low), 32)
        body(HalfMath.widen(b.high), 48)
    }
}

/// Some rows of sums that stay in registers together. Their numbers are spelled out, since a loop over an array would keep them in memory.
protocol HalfRows {
    static var count: Int { get }
    init()
    /// Adds the products of each row's number, `step` words from one to the next, with the same 64 numbers.
    mutating func add(_ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b0: HalfLanes, _ b1: HalfLanes)
    /// Calls `body` with each row and its number.
    mutating func each(_ body: (_ row: inout HalfRow, _ index: Int) -> Void)
}

struct OneHalfRow: HalfRows {
    static let count = 1
    private var r0 = HalfRow()

    @inline(__always)
    mutating func add(_ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b0: HalfLanes, _ b1: HalfLanes) { r0.add(a[0], b0, b1) }

    @inline(__always)
    mutating func each(_ body: (_ row: inout HalfRow, _ index: Int) -> Void) { body(&r0, 0) }
}

struct FourHalfRows: HalfRows {
    static let count = 4
    private var (r0, r1, r2, r3) = (HalfRow(), HalfRow(), HalfRow(), HalfRow())

    @inline(__always)
    mutating func add(_ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b0: HalfLanes, _ b1: HalfLanes) {
        r0.add(a[0], b0, b1)
        r1.add(a[step], b0, b1)
        r2.add(a[2 * step], b0, b1)
        r3.add(a[3 * step], b0, b1)
    }

    @inline(__always)
    mutating func each(_ body: (_ row: inout HalfRow, _ index: Int) -> Void) {
        body(&r0, 0)
        body(&r1, 1)
        body(&r2, 2)
        body(&r3, 3)
    }
}

struct EightHalfRows: HalfRows {
    static let count = 8
    private var (first, second) = (FourHalfRows(), FourHalfRows())

    @inline(__always)
    mutating func add(_ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b0: HalfLanes, _ b1: HalfLanes) {
        first.add(a, step, b0, b1)
        second.add(a + 4 * step, step, b0, b1)
    }

    @inline(__always)
    mutating func each(_ body: (_ row: inout HalfRow, _ index: Int) -> Void) {
        first.each { body(&$0, $1) }
        second.each { body(&$0, $1 + 4) }
    }
}

struct TwelveHalfRows: HalfRows {
    static let count = 12
    private var (first, second) = (EightHalfRows(), FourHalfRows())

    @inline(__always)
    mutating func add(_ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b0: HalfLanes, _ b1: HalfLanes) {
        first.add(a, step, b0, b1)
        second.add(a + 8 * step, step, b0, b1)
    }

    @inline(__always)
    mutating func each(_ body: (_ row: inout HalfRow, _ index: Int) -> Void) {
        first.each { body(&$0, $1) }
        second.each { body(&$0, $1 + 8) }
    }
}
