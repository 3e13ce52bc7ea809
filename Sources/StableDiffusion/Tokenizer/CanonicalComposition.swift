import Foundation

/// Normalisation form C of Unicode, as transformers' tokenizer applies it.
///
/// Foundation's own takes scalars beyond U+FFFF for those with the same last 16 bits where an accent follows (U+10041 and U+0301 become "Á") and
/// does not compose across marks that it decomposed itself (U+0065, U+0F73, U+0301); here it is asked for single scalars alone.
enum CanonicalComposition {
    /// The canonical composition of a text.
    static func composed(_ text: String) -> [Unicode.Scalar] {
        // Below U+0300 every scalar is composed, and none is a mark.
        if text.unicodeScalars.allSatisfy({ $0.value < 0x300 }) { return Array(text.unicodeScalars) }
        var scalars = text.unicodeScalars.flatMap(decomposed)
        order(&scalars)
        return compose(scalars)
    }

    private static func mark(_ scalar: Unicode.Scalar) -> UInt8 { scalar.properties.canonicalCombiningClass.rawValue }

    private static func decomposed(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        scalar.value < 0xC0 ? [scalar] : Array(String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars)
    }

    /// Sorts every run of marks by combining class; equals keep their order.
    private static func order(_ scalars: inout [Unicode.Scalar]) {
        var start = 0
        while start < scalars.count {
            var end = start
            while end < scalars.count, mark(scalars[end]) != 0 { end += 1 }
            if end - start > 1 {
                let sorted = scalars[start..<end].enumerated().sorted {
                    (mark($0.element), $0.offset) < (mark($1.element), $1.offset)
                }
                scalars.replaceSubrange(start..<end, with: sorted.map(\.element))
            }
            start = end + 1
        }
    }

    /// Joins each scalar with the last starter unless one of the same or a higher class stands between.
    private static func compose(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result = [Unicode.Scalar]()
        result.reserveCapacity(scalars.count)
        var starter: Int?
        for scalar in scalars {
            let own = mark(scalar)
            if let index = starter {
                let isNext = index == result.count - 1
                if isNext || mark(result[result.count - 1]) < own, let whole = pair(result[index], scalar) {
                    result[index] = whole
                    continue
                }
            }
            if own == 0 { starter = result.count }
            result.append(scalar)
        }
        return result
    }

    /// The one scalar that two stand for.
    private static func pair(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
        let (a, b) = (first.value, second.value)
        // Hangul: leading consonant and vowel, syllable and trailing consonant.
        if (0x1100..<0x1113).contains(a), (0x1161..<0x1176).contains(b) {
            return Unicode.Scalar(0xAC00 + ((a - 0x1100) * 21 + b - 0x1161) * 28)
        }
        if (0xAC00..<0xD7A4).contains(a), (a - 0xAC00) % 28 == 0, (0x11A8..<0x11C3).contains(b) {
            return Unicode.Scalar(a + b - 0x11A7)
        }
        return pairs[Pair(first: first, second: second)]
    }

    private struct Pair: Hashable {
        let first: Unicode.Scalar
        let second: Unicode.Scalar
    }

    /// Composed scalars by their two halves, the first of which may be composed itself. Found by asking for the decomposition of all scalars of
    /// the ranges in which some are composed (Unicode 17).
    private static let pairs: [Pair: Unicode.Scalar] = {
        var parts = [[Unicode.Scalar]: Unicode.Scalar]()
        for range in [UInt32(0xC0)...0x1FFF, 0x2190...0x22FF, 0x3040...0x30FF, 0x11080...0x1195F, 0x16120...0x16D7F] {
            for scalar in range.lazy.compactMap({ Unicode.Scalar($0) }) {
                let halves = decomposed(scalar)
                guard halves.count > 1,
                    String(scalar).precomposedStringWithCanonicalMapping.unicodeScalars.elementsEqual([scalar])
                else { continue }
                parts[halves] = scalar
            }
        }
        var pairs = [Pair: Unicode.Scalar](minimumCapacity: parts.count)
        for (halves, scalar) in parts {
            let first = halves.count == 2 ? halves[0] : parts[halves.dropLast()]
            if let first { pairs[Pair(first: first, second: halves[halves.count - 1])] = scalar }
        }
        return pairs
    }()
}
