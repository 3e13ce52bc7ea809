/// The arithmetic of half-precision vectors, lane by lane. The compiler joins lines like these to one instruction; a loop over so many lanes, as
/// Swift's own operators of this type are, it leaves as it is, and closures for them it calls.
extension HalfMath {
    /// a * b + c, in one rounding where the processor can.
    @_transparent
    static func multiplyAdd(_ a: HalfLanes, _ b: HalfLanes, _ c: HalfLanes) -> HalfLanes {
        #if FUSED_MULTIPLY_ADD
            var r = c
            r[0] = c[0].addingProduct(a[0], b[0])
            r[1] = c[1].addingProduct(a[1], b[1])
            r[2] = c[2].addingProduct(a[2], b[2])
            r[3] = c[3].addingProduct(a[3], b[3])
            r[4] = c[4].addingProduct(a[4], b[4])
            r[5] = c[5].addingProduct(a[5], b[5])
            r[6] = c[6].addingProduct(a[6], b[6])
            r[7] = c[7].addingProduct(a[7], b[7])
            r[8] = c[8].addingProduct(a[8], b[8])
            r[9] = c[9].addingProduct(a[9], b[9])
            r[10] = c[10].addingProduct(a[10], b[10])
            r[11] = c[11].addingProduct(a[11], b[11])
            r[12] = c[12].addingProduct(a[12], b[12])
            r[13] = c[13].addingProduct(a[13], b[13])
            r[14] = c[14].addingProduct(a[14], b[14])
            r[15] = c[15].addingProduct(a[15], b[15])
            r[16] = c[16].addingProduct(a[16], b[16])
            r[17] = c[17].addingProduct(a[17], b[17])
            r[18] = c[18].addingProduct(a[18], b[18])
            r[19] = c[19].addingProduct(a[19], b[19])
            r[20] = c[20].addingProduct(a[20], b[20])
            r[21] = c[21].addingProduct(a[21], b[21])
            r[22] = c[22].addingProduct(a[22], b[22])
            r[23] = c[23].addingProduct(a[23], b[23])
            r[24] = c[24].addingProduct(a[24], b[24])
            r[25] = c[25].addingProduct(a[25], b[25])
            r[26] = c[26].addingProduct(a[26], b[26])
            r[27] = c[27].addingProduct(a[27], b[27])
            r[28] = c[28].addingProduct(a[28], b[28])
            r[29] = c[29].addingProduct(a[29], b[29])
            r[30] = c[30].addingProduct(a[30], b[30])
            r[31] = c[31].addingProduct(a[31], b[31])
            return r
        #else
            return add(product(a, b), c)
        #endif
    }

    @_transparent
    static func product(_ a: HalfLanes, _ b: HalfLanes) -> HalfLanes {
        var r = HalfLanes.zero
        r[0] = a[0] * b[0]
        r[1] = a[1] * b[1]
        r[2] = a[2] * b[2]
        r[3] = a[3] * b[3]
        r[4] = a[4] * b[4]
        r[5] = a[5] * b[5]
        r[6] = a[6] * b[6]
        r[7] = a[7] * b[7]
        r[8] = a[8] * b[8]
        r[9] = a[9] * b[9]
        r[10] = a[10] * b[10]
        r[11] = a[11] * b[11]
        r[12] = a[12] * b[12]
        r[13] = a[13] * b[13]
        r[14] = a[14] * b[14]
        r[15] = a[15] * b[15]
        r[16] = a[16] * b[16]
        r[17] = a[17] * b[17]
        r[18] = a[18] * b[18]
        r[19] = a[19] * b[19]
        r[20] = a[20] * b[20]
        r[21] = a[21] * b[21]
        r[22] = a[22] * b[22]
        r[23] = a[23] * b[23]
        r[24] = a[24] * b[24]
        r[25] = a[25] * b[25]
        r[26] = a[26] * b[26]
        r[27] = a[27] * b[27]
        r[28] = a[28] * b[28]
        r[29] = a[29] * b[29]
        r[30] = a[30] * b[30]
        r[31] = a[31] * b[31]
        return r
    }

    @_transparent
    static func add(_ a: HalfLanes, _ b: HalfLanes) -> HalfLanes {
        var r = HalfLanes.zero
        r[0] = a[0] + b[0]
        r[1] = a[1] + b[1]
        r[2] = a[2] + b[2]
        r[3] = a[3] + b[3]
        r[4] = a[4] + b[4]
        r[5] = a[5] + b[5]
        r[6] = a[6] + b[6]
        r[7] = a[7] + b[7]
        r[8] = a[8] + b[8]
        r[9] = a[9] + b[9]
        r[10] = a[10] + b[10]
        r[11] = a[11] + b[11]
        r[12] = a[12] + b[12]
        r[13] = a[13] + b[13]
        r[14] = a[14] + b[14]
        r[15] = a[15] + b[15]
        r[16] = a[16] + b[16]
        r[17] = a[17] + b[17]
        r[18] = a[18] + b[18]
        r[19] = a[19] + b[19]
        r[20] = a[20] + b[20]
        r[21] = a[21] + b[21]
        r[22] = a[22] + b[22]
        r[23] = a[23] + b[23]
        r[24] = a[24] + b[24]
        r[25] = a[25] + b[25]
        r[26] = a[26] + b[26]
        r[27] = a[27] + b[27]
        r[28] = a[28] + b[28]
        r[29] = a[29] + b[29]
        r[30] = a[30] + b[30]
        r[31] = a[31] + b[31]
        return r
    }

    @_transparent
    static func subtract(_ a: HalfLanes, _ b: HalfLanes) -> HalfLanes {
        var r = HalfLanes.zero
        r[0] = a[0] - b[0]
        r[1] = a[1] - b[1]
        r[2] = a[2] - b[2]
        r[3] = a[3] - b[3]
        r[4] = a[4] - b[4]
        r[5] = a[5] - b[5]
        r[6] = a[6] - b[6]
        r[7] = a[7] - b[7]
        r[8] = a[8] - b[8]
        r[9] = a[9] - b[9]
        r[10] = a[10] - b[10]
        r[11] = a[11] - b[11]
        r[12] = a[12] - b[12]
        r[13] = a[13] - b[13]
        r[14] = a[14] - b[14]
        r[15] = a[15] - b[15]
        r[16] = a[16] - b[16]
        r[17] = a[17] - b[17]
        r[18] = a[18] - b[18]
        r[19] = a[19] - b[19]
        r[20] = a[20] - b[20]
        r[21] = a[21] - b[21]
        r[22] = a[22] - b[22]
        r[23] = a[23] - b[23]
        r[24] = a[24] - b[24]
        r[25] = a[25] - b[25]
        r[26] = a[26] - b[26]
        r[27] = a[27] - b[27]
        r[28] = a[28] - b[28]
        r[29] = a[29] - b[29]
        r[30] = a[30] - b[30]
        r[31] = a[31] - b[31]
        return r
    }

    @_transparent
    static func maximum(_ a: HalfLanes, _ b: HalfLanes) -> HalfLanes {
        var r = HalfLanes.zero
        r[0] = a[0] < b[0] ? b[0] : a[0]
        r[1] = a[1] < b[1] ? b[1] : a[1]
        r[2] = a[2] < b[2] ? b[2] : a[2]
        r[3] = a[3] < b[3] ? b[3] : a[3]
        r[4] = a[4] < b[4] ? b[4] : a[4]
        r[5] = a[5] < b[5] ? b[5] : a[5]
        r[6] = a[6] < b[6] ? b[6] : a[6]
        r[7] = a[7] < b[7] ? b[7] : a[7]
        r[8] = a[8] < b[8] ? b[8] : a[8]
        r[9] = a[9] < b[9] ? b[9] : a[9]
        r[10] = a[10] < b[10] ? b[10] : a[10]
        r[11] = a[11] < b[11] ? b[11] : a[11]
        r[12] = a[12] < b[12] ? b[12] : a[12]
        r[13] = a[13] < b[13] ? b[13] : a[13]
        r[14] = a[14] < b[14] ? b[14] : a[14]
        r[15] = a[15] < b[15] ? b[15] : a[15]
        r[16] = a[16] < b[16] ? b[16] : a[16]
        r[17] = a[17] < b[17] ? b[17] : a[17]
        r[18] = a[18] < b[18] ? b[18] : a[18]
        r[19] = a[19] < b[19] ? b[19] : a[19]
        r[20] = a[20] < b[20] ? b[20] : a[20]
        r[21] = a[21] < b[21] ? b[21] : a[21]
        r[22] = a[22] < b[22] ? b[22] : a[22]
        r[23] = a[23] < b[23] ? b[23] : a[23]
        r[24] = a[24] < b[24] ? b[24] : a[24]
        r[25] = a[25] < b[25] ? b[25] : a[25]
        r[26] = a[26] < b[26] ? b[26] : a[26]
        r[27] = a[27] < b[27] ? b[27] : a[27]
        r[28] = a[28] < b[28] ? b[28] : a[28]
        r[29] = a[29] < b[29] ? b[29] : a[29]
        r[30] = a[30] < b[30] ? b[30] : a[30]
        r[31] = a[31] < b[31] ? b[31] : a[31]
        return r
    }
}
