import EngineAPI
import ScreenModel

extension ExplorerModel {
    /// The chosen axis: the faces along it, its figures, how the people lie along it, and what goes along with it.
    func drawPassport(on canvas: inout Canvas, in rect: Rect, _ index: SpaceIndex) {
        guard let axis = axes.selectedAxis ?? axes.rows.first, let passport, passport.axis == axis else {
            let inner = canvas.pane(rect, titles: ["Passport"])
            if axes.rows.isEmpty { canvas.centred("no axis is chosen", in: inner, row: inner.rows / 2, .dim) }
            return
        }
        let description = index.description.axes[axis]
        let name = index.axisNames[axis]
        let title = name.isEmpty ? "axis \(index.number(of: axis))" : "\(index.number(of: axis)) \(name)"
        let inner = canvas.pane(rect, titles: ["Passport", title, keyOfPane("space", canvas.grid.size)]).inset(left: 1, right: 1)
        guard inner.rows >= 4, inner.columns >= 24 else { return }
        // Faces as large as leaves six lines for the figures.
        let stops = Passport.stops
        let slot = inner.columns / stops.count
        let faceRows = showsPictures ? min(inner.rows - 6, Int(Double(slot - 1) / cellAspect)) : 0
        var y = inner.y
        if faceRows >= 2 {
            drawPassportFaces(slot: slot, faceRows: faceRows, on: &canvas, in: inner)
            y += faceRows + 1
        }
        let figures = inner.inset(top: y - inner.y)
        drawFigures(description, passport, on: &canvas, in: figures, index)
    }

    private func drawPassportFaces(slot: Int, faceRows: Int, on canvas: inout Canvas, in inner: Rect) {
        let faceColumns = max(1, Int((Double(faceRows) * cellAspect).rounded()))
        let left = inner.x + (inner.columns - slot * Passport.stops.count) / 2
        for (place, request) in passportRequests.enumerated() {
            let cell = Rect(x: left + place * slot, y: inner.y, columns: slot, rows: faceRows + 1)
            let face = Rect(x: cell.x + (slot - faceColumns) / 2, y: cell.y, columns: faceColumns, rows: faceRows)
            canvas.hit(cell, .passportFace(place))
            drawFace(request, slot: "passport \(place)", in: face, on: &canvas)
            let stop = Passport.stops[place]
            canvas.centred(
                stop == 0 ? "0" : "\(stop > 0 ? "+" : "−")\(Format.fixed(abs(stop), 0)) σ",
                in: Rect(x: cell.x, y: face.maxY, columns: slot, rows: 1), row: 0, stop == 0 ? .text : .dim)
        }
    }

    private func drawFigures(
        _ axis: AxisDescription, _ passport: Passport, on canvas: inout Canvas, in rect: Rect, _ index: SpaceIndex
    ) {
        guard rect.rows > 0 else { return }
        var facts = [
            axis.faceEffect.map { "face \(Format.fixed($0, 2))" }, index.hasPrior ? "KL \(Format.fixed(axis.kl, 2)) nats" : nil,
        ]
        .compactMap(\.self)
        facts.append("variance \(Format.fixed(axis.variance, 2))")
        let effect = "effect \(Format.fixed(axis.effect, 2))"
        var words = ([effect + " of the strongest"] + facts).joined(separator: " · ")
        // What has no room is left out whole, the last first: all of it stands in the list too.
        var told = facts.count
        while TextWidth.columns(of: words) > rect.columns, told >= 0 {
            words = ([effect] + facts.prefix(told)).joined(separator: " · ")
            told -= 1
        }
        if !axis.isActive { words = "silent: moving it changes nothing · KL \(Format.fixed(axis.kl, 3)) nats" }
        canvas.field(words, x: rect.x, y: rect.y, columns: rect.columns, axis.isActive ? .text : .warning, clip: rect)
        // Where the people lie, with the prior below for comparison, beside what goes along with the axis.
        let histogramColumns = Passport.bins + 8
        let isBeside = rect.columns >= histogramColumns + 26
        var y = rect.y + 1
        if rect.rows >= 4 {
            drawHistogram(passport, at: Point(x: rect.x, y: y), on: &canvas, in: rect, index)
            if !isBeside { y += index.hasPrior ? 4 : 2 }
        }
        let x = isBeside && rect.rows >= 4 ? rect.x + histogramColumns + 2 : rect.x
        let area = Rect(x: x, y: y, columns: rect.maxX - x, rows: rect.maxY - y)
        drawCorrelations(axis, on: &canvas, in: area)
    }

    private func drawHistogram(_ passport: Passport, at point: Point, on canvas: inout Canvas, in rect: Rect, _ index: SpaceIndex)
    {
        let most = max(passport.people.max() ?? 0, passport.prior.max() ?? 0, 1e-9)
        for (line, (title, shares)) in [("people", passport.people), ("prior", passport.prior)].enumerated() {
            guard line == 0 || index.hasPrior else { continue }
            var x = canvas.field(title, x: point.x, y: point.y + line, columns: 7, .dim, clip: rect)
            for share in shares {
                // What is empty stays empty: a low bar would say that somebody is there.
                x = canvas.text(
                    share <= 0 ? " " : Canvas.level(share / most), x: x, y: point.y + line, line == 0 ? .accent : .dim, clip: rect
                )
            }
        }
        let row = point.y + (index.hasPrior ? 2 : 1)
        guard row < rect.maxY else { return }
        canvas.text("−3 σ", x: point.x + 7, y: row, .dim, clip: rect)
        canvas.text("0", x: point.x + 7 + Passport.bins / 2, y: row, .dim, clip: rect)
        canvas.text("+3 σ", x: point.x + 7 + Passport.bins - 4, y: row, .dim, clip: rect)
        if index.hasPrior, row + 1 < rect.maxY {
            canvas.text(
                "\(Format.fixed(passport.aggregate, 3)) nats between the two", x: point.x + 7, y: row + 1, .dim, clip: rect)
        }
    }

    private func drawCorrelations(_ axis: AxisDescription, on canvas: inout Canvas, in rect: Rect) {
        guard rect.rows > 0 else { return }
        guard !axis.correlations.isEmpty else {
            canvas.text("no attribute goes along with it", x: rect.x, y: rect.y, .dim, clip: rect)
            return
        }
        let nameColumns = min(18, max(8, rect.columns - 20))
        for (row, correlation) in axis.correlations.prefix(rect.rows).enumerated() {
            let y = rect.y + row
            canvas.field(
                AttributeLabel.humanised(correlation.attribute), x: rect.x, y: y, columns: nameColumns, clip: rect)
            canvas.field(
                Format.similarity(correlation.value), x: rect.x + nameColumns + 1, y: y, columns: 5, alignedRight: true, .text,
                clip: rect)
            let bar = Rect(
                x: rect.x + nameColumns + 7, y: y, columns: max(0, min(21, rect.columns - nameColumns - 7)), rows: 1)
            canvas.signedBar(correlation.value, in: bar, .accent)
        }
    }
}
