/// A chart with axes, ticks, labels and a legend on white.
///
/// Series are drawn in their order, each with the next colour of the palette unless it names one. Values that are not finite are left out;
/// so are values from 0 down on a logarithmic axis.
public struct Plot: Sendable {
    /// How the numbers of an axis are spread.
    public enum Scale: Sendable, Equatable { case linear, logarithmic }

    /// How a series is drawn.
    public enum Mark: Sendable, Equatable {
        /// A line through the points; not finite values part it. `width` is in pixels.
        case line(width: Double = 2)
        /// A dashed line.
        case dashes(width: Double = 1.5)
        /// Discs of this radius in pixels.
        case points(radius: Double = 3)
        /// A bar from 0 (on a logarithmic axis: from the foot) to each value, as wide as `share` of the smallest distance of two x.
        case bars(share: Double = 0.8)
    }

    /// Numbers under one name.
    public struct Series: Sendable {
        /// For the legend; empty leaves it out.
        public var name: String
        public var x, y: [Double]
        public var mark: Mark
        /// Nil takes the next colour of `Plot.palette`.
        public var colour: RGBColour?
        /// 0...1
        public var opacity: Double

        /// - Parameters:
        ///   - name: for the legend; empty leaves it out.
        ///   - x: as many numbers as `y`, or nil for 0, 1, 2, …
        ///   - y: the values.
        ///   - mark: how they are drawn.
        ///   - colour: nil takes the next colour of the palette.
        ///   - opacity: 0...1
        public init(
            _ name: String = "", x: [Double]? = nil, y: [Double], mark: Mark = .line(), colour: RGBColour? = nil,
            opacity: Double = 1
        ) {
            self.name = name
            self.x = x ?? y.indices.map(Double.init)
            self.y = y
            self.mark = mark
            self.colour = colour
            self.opacity = opacity
        }
    }

    /// Colours that people with any colour vision can tell apart (after Okabe and Ito).
    public static let palette: [RGBColour] = [
        (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (90, 90, 90), (140, 86, 75),
    ]

    public var title: String
    /// A second, smaller line, or empty.
    public var subtitle = ""
    public var xLabel, yLabel: String
    public var series: [Series]
    /// The ends of the axes; nil takes them from the values.
    public var xRange, yRange: ClosedRange<Double>?
    public var xScale = Scale.linear, yScale = Scale.linear
    /// Names for x = 0, 1, 2, … instead of numbers.
    public var categories: [String] = []
    /// Size in pixels.
    public var width, height: Int

    /// - Parameters:
    ///   - title: above the chart.
    ///   - xLabel: under the horizontal axis.
    ///   - yLabel: beside the vertical axis.
    ///   - series: what is drawn.
    ///   - width: in pixels, at least 160.
    ///   - height: in pixels, at least 120.
    public init(
        _ title: String, xLabel: String = "", yLabel: String = "", series: [Series] = [], width: Int = 640, height: Int = 400
    ) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.series = series
        self.width = max(160, width)
        self.height = max(120, height)
    }

    /// A line chart of one series.
    public static func line(_ title: String, x: [Double]? = nil, y: [Double], xLabel: String = "", yLabel: String = "") -> Plot {
        Plot(title, xLabel: xLabel, yLabel: yLabel, series: [Series(x: x, y: y)])
    }

    /// Points without lines.
    public static func scatter(_ title: String, x: [Double], y: [Double], xLabel: String = "", yLabel: String = "") -> Plot {
        Plot(title, xLabel: xLabel, yLabel: yLabel, series: [Series(x: x, y: y, mark: .points(), opacity: 0.6)])
    }

    /// How often values fall into equal intervals; several groups share the intervals and lie over each other.
    /// - Parameters:
    ///   - title: above the chart.
    ///   - groups: values under their names, for the legend.
    ///   - bins: number of intervals over the range of all finite values.
    ///   - xLabel: under the horizontal axis.
    ///   - yLabel: beside the vertical axis.
    ///   - asShare: heights are shares of the group instead of counts.
    /// - Returns: the chart.
    public static func histogram(
        _ title: String, groups: [(name: String, values: [Double])], bins: Int = 30, xLabel: String = "",
        yLabel: String = "count", asShare: Bool = false
    ) -> Plot {
        let bins = max(1, bins)
        let finite = groups.map { (name: $0.name, values: $0.values.filter(\.isFinite)) }
        let all = finite.flatMap(\.values)
        let (low, high) = (all.min() ?? 0, all.max() ?? 1)
        let step = high > low ? (high - low) / Double(bins) : 1
        let centres = (0..<bins).map { low + (Double($0) + 0.5) * step }
        let series = finite.map { group in
            var heights = [Double](repeating: 0, count: bins)
            for value in group.values {
                heights[min(bins - 1, max(0, Int(((value - low) / step).rounded(.down))))] += 1
            }
            if asShare, !group.values.isEmpty { heights = heights.map { $0 / Double(group.values.count) } }
            return Series(group.name, x: centres, y: heights, mark: .bars(share: 1), opacity: groups.count > 1 ? 0.55 : 0.9)
        }
        return Plot(title, xLabel: xLabel, yLabel: yLabel, series: series)
    }

    /// One bar for each name; several groups stand side by side.
    /// - Parameters:
    ///   - title: above the chart.
    ///   - categories: names under the bars.
    ///   - groups: one value for each category under the group's name, for the legend.
    ///   - yLabel: beside the vertical axis.
    /// - Returns: the chart.
    public static func bars(
        _ title: String, categories: [String], groups: [(name: String, values: [Double])], yLabel: String = ""
    ) -> Plot {
        let share = 0.8 / Double(max(1, groups.count))
        let series = groups.enumerated().map { index, group in
            let shift = (Double(index) - Double(groups.count - 1) / 2) * share
            return Series(
                group.name, x: group.values.indices.map { Double($0) + shift }, y: group.values,
                mark: .bars(share: share * 0.94), opacity: 0.9)
        }
        var plot = Plot(title, yLabel: yLabel, series: series)
        plot.categories = categories
        plot.xRange = -0.6...(Double(max(1, categories.count)) - 0.4)
        return plot
    }

    /// Charts side by side on white, filled row by row.
    /// - Parameters:
    ///   - plots: at least one.
    ///   - columns: charts in a row.
    /// - Returns: one picture.
    /// - Precondition: `plots` is not empty.
    public static func sheet(_ plots: [Plot], columns: Int = 2) -> RGBImage {
        RGBImage.contactSheet(plots.map { $0.image() }, columns: columns, gap: 8, background: (255, 255, 255))
    }
}
