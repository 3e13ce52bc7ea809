import EngineAPI

/// What a person types to find faces: words that must all hold. A word is a part of a name or a tag, an attribute ("glasses"), an
/// attribute with a number ("male>0.5", "age<30"), or any of these with "-" or "!" before it for the opposite.
struct Search: Sendable {
    enum Comparison: Sendable, Hashable {
        case above, below
    }

    struct Term: Sendable {
        var word: String
        var isNegated: Bool
        /// Columns of the label table that the word names.
        var columns: [Int]
        var comparison: Comparison?
        var threshold: Float
    }

    let terms: [Term]

    /// - Parameters:
    ///   - query: as typed.
    ///   - attributes: the labels of the space.
    init(_ query: String, attributes: [AttributeLabel]) {
        terms = query.split(separator: " ").compactMap { Self.term(String($0), attributes: attributes) }
    }

    var isEmpty: Bool { terms.isEmpty }

    private static func term(_ typed: String, attributes: [AttributeLabel]) -> Term? {
        var word = typed.lowercased()
        var isNegated = false
        if let first = word.first, first == "-" || first == "!" || first == "−" {
            isNegated = true
            word.removeFirst()
        }
        guard !word.isEmpty else { return nil }
        if let sign = word.firstIndex(where: { $0 == ">" || $0 == "<" || $0 == "=" }) {
            let name = String(word[..<sign])
            var number = word[word.index(after: sign)...]
            let includesEqual = number.first == "="
            if includesEqual { number.removeFirst() }
            // While the number is still being typed the word alone counts.
            guard let threshold = Float(number) else {
                return name.isEmpty
                    ? nil
                    : Term(word: name, isNegated: isNegated, columns: columns(name, attributes), comparison: nil, threshold: 0.5)
            }
            if word[sign] == "=" {
                return Term(
                    word: name, isNegated: isNegated != (threshold < 0.5), columns: columns(name, attributes), comparison: .above,
                    threshold: 0.5)
            }
            let isAbove = word[sign] == ">"
            return Term(
                word: name, isNegated: isNegated, columns: columns(name, attributes), comparison: isAbove ? .above : .below,
                threshold: !includesEqual ? threshold : isAbove ? threshold.nextDown : threshold.nextUp)
        }
        return Term(word: word, isNegated: isNegated, columns: columns(word, attributes), comparison: nil, threshold: 0.5)
    }

    /// An attribute of exactly this name; else those that begin with it; else those that contain it. "No_..." only when it is typed, so
    /// that "beard" does not find everybody without one.
    private static func columns(_ word: String, _ attributes: [AttributeLabel]) -> [Int] {
        let plain = word.replacing("_", with: " ")
        guard plain.count >= 2 else { return [] }
        var parts: [Int] = []
        var beginnings: [Int] = []
        for (column, attribute) in attributes.enumerated() {
            if attribute.words == plain || attribute.name.lowercased() == word { return [column] }
            if attribute.words.hasPrefix("no "), !plain.hasPrefix("no") { continue }
            if attribute.words.hasPrefix(plain) { beginnings.append(column) }
            if attribute.words.contains(plain) { parts.append(column) }
        }
        return beginnings.isEmpty ? parts : beginnings
    }

    /// Whether an identity is meant.
    func matches(row: Int, of table: IdentityTable) -> Bool {
        terms.allSatisfy { term in
            let labelled = term.columns.contains { column in
                let value = table.attribute(column, at: row)
                return term.comparison == .below ? value < term.threshold : value > term.threshold
            }
            let named = term.comparison == nil && table.names[row].lowercased().contains(term.word)
            return (labelled || named) != term.isNegated
        }
    }

    /// Whether a favourite is meant: by its name, its tags, or what it came from.
    func matches(_ favourite: Favourite) -> Bool {
        terms.allSatisfy { term in
            let found =
                term.comparison == nil
                && (favourite.name.lowercased().contains(term.word)
                    || favourite.tags.contains {
                        $0.lowercased().contains(term.word.hasPrefix("#") ? String(term.word.dropFirst()) : term.word)
                    }
                    || favourite.state.origin.lowercased().contains(term.word))
            return found != term.isNegated
        }
    }
}
