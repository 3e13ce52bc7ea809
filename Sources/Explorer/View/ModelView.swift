import EngineAPI
import ScreenModel

extension ExplorerModel {
    func modelLayout(size: Size) -> ModelLayout {
        ModelLayout(body: body(size: size), aspect: cellAspect, showsSpace: showsSpacePane || index?.hasCodes == false)
    }

    /// The inside of the list of axes, without its header.
    func modelListRows(size: Size) -> Int { max(0, modelLayout(size: size).list.rows - 3) }

    func drawModel(on canvas: inout Canvas, size: Size) {
        guard let index else { return }
        let layout = modelLayout(size: size)
        drawAxisTable(on: &canvas, in: layout.list, index)
        if !layout.passport.isEmpty {
            if index.hasCodes {
                drawPassport(on: &canvas, in: layout.passport, index)
            } else {
                drawModelFacts(on: &canvas, in: layout.passport, index)
            }
        }
        if !layout.space.isEmpty { drawSpace(on: &canvas, in: layout.space, index) }
    }

    /// The key that brings the pane for which there is no room beside this one, in its title; nothing where both are on the screen.
    func keyOfPane(_ other: String, _ size: Size) -> String {
        index?.hasCodes == true && !modelLayout(size: size).showsBoth ? "\(key(.spacePane)) \(other)" : ""
    }

    // MARK: The axes as bars

    /// A measure of the table: its name, what it is for an axis, what a full bar is, how it is written.
    private struct Measure {
        var title: String
        var value: (AxisDescription) -> Float
        var full: Float

        /// Decimals that leave five figures and the point their room, however large the values are: principal components have
        /// variances of hundreds.
        var digits: Int { full < 99.995 ? 2 : full < 999.95 ? 1 : 0 }
    }

    private func measures(_ index: SpaceIndex) -> [Measure] {
        let axes = index.description.axes
        func largest(_ value: (AxisDescription) -> Float) -> Float {
            max(1e-9, axes.reduce(0) { $1.kl.isFinite && value($1).isFinite ? max($0, value($1)) : $0 })
        }
        let effect = Measure(title: "effect", value: { $0.effect }, full: 1)
        let kl = Measure(title: "KL nats", value: { $0.kl }, full: largest { $0.kl })
        let variance = Measure(title: "variance", value: { $0.variance }, full: largest { $0.variance })
        let strongest: (AxisDescription) -> Float = { $0.correlations.map { abs($0.value) }.max() ?? 0 }
        let correlation = Measure(title: "attribute", value: strongest, full: 1)
        return index.hasPrior ? [effect, kl, variance, correlation] : [effect, variance, correlation]
    }

    private func drawAxisTable(on canvas: inout Canvas, in rect: Rect, _ index: SpaceIndex) {
        let count = index.description.axes.isEmpty ? "none" : "\(index.active.count) of \(index.description.axes.count) active"
        let titles =
            axes.query.isEmpty
            ? ["Axes", count, "by \(axes.order.rawValue)"] : ["Axes", "/\(axes.query)", "\(axes.rows.count) match"]
        let inner = canvas.pane(rect, titles: titles, focused: true).inset(left: 1, right: 1)
        canvas.hit(rect, .pane(.model))
        guard inner.rows >= 2, inner.columns >= 20 else { return }
        guard index.hasCodes else {
            let isModel = index.description.identities.count == 0
            let lines =
                isModel
                ? [
                    "a model alone has no weight space, so no axes", "w2w import makes a space of adapters",
                    "w2w train gives it axes",
                ]
                : ["this space has no weight VAE, so no axes", "w2w train makes one"]
            for (row, words) in lines.enumerated() {
                canvas.centred(
                    TextWidth.truncate(words, to: inner.columns), in: inner, row: inner.rows / 2 + row, row == 0 ? .text : .dim)
            }
            return
        }
        let digits = String(max(0, index.description.axes.count - 1)).count
        let nameX = inner.x + digits + 4
        // As many measures as leave the names room for one attribute of any name ("wearing lipstick"); a measure takes a
        // bar of four columns, six of figures and one between.
        let least = 11
        var shown = measures(index)
        while shown.count > 1, inner.maxX - nameX - shown.count * least < 17 { shown.removeLast() }
        let nameColumns = min(28, max(8, inner.maxX - nameX - shown.count * least))
        let slot = (inner.maxX - nameX - nameColumns) / max(1, shown.count)
        for (place, measure) in shown.enumerated() {
            canvas.field(
                measure.title, x: nameX + nameColumns + place * slot, y: inner.y, columns: slot - 1, alignedRight: true, .dim,
                clip: inner)
        }
        for row in 0..<min(inner.rows - 1, max(0, axes.rows.count - axes.top)) {
            let axis = axes.rows[axes.top + row]
            let isSelected = axis == axes.selectedAxis
            let y = inner.y + 1 + row
            let line = Rect(x: inner.x, y: y, columns: inner.columns, rows: 1)
            if isSelected {
                canvas.grid.fill(line, with: Cell(" ", canvas.style(.text, selected: true)))
                canvas.text("▸", x: inner.x, y: y, .accent, selected: true, bold: true)
            }
            let description = index.description.axes[axis]
            let role: Theme.Role = isSelected ? .accent : description.isActive ? .text : .dim
            canvas.text(index.number(of: axis), x: inner.x + 2, y: y, .dim, selected: isSelected)
            canvas.field(
                Self.fitting(index.axisNames[axis], nameColumns - 1), x: nameX, y: y, columns: nameColumns - 1, role,
                selected: isSelected, bold: isSelected)
            for (place, measure) in shown.enumerated() {
                let value = measure.value(description)
                let x = nameX + nameColumns + place * slot
                let bar = Rect(x: x, y: y, columns: max(0, slot - 7), rows: 1)
                canvas.bar(value / measure.full, in: bar, role, selected: isSelected)
                canvas.field(
                    Format.fixed(value, measure.digits), x: x + slot - 7, y: y, columns: 6, alignedRight: true,
                    isSelected ? .accent : .dim, selected: isSelected)
            }
            canvas.hit(line, .axis(axis))
        }
        if axes.rows.isEmpty { drawNoAxes(on: &canvas, in: inner) }
        let hidden = axes.rows.count - axes.top - (inner.rows - 1)
        if let fold = foldLine {
            canvas.note(hidden > 0 ? "\(hidden) more ↓ · \(fold)" : fold, on: rect)
        } else if hidden > 0 {
            canvas.note("\(hidden) more ↓", on: rect)
        }
    }

    // MARK: The space

    private func drawSpace(on canvas: inout Canvas, in rect: Rect, _ index: SpaceIndex) {
        let description = index.description
        let titles = ["Space", description.name, description.decoder, keyOfPane("passport", canvas.grid.size)]
        let inner = canvas.pane(rect, titles: titles).inset(left: 1, right: 1)
        guard inner.rows > 0, inner.columns >= 20 else { return }
        var y = inner.y
        func line(_ title: String, _ words: String, _ role: Theme.Role = .text, titleColumns: Int = 16) {
            guard y < inner.maxY, !words.isEmpty else { return }
            canvas.text(title, x: inner.x, y: y, .dim, clip: inner)
            canvas.field(
                words, x: inner.x + titleColumns, y: y, columns: max(0, inner.columns - titleColumns), role, clip: inner)
            y += 1
        }
        if !index.hasCodes, modelLayout(size: canvas.grid.size).passport.isEmpty {
            for fact in description.modelFacts { line(fact.title, fact.words) }
        }
        let people = description.identities.count
        line(
            "people",
            people == 0
                ? "none; an adapter has \(Format.count(description.vectorLength)) weights"
                : "\(Format.count(people)) of \(Format.count(description.vectorLength)) weights each")
        for (title, words) in spaceMeasures(index) { line(title, words) }
        drawTraining(description.record.training, on: &canvas, in: inner, y: &y)
        let parts = description.record.parts
        line("fingerprint", String(description.fingerprint.prefix(16)) + "…")
        let room = inner.maxY - y
        let files = parts.filter { !$0.path.contains("/") }.prefix(max(0, room))
        let titleColumns = max(16, min(inner.columns / 2, (files.map { TextWidth.columns(of: $0.path) }.max() ?? 0) + 2))
        for part in files {
            line(
                TextWidth.truncate(part.path, to: titleColumns - 1), "sha256 \(part.digest.prefix(16))…", .dim,
                titleColumns: titleColumns)
        }
    }

    /// In the passport's place where there are no axes: what the base model is.
    private func drawModelFacts(on canvas: inout Canvas, in rect: Rect, _ index: SpaceIndex) {
        let inner = canvas.pane(rect, titles: ["Base model", index.description.name]).inset(left: 1, right: 1)
        guard inner.columns >= 20 else { return }
        for (row, fact) in index.description.modelFacts.prefix(max(0, inner.rows)).enumerated() {
            canvas.text(fact.title, x: inner.x, y: inner.y + row, .dim, clip: inner)
            canvas.field(fact.words, x: inner.x + 16, y: inner.y + row, columns: max(0, inner.columns - 16), clip: inner)
        }
    }

    /// The measures that a person asks first, in words; those that are not on record are left out.
    func spaceMeasures(_ index: SpaceIndex) -> [(title: String, words: String)] {
        let record = index.description.record
        func number(_ name: String, _ digits: Int = 2) -> String? { record.measure(name).map { Format.fixed($0, digits) } }
        var lines: [(String, String)] = []
        let reconstruction = [
            number("reconstruction.vae.r2", 3).map { "VAE \($0)" }, number("reconstruction.pca.r2", 3).map { "PCA \($0)" },
        ].compactMap { $0 }
        if !reconstruction.isEmpty {
            lines.append(("reconstruction", "R2 \(reconstruction.joined(separator: " · ")) held out"))
        }
        if index.hasPrior, !index.description.axes.isEmpty {
            let all = index.description.axes.reduce(Float(0)) { $0 + $1.kl }
            lines.append(("KL", "\(Format.fixed(all, 1)) nats over \(index.description.axes.count) axes"))
            let gaps = index.description.axes.map { ($0.index, Passport.divergence(mean: $0.mean, deviation: $0.deviation)) }
            if let worst = gaps.max(by: { $0.1 < $1.1 }) {
                let sum = gaps.reduce(Float(0)) { $0 + $1.1 }
                lines.append(
                    (
                        "against prior",
                        "\(Format.fixed(sum, 2)) nats · most on axis \(index.number(of: worst.0)) (\(Format.fixed(worst.1, 2)))"
                    ))
            }
        }
        let identity = [
            number("identity.consistency").map { "consistent \($0)" }, number("identity.diversity").map { "diverse \($0)" },
            number("identity.novelty").map { "new \($0)" },
        ].compactMap { $0 }
        if !identity.isEmpty { lines.append(("faces", identity.joined(separator: " · "))) }
        return lines
    }

    /// The held-out reconstruction over the training as a row of bars.
    private func drawTraining(_ points: [SpaceRecord.TrainingPoint], on canvas: inout Canvas, in inner: Rect, y: inout Int) {
        let values = points.compactMap(\.validationR2).filter(\.isFinite)
        guard y < inner.maxY, values.count > 1, let first = values.first, let last = values.last else { return }
        canvas.text("training", x: inner.x, y: y, .dim, clip: inner)
        let words = " R2 \(Format.fixed(first, 2)) → \(Format.fixed(last, 2))"
        let columns = max(0, min(values.count, inner.columns - 16 - TextWidth.columns(of: words)))
        if columns >= 4 {
            let low = values.min() ?? 0
            let span = max(1e-9, (values.max() ?? 1) - low)
            var x = inner.x + 16
            for column in 0..<columns {
                let value = values[column * (values.count - 1) / (columns - 1)]
                x = canvas.text(Canvas.level(Float((value - low) / span)), x: x, y: y, .accent, clip: inner)
            }
            canvas.text(words, x: x, y: y, .dim, clip: inner)
        }
        y += 1
    }
}
