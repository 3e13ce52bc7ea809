import Foundation

/// Normalises a text and splits it into the words that byte-pair encoding works on (the normalizer and pre-tokenizer of transformers'
/// `CLIPTokenizer`).
enum CLIPWordSplitter {
    private static let contractions: [[Unicode.Scalar]] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
        Array($0.unicodeScalars)
    }
    /// The names of special tokens that lower-casing made: the pattern keeps each together, then the byte-level step splits it into these.
    private static let spelledSpecials: [[[Unicode.Scalar]]] = [["<|", "startoftext", "|>"], ["<|", "endoftext", "|>"]].map {
        $0.map { Array($0.unicodeScalars) }
    }

    /// The words of a normalised text: contractions, runs of letters, single digits, runs of other signs; white space only separates.
    static func words(of scalars: [Unicode.Scalar]) -> [String] {
        var words = [String]()
        var position = 0
        func append(_ count: Int) {
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars[position..<(position + count)])
            words.append(String(view))
            position += count
        }
        while position < scalars.count {
            let rest = scalars[position...]
            if let special = spelledSpecials.first(where: { rest.starts(with: $0.joined()) }) {
                special.forEach { append($0.count) }
            } else if let contraction = contractions.first(where: { rest.starts(with: $0) }) {
                append(contraction.count)
            } else {
                switch kind(scalars[position]) {
                case .space: position += 1
                case .number: append(1)
                case .letter: append(rest.prefix { kind($0) == .letter }.count)
                case .other: append(rest.prefix { kind($0) == .other }.count)
                }
            }
        }
        return words
    }

    /// Canonical composition (NFC), then lower case, scalar by scalar: a final sigma gets no special form.
    static func normalized(_ text: String) -> [Unicode.Scalar] {
        CanonicalComposition.composed(text).flatMap { scalar in
            scalar.isASCII ? [asciiLowercase(scalar)] : Array(scalar.properties.lowercaseMapping.unicodeScalars)
        }
    }

    private static func asciiLowercase(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        ("A"..."Z").contains(scalar) ? Unicode.Scalar(UInt8(scalar.value) + 32) : scalar
    }

    private enum Kind { case space, letter, number, other }

    private static func kind(_ scalar: Unicode.Scalar) -> Kind {
        if scalar.properties.isWhitespace { return .space }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
        case .decimalNumber, .letterNumber, .otherNumber: return .number
        default: return .other
        }
    }
}
