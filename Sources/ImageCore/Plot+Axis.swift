import Foundation

/// One axis of a chart: the range it shows, its ticks, and where numbers lie on it.
struct PlotAxis {
    let range: ClosedRange<Double>
    let scale: Plot.Scale
    let ticks: [(value: Double, label: String)]

    /// - Parameters:
    ///   - values: what the axis must show; those that the scale has no place for are ignored.
    ///   - wanted: its ends, if they are given.
    ///   - scale: linear or logarithmic.
    ///   - count: about so many ticks.
    ///   - includesZero: bars begin there.
    init(_ values: [Double], wanted: ClosedRange<Double>?, scale: Plot.Scale, count: Int, includesZero: Bool) {
        let usable = values.filter { $0.isFinite && (scale == .linear || $0 > 0) }
        var (low, high) = (usable.min() ?? (scale == .linear ? 0 : 1), usable.max() ?? (scale == .linear ? 1 : 10))
        if let wanted, wanted.upperBound.isFinite, wanted.lowerBound.isFinite, scale == .linear || wanted.lowerBound > 0 {
            (low, high) = (wanted.lowerBound, wanted.upperBound)
        } else if scale == .linear {
            if includesZero { (low, high) = (min(0, low), max(0, high)) }
            if low == high {
                let margin = low == 0 ? 0.5 : abs(low) * 0.1
                (low, high) = (low - margin, high + margin)
            }
            let room = (high - low) * 0.04
            low = includesZero && low == 0 ? 0 : low - room
            high = includesZero && high == 0 ? 0 : high + room
        } else {
            (low, high) = (low / 1.15, high * 1.15)
        }
        if !(low < high) { high = low + max(1, abs(low)) }
        self.scale = scale
        range = low...high
        ticks = scale == .linear ? Self.linearTicks(low, high, count) : Self.logarithmicTicks(low, high, count)
    }

    /// Where a value lies: 0 at the beginning of the axis, 1 at its end; nil when it has no place.
    func position(_ value: Double) -> Double? {
        guard value.isFinite else { return nil }
        switch scale {
        case .linear: return (value - range.lowerBound) / (range.upperBound - range.lowerBound)
        case .logarithmic:
            guard value > 0 else { return nil }
            return log(value / range.lowerBound) / log(range.upperBound / range.lowerBound)
        }
    }

    /// Steps of 1, 2 or 5 times a power of ten.
    private static func linearTicks(_ low: Double, _ high: Double, _ count: Int) -> [(value: Double, label: String)] {
        let rough = (high - low) / Double(max(1, count))
        let power = pow(10, floor(log10(rough)))
        let step = [1.0, 2, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? rough
        // An end that is a tick but for rounding counts as one.
        let first = (low / step - 1e-9).rounded(.up)
        let last = (high / step + 1e-9).rounded(.down)
        guard step > 0, step.isFinite, last >= first, last - first < 100 else { return [] }
        let largest = max(abs(low), abs(high))
        return (0...Int(last - first)).map {
            let value = (first + Double($0)) * step
            return (value, label(value, step: step, largest: largest))
        }
    }

    private static func logarithmicTicks(_ low: Double, _ high: Double, _ count: Int) -> [(value: Double, label: String)] {
        let decades = log10(high / low)
        let every = max(1, Int((decades / Double(max(1, count))).rounded(.up)))
        let factors: [Double] = decades < 1.2 ? [1, 2, 3, 5] : decades < 2.5 ? [1, 3] : [1]
        var ticks = [(value: Double, label: String)]()
        for exponent in stride(from: Int(floor(log10(low))), through: Int(ceil(log10(high))), by: every) {
            for factor in factors {
                let value = factor * pow(10, Double(exponent))
                if value >= low, value <= high { ticks.append((value, label(value, step: value, largest: value))) }
            }
        }
        return ticks
    }

    /// A number with the digits that tell ticks apart.
    private static func label(_ value: Double, step: Double, largest: Double) -> String {
        if value == 0 { return "0" }
        if largest >= 1e6 || largest < 1e-3 {
            let exponent = Int(floor(log10(abs(value))))
            let mantissa = value / pow(10, Double(exponent))
            let digits = max(0, exponent - Int(floor(log10(step) + 1e-9)))
            return String(format: "%.\(min(6, digits))fe%d", mantissa, exponent)
        }
        let digits = max(0, -Int(floor(log10(step) + 1e-9)))
        return String(format: "%.\(min(8, digits))f", value)
    }
}
