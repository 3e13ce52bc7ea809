extension Plot {
    private static let ink: RGBColour = (38, 42, 48)
    private static let quiet: RGBColour = (104, 110, 118)
    private static let grid: RGBColour = (228, 231, 235)
    private static let textSize = 8.5
    private static let titleSize = 11.0

    /// The chart as a picture.
    public func image() -> RGBImage {
        var canvas = PlotCanvas(width: width, height: height)
        let hasBars = series.contains { if case .bars = $0.mark { true } else { false } }
        let x = PlotAxis(
            xExtent, wanted: xRange, scale: xScale, count: max(2, width / 110), includesZero: false)
        let y = PlotAxis(
            series.flatMap(\.y), wanted: yRange, scale: yScale, count: max(2, height / 70), includesZero: hasBars)
        let named = series.enumerated().filter { !$0.element.name.isEmpty }.map { ($0.element, colour($0.offset)) }
        let legend = named.isEmpty ? [] : legendRows(named)

        var top = 16 + Self.titleSize
        if !subtitle.isEmpty { top += 18 }
        let legendTop = top + 18
        if !legend.isEmpty { top += 6 + 18 * Double(legend.count) }
        let labelWidth = y.ticks.map { StrokeFont.layOut($0.label, size: Self.textSize).width }.max() ?? 0
        let slanted = needsSlantedNames()
        let nameRoom = slanted ? min(110, 0.75 * (categories.map(nameWidth).max() ?? 0)) + 8 : 0
        let frame = PlotFrame(
            left: labelWidth + (yLabel.isEmpty ? 22 : 44), top: top + 14, right: Double(width) - 20,
            bottom: Double(height) - (xLabel.isEmpty ? 28 : 48) - nameRoom)
        guard frame.right - frame.left > 20, frame.bottom - frame.top > 20 else { return canvas.image }

        canvas.write(
            title, at: PlotPoint(x: 14, y: 12 + Self.titleSize), size: Self.titleSize, colour: Self.ink, bold: true)
        canvas.write(subtitle, at: PlotPoint(x: 14, y: 32 + Self.titleSize), size: Self.textSize, colour: Self.quiet)
        drawGrid(&canvas, frame, x, y)
        for (index, one) in series.enumerated() { draw(one, colour(index), &canvas, frame, x, y) }
        drawAxes(&canvas, frame, x, y, slanted: slanted)
        drawLegend(&canvas, legend, top: legendTop)
        return canvas.image
    }

    private func colour(_ index: Int) -> RGBColour { series[index].colour ?? Self.palette[index % Self.palette.count] }

    /// What the horizontal axis must show: all x, and the whole of the outermost bars.
    private var xExtent: [Double] {
        series.flatMap { one -> [Double] in
            guard case .bars(let share) = one.mark, let low = one.x.min(), let high = one.x.max() else { return one.x }
            let half = Self.distance(one.x) * share / 2
            return [low - half, high + half]
        }
    }

    /// The smallest distance of two different x, 1 when there is none.
    private static func distance(_ x: [Double]) -> Double {
        let sorted = x.filter(\.isFinite).sorted()
        return zip(sorted, sorted.dropFirst()).map { $1 - $0 }.filter { $0 > 0 }.min() ?? 1
    }

    private func place(_ x: Double, _ y: Double, _ frame: PlotFrame, _ xAxis: PlotAxis, _ yAxis: PlotAxis) -> PlotPoint? {
        guard let h = xAxis.position(x), let v = yAxis.position(y) else { return nil }
        // Far outside is as good as anywhere outside, and keeps lines short.
        return PlotPoint(
            x: frame.left + min(3, max(-2, h)) * (frame.right - frame.left),
            y: frame.bottom - min(3, max(-2, v)) * (frame.bottom - frame.top))
    }

    private func draw(
        _ one: Series, _ colour: RGBColour, _ canvas: inout PlotCanvas, _ frame: PlotFrame, _ x: PlotAxis, _ y: PlotAxis
    ) {
        let clip = PlotFrame(left: frame.left, top: frame.top, right: frame.right + 1, bottom: frame.bottom)
        let points = zip(one.x, one.y).map { place($0, $1, frame, x, y) }
        switch one.mark {
        case .line(let width):
            for run in runs(points) { canvas.stroke(run, width: width, colour: colour, opacity: one.opacity, clip: clip) }
        case .dashes(let width):
            for run in runs(points) {
                for dash in Self.dashes(run) {
                    canvas.stroke(dash, width: width, colour: colour, opacity: one.opacity, clip: clip)
                }
            }
        case .points(let radius):
            for point in points.compactMap({ $0 }) {
                canvas.stroke([point], width: 2 * radius, colour: colour, opacity: one.opacity, clip: clip)
            }
        case .bars(let share):
            let step = categories.isEmpty ? Self.distance(one.x) : 1
            let foot = y.scale == .linear ? min(y.range.upperBound, max(y.range.lowerBound, 0)) : y.range.lowerBound
            for (h, v) in zip(one.x, one.y) {
                guard let a = place(h - step * share / 2, foot, frame, x, y), let b = place(h + step * share / 2, v, frame, x, y)
                else { continue }
                let bar = PlotFrame(left: a.x, top: min(a.y, b.y), right: b.x, bottom: max(a.y, b.y))
                canvas.fill(bar, colour: colour, opacity: one.opacity, clip: clip)
            }
        }
    }

    /// The parts of a line between points that have no place.
    private func runs(_ points: [PlotPoint?]) -> [[PlotPoint]] {
        points.split(separator: nil).map { $0.compactMap { $0 } }
    }

    /// Pieces of six pixels with gaps of four along a line.
    private static func dashes(_ points: [PlotPoint]) -> [[PlotPoint]] {
        var pieces = [[PlotPoint]]()
        var (walked, isDrawing) = (0.0, true)
        var piece = points.first.map { [$0] } ?? []
        for (a, b) in zip(points, points.dropFirst()) {
            let length = ((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)).squareRoot()
            var along = 0.0
            while length - along > 0 {
                let left = (isDrawing ? 6 : 4) - walked
                let step = min(left, length - along)
                along += step
                walked += step
                let point = PlotPoint(x: a.x + (b.x - a.x) * along / length, y: a.y + (b.y - a.y) * along / length)
                if isDrawing { piece.append(point) }
                if walked >= (isDrawing ? 6 : 4) - 1e-9 {
                    if isDrawing { pieces.append(piece) }
                    (walked, isDrawing) = (0, !isDrawing)
                    piece = [point]
                }
            }
        }
        if isDrawing, piece.count > 1 { pieces.append(piece) }
        return pieces
    }

    // MARK: Axes

    private func drawGrid(_ canvas: inout PlotCanvas, _ frame: PlotFrame, _ x: PlotAxis, _ y: PlotAxis) {
        for tick in y.ticks {
            guard let position = y.position(tick.value) else { continue }
            let at = (frame.bottom - position * (frame.bottom - frame.top)).rounded()
            canvas.fill(PlotFrame(left: frame.left, top: at, right: frame.right, bottom: at + 1), colour: Self.grid)
        }
        guard categories.isEmpty else { return }
        for tick in x.ticks {
            guard let position = x.position(tick.value) else { continue }
            let at = (frame.left + position * (frame.right - frame.left)).rounded()
            canvas.fill(PlotFrame(left: at, top: frame.top, right: at + 1, bottom: frame.bottom), colour: Self.grid)
        }
    }

    private func drawAxes(_ canvas: inout PlotCanvas, _ frame: PlotFrame, _ x: PlotAxis, _ y: PlotAxis, slanted: Bool) {
        let size = Self.textSize
        for tick in y.ticks {
            guard let position = y.position(tick.value) else { continue }
            let at = frame.bottom - position * (frame.bottom - frame.top)
            canvas.write(
                tick.label, at: PlotPoint(x: frame.left - 8, y: at + size / 2), size: size, colour: Self.quiet, anchor: 1)
        }
        if categories.isEmpty {
            for tick in x.ticks {
                guard let position = x.position(tick.value) else { continue }
                let at = frame.left + position * (frame.right - frame.left)
                canvas.fill(
                    PlotFrame(left: at.rounded(), top: frame.bottom, right: at.rounded() + 1, bottom: frame.bottom + 4),
                    colour: Self.quiet)
                canvas.write(
                    tick.label, at: PlotPoint(x: at, y: frame.bottom + 10 + size), size: size, colour: Self.quiet, anchor: 0.5)
            }
        } else {
            for (index, name) in categories.enumerated() {
                guard let position = x.position(Double(index)), (0...1).contains(position) else { continue }
                let at = frame.left + position * (frame.right - frame.left)
                if slanted {
                    let place = PlotPoint(x: at + size / 2, y: frame.bottom + 8 + size / 2)
                    canvas.write(name, at: place, size: size, colour: Self.quiet, anchor: 1, slope: (0.75, -0.6614))
                } else {
                    canvas.write(
                        name, at: PlotPoint(x: at, y: frame.bottom + 10 + size), size: size, colour: Self.quiet, anchor: 0.5)
                }
            }
        }
        canvas.fill(
            PlotFrame(left: frame.left, top: frame.bottom, right: frame.right, bottom: frame.bottom + 1), colour: Self.quiet)
        canvas.fill(
            PlotFrame(left: frame.left, top: frame.top, right: frame.left + 1, bottom: frame.bottom), colour: Self.quiet)
        canvas.write(
            xLabel, at: PlotPoint(x: (frame.left + frame.right) / 2, y: Double(height) - 10), size: size, colour: Self.ink,
            anchor: 0.5)
        canvas.write(
            yLabel, at: PlotPoint(x: 12 + size, y: (frame.top + frame.bottom) / 2), size: size, colour: Self.ink, anchor: 0.5,
            slope: (0, -1))
    }

    private func nameWidth(_ name: String) -> Double { StrokeFont.layOut(name, size: Self.textSize).width }

    /// Whether the names under the bars are too wide to stand side by side.
    private func needsSlantedNames() -> Bool {
        guard !categories.isEmpty else { return false }
        let room = Double(width - 80) / Double(categories.count) - 8
        return categories.contains { nameWidth($0) > room }
    }

    // MARK: Legend

    private struct LegendItem {
        let series: Series
        let colour: RGBColour
        let left: Double
    }

    /// Names in rows as wide as the chart.
    private func legendRows(_ named: [(Series, RGBColour)]) -> [[LegendItem]] {
        var rows: [[LegendItem]] = [[]]
        var left = 14.0
        for (one, colour) in named {
            let width = 26 + nameWidth(one.name) + 18
            if left + width > Double(self.width), !rows[rows.count - 1].isEmpty {
                rows.append([])
                left = 14
            }
            rows[rows.count - 1].append(LegendItem(series: one, colour: colour, left: left))
            left += width
        }
        return rows
    }

    private func drawLegend(_ canvas: inout PlotCanvas, _ rows: [[LegendItem]], top: Double) {
        for (row, items) in rows.enumerated() {
            let middle = top + 18 * Double(row) - 3
            for item in items {
                let (a, b) = (PlotPoint(x: item.left + 1, y: middle), PlotPoint(x: item.left + 19, y: middle))
                let opacity = item.series.opacity
                switch item.series.mark {
                case .line(let width): canvas.stroke([a, b], width: width, colour: item.colour, opacity: opacity)
                case .dashes(let width):
                    for dash in Self.dashes([a, b]) {
                        canvas.stroke(dash, width: width, colour: item.colour, opacity: opacity)
                    }
                case .points(let radius):
                    canvas.stroke(
                        [PlotPoint(x: item.left + 10, y: middle)], width: 2 * radius, colour: item.colour, opacity: opacity)
                case .bars:
                    let box = PlotFrame(left: item.left + 5, top: middle - 5, right: item.left + 15, bottom: middle + 5)
                    canvas.fill(box, colour: item.colour, opacity: opacity)
                }
                canvas.write(
                    item.series.name, at: PlotPoint(x: item.left + 26, y: middle + Self.textSize / 2), size: Self.textSize,
                    colour: Self.ink)
            }
        }
    }
}
