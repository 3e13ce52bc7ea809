import EngineAPI

/// The sliders of named directions below the axes.
struct DirectionList: Sendable {
    /// Directions of the description that match the filter, in its order.
    var rows: [Int] = []
    var selected = 0
    var top = 0
    /// Whether the chosen slider is one of these rather than an axis.
    var hasFocus = false
    /// Names of the directions whose reading stays while another one is moved.
    var held: Set<String> = []

    var selectedDirection: Int? { hasFocus && rows.indices.contains(selected) ? rows[selected] : nil }
}

/// A direction in units of the people's deviation on each axis, where lengths and angles mean something.
struct DirectionReading: Sendable {
    /// The step for strength 1, in deviations. `[latentDim]`
    let unit: [Float]
    /// Its squared length.
    let square: Float

    init(_ direction: DirectionDescription, axes: [AxisDescription]) {
        unit = zip(direction.step, axes).map { $1.deviation > 1e-5 ? $0 / $1.deviation : $0 }
        square = unit.reduce(0) { $0 + $1 * $1 }
    }

    /// How far a code lies along it from the middle of the space, in units of strength; 0 for a direction of no length.
    func value(of code: WeightCode, axes: [AxisDescription]) -> Float {
        guard square > 1e-12, code.count == unit.count else { return 0 }
        var product: Float = 0
        for (axis, unit) in zip(axes, unit) {
            let deviation = axis.deviation > 1e-5 ? axis.deviation : 1
            product += (code[axis.index] - axis.mean) / deviation * unit
        }
        return product / square
    }

    /// The step that raises this reading by 1 and leaves the readings of others as they are: the part of it that is at right angles to
    /// all of them, made longer (weights2weights' `debias`, for several directions at once).
    /// - Parameters:
    ///   - held: the others.
    ///   - axes: of the space.
    /// - Returns: change of the code for strength 1, or nil where the others say the same: less than a tenth of it is left.
    func step(holding held: [DirectionReading], axes: [AxisDescription]) -> [Float]? {
        var basis: [[Float]] = []
        func without(_ vector: [Float]) -> [Float] {
            basis.reduce(vector) { rest, axis in
                let product = zip(rest, axis).reduce(Float(0)) { $0 + $1.0 * $1.1 }
                return zip(rest, axis).map { $0 - product * $1 }
            }
        }
        for other in held {
            let rest = without(other.unit)
            let length = rest.reduce(0) { $0 + $1 * $1 }.squareRoot()
            if length > 1e-4 * max(1e-9, other.square.squareRoot()) { basis.append(rest.map { $0 / length }) }
        }
        let rest = without(unit)
        let left = rest.reduce(0) { $0 + $1 * $1 }
        guard square > 1e-12, left > 0.01 * square else { return nil }
        return zip(rest, axes).map { $0 * square / left * ($1.deviation > 1e-5 ? $1.deviation : 1) }
    }
}
