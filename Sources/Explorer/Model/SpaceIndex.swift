import EngineAPI

/// The opened space with what the views ask of it again and again, computed once.
struct SpaceIndex: Sendable {
    let description: SpaceDescription
    /// By axis: words for it from its correlated attributes, or empty.
    let axisNames: [String]
    /// By column of the label table.
    let attributes: [AttributeLabel]
    /// By direction of the description.
    let readings: [DirectionReading]
    /// Axes that act, in the space's order.
    let active: [Int]
    /// How ordinary codes are; nil until the engine has worked it out, and where there are too few people.
    var gauge: TypicalityGauge?

    /// Correlations below this say nothing about an axis.
    static let speakingCorrelation: Float = 0.2

    init(_ description: SpaceDescription, gauge: TypicalityGauge? = nil) {
        self.description = description
        self.gauge = gauge
        attributes = description.identities.attributeNames.indices.map { AttributeLabel(column: $0, of: description.identities) }
        axisNames = description.axes.map(Self.name)
        readings = description.directions.map { DirectionReading($0, axes: description.axes) }
        active = description.axes.filter(\.isActive).map(\.index)
    }

    private static func unit(_ axis: AxisDescription) -> Float { axis.deviation > 1e-5 ? axis.deviation : 1 }

    /// "male, −young": what goes along with the axis, at most two attributes that do not say the same thing.
    private static func name(_ axis: AxisDescription) -> String {
        var words: [String] = []
        var spoken: Set<String> = []
        for correlation in axis.correlations where abs(correlation.value) >= speakingCorrelation {
            let parts = Set(correlation.attribute.lowercased().split(separator: "_").map(String.init))
            guard spoken.isDisjoint(with: parts) else { continue }
            spoken.formUnion(parts)
            words.append((correlation.value < 0 ? "−" : "") + AttributeLabel.humanised(correlation.attribute))
            if words.count == 2 { break }
        }
        // What there is more of before what there is less of.
        return (words.filter { $0.first != "−" } + words.filter { $0.first == "−" }).joined(separator: ", ")
    }

    /// "07" in a space of 64 axes, "007" in one of 512.
    func number(of axis: Int) -> String {
        let digits = String(max(0, description.axes.count - 1)).count
        let text = String(axis)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// How an axis is called in a sentence: by the first word of its name, or "axis 07" where nothing is known of it.
    func spokenName(of axis: Int) -> String {
        axisNames[axis].split(separator: ",").first.map(String.init) ?? "axis \(number(of: axis))"
    }

    /// Whether codes have a prior, which a PCA's have not.
    var hasPrior: Bool { description.model != .pca }

    /// Whether codes mean anything here: a space without a weight VAE has people but no axes.
    var hasCodes: Bool { !description.axes.isEmpty }

    /// What a picture of a code shows; where there are no codes, the person of that name with the vector of the space.
    func subject(_ code: WeightCode, name: String) -> Subject {
        hasCodes ? .code(code) : description.identities.names.contains(name) ? .identity(name) : .base
    }

    /// Place of a code on an axis in standard deviations from the middle of the space.
    func sigma(_ code: WeightCode, _ axis: Int) -> Float {
        let description = description.axes[axis]
        return (code[axis] - description.mean) / Self.unit(description)
    }

    /// The coordinate at so many standard deviations.
    func coordinate(sigma: Float, _ axis: Int) -> Float {
        let description = description.axes[axis]
        return description.mean + sigma * Self.unit(description)
    }

    /// The share of identities that lie at least as far out: 1 in the middle, about one half for an ordinary person, 0 beyond everybody; nil
    /// where nobody knows.
    func typicality(_ code: WeightCode) -> Float? { gauge.map { $0(code) } }

    /// Cosine of two codes in sigma units over the active axes, -1...1; 0 in the middle of the space.
    func similarity(_ left: WeightCode, _ right: WeightCode) -> Float {
        var product: Float = 0
        var leftSquare: Float = 0
        var rightSquare: Float = 0
        for axis in active {
            let (a, b) = (sigma(left, axis), sigma(right, axis))
            product += a * b
            leftSquare += a * a
            rightSquare += b * b
        }
        let scale = (leftSquare * rightSquare).squareRoot()
        return scale > 1e-9 ? product / scale : 0
    }

    /// Similarity of every identity to a code, by row. Work in proportion to the space: not for every key.
    func similarities(to code: WeightCode) -> [Float] {
        let table = description.identities
        // product = sum (z - mean)/s * c  =  sum z * (c / s) - constant, so that the loop over rows is a plain dot product.
        let directions = active.map { axis in
            (axis, sigma(code, axis), 1 / Self.unit(description.axes[axis]), description.axes[axis].mean)
        }
        let own = directions.reduce(Float(0)) { $0 + $1.1 * $1.1 }
        return table.codes.withUnsafeBufferPointer { codes in
            (0..<table.count).map { row in
                let base = row * table.latentDimension
                var product: Float = 0
                var square: Float = 0
                for (axis, value, scale, mean) in directions {
                    let here = (codes[base + axis] - mean) * scale
                    product += here * value
                    square += here * here
                }
                let norm = (square * own).squareRoot()
                return norm > 1e-9 ? product / norm : 0
            }
        }
    }

    /// The most similar identities, best first, without `excluded`; none where no axis tells people apart.
    func nearest(to code: WeightCode, count: Int, excluding excluded: Int? = nil) -> [(row: Int, similarity: Float)] {
        guard !active.isEmpty else { return [] }
        var best: [(row: Int, similarity: Float)] = []
        for (row, similarity) in similarities(to: code).enumerated() where row != excluded {
            if best.count == count, let last = best.last, similarity <= last.similarity { continue }
            let place = best.firstIndex { $0.similarity < similarity } ?? best.count
            best.insert((row, similarity), at: place)
            if best.count > count { best.removeLast() }
        }
        return best
    }

    /// The farthest that an identity lies from the middle on an axis, in sigma.
    func reach(_ axis: Int) -> Float {
        let table = description.identities
        var farthest: Float = 0
        for row in 0..<table.count {
            let value =
                (table.codes[row * table.latentDimension + axis] - description.axes[axis].mean)
                / Self.unit(description.axes[axis])
            farthest = max(farthest, abs(value))
        }
        return farthest
    }
}

/// A column of the label table and how to speak of it.
struct AttributeLabel: Sendable {
    enum Kind: Sendable {
        /// 0 or 1 (or -1 and 1): said or not said.
        case flag
        /// 0...1: a percentage.
        case share
        /// Anything else: the number itself.
        case number
    }

    /// As the table has it: "Big_Nose".
    let name: String
    /// As a person says it: "big nose".
    let words: String
    let kind: Kind

    init(column: Int, of table: IdentityTable) {
        name = table.attributeNames[column]
        words = Self.humanised(name)
        var isFlag = true
        var isShare = true
        for row in stride(from: 0, to: table.count, by: max(1, table.count / 1024)) {
            let value = table.attribute(column, at: row)
            if value.isNaN { continue }
            if value != 0 && value != 1 && value != -1 { isFlag = false }
            if value < 0 || value > 1 { isShare = false }
        }
        kind = isFlag ? .flag : isShare ? .share : .number
    }

    static func humanised(_ name: String) -> String {
        var words = name.lowercased().replacing("5_o_clock", with: "5 o'clock").replacing("_", with: " ")
        // The number that follows says what it counts.
        if words.hasSuffix(" years") { words.removeLast(6) }
        return words
    }

    /// "eyeglasses", "male 23 %", "age years 40"; nil for a flag that is not set or a label that is missing.
    func spoken(_ value: Float) -> String? {
        if value.isNaN { return nil }
        switch kind {
        case .flag: return value > 0.5 ? words : nil
        case .share: return "\(words) \(Int((value * 100).rounded())) %"
        case .number: return "\(words) \(Int(value.clamped(to: -1e6...1e6).rounded()))"
        }
    }
}

extension Comparable {
    func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
