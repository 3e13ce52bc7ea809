import EngineAPI
import ScreenModel

extension ExplorerModel {
    // MARK: People

    func drawPeople(on canvas: inout Canvas, size: Size) {
        guard let index else { return }
        let panes = GalleryPanes(body: body(size: size), aspect: cellAspect)
        let table = index.description.identities
        let kept = favourites.count { isOfThisSpace($0) }
        var titles = ["People", "\(Format.count(table.count)) in this space\(kept > 0 ? ", \(Format.count(kept)) saved" : "")"]
        if !people.query.isEmpty { titles += ["/\(people.query)", "\(Format.count(people.items.count)) match"] }
        if peopleOrder != .name { titles.append(words(for: peopleOrder)) }
        // Where nobody is, nobody stands beside.
        let rect = people.items.isEmpty ? body(size: size) : panes.gallery
        canvas.pane(rect, titles: titles, focused: true)
        canvas.hit(rect, .pane(.people))
        if people.items.isEmpty {
            let inner = rect.inset(by: 1)
            let words =
                people.query.isEmpty
                ? !index.hasCodes
                    ? "a model alone: nobody is in it · w2w import makes a space of people"
                    : "this space has no identities · \(key(.sample)) in Explore draws somebody"
                : "nobody matches “\(people.query)” · \(key(.back)) shows everybody"
            canvas.centred(words, in: inner, row: inner.rows / 2, .dim)
        } else {
            drawGallery(people, .people, on: &canvas, size: size)
        }
        drawSide(people, on: &canvas, in: panes)
    }

    // MARK: Saved

    func drawSaved(on canvas: inout Canvas, size: Size) {
        let panes = GalleryPanes(body: body(size: size), aspect: cellAspect)
        var titles = [
            "Saved", favourites.isEmpty ? "" : "\(Format.count(favourites.count)) face\(favourites.count == 1 ? "" : "s")",
        ]
        if !saved.query.isEmpty { titles += ["/\(saved.query)", "\(Format.count(saved.items.count)) match"] }
        let rect = favourites.isEmpty ? body(size: size) : panes.gallery
        canvas.pane(rect, titles: titles, focused: true)
        canvas.hit(rect, .pane(.saved))
        let inner = rect.inset(by: 1)
        if favourites.isEmpty {
            let middle = inner.rows / 2
            canvas.centred("nothing saved yet", in: inner, row: middle - 1, bold: true)
            canvas.centred(
                "press \(key(.keep)) on a face you like: in Explore, among People, on a frame of a Morph", in: inner, row: middle,
                .dim)
            canvas.centred("\(key(.keepNamed)) gives it a name and tags", in: inner, row: middle + 1, .dim)
            return
        }
        if saved.items.isEmpty {
            canvas.centred(
                "nothing saved matches “\(saved.query)” · \(key(.back)) shows all", in: inner, row: inner.rows / 2, .dim)
        } else {
            drawGallery(saved, .saved, on: &canvas, size: size)
        }
        drawSide(saved, on: &canvas, in: panes)
    }

    // MARK: The grid of faces

    private func drawGallery(_ gallery: Gallery, _ screen: ScreenName, on canvas: inout Canvas, size: Size) {
        let layout = galleryLayout(screen, size: size)
        guard layout.columns > 0, layout.rows > 0 else { return }
        let first = gallery.top * layout.columns
        let last = min(gallery.items.count, first + layout.count)
        for place in first..<max(first, last) {
            let item = gallery.items[place]
            let cell = layout.rect(place - first)
            let face = layout.faceRect(in: cell)
            let isSelected = place == gallery.selected
            canvas.hit(cell, .galleryCell(place))
            if let key = thumbnails[item], pictures.contains(key), showsPictures {
                canvas.picture(key, slot: "\(screen.title) \(place - first)", in: face)
            } else if showsPictures {
                canvas.placeholder(face)
            }
            if isSelected { drawSelection(around: face, in: cell, on: &canvas) }
            let caption = Rect(x: cell.x, y: cell.y + layout.face.rows, columns: cell.columns, rows: 1)
            // A column stays free, or long names would run into one another.
            let words = Format.shortName(name(of: item), to: max(1, cell.columns - 1))
            canvas.centred(words, in: caption, row: 0, isSelected ? .accent : .text, bold: isSelected)
            drawMarks(item, in: Rect(x: cell.x, y: caption.y + 1, columns: cell.columns, rows: 1), screen, on: &canvas)
        }
        let rows = (gallery.items.count + layout.columns - 1) / layout.columns
        if rows > layout.rows {
            let panes = GalleryPanes(body: body(size: size), aspect: cellAspect)
            canvas.note("row \(gallery.selected / layout.columns + 1) of \(Format.count(rows))", on: panes.gallery)
        }
    }

    /// Bars on both sides of the chosen face.
    func drawSelection(around face: Rect, in cell: Rect, on canvas: inout Canvas) {
        for row in face.y..<face.maxY {
            if face.x > cell.x { canvas.text("▐", x: face.x - 1, y: row, .accent) }
            canvas.text("▌", x: face.maxX, y: row, .accent, clip: cell)
        }
    }

    /// Below a name: ends of the morph, a star for what is kept, the tags or the number that orders.
    private func drawMarks(_ item: GalleryItem, in rect: Rect, _ screen: ScreenName, on canvas: inout Canvas) {
        var marks: [(String, Theme.Role)] = []
        let name = name(of: item)
        if ends.a?.name == name { marks.append(("A", .endA)) }
        if ends.b?.name == name { marks.append(("B", .endB)) }
        switch item {
        case .favourite(let id):
            if screen == .people { marks.append(("★", .accent)) }
            if let favourite = favourite(id), screen == .saved {
                if !isOfThisSpace(favourite) { marks.append(("other space", .warning)) }
                if !favourite.tags.isEmpty { marks.append((favourite.tags.map { "#" + $0 }.joined(separator: " "), .dim)) }
            }
        case .identity(let row):
            guard let index else { break }
            switch peopleOrder {
            case .attribute(let column):
                if let words = index.attributes[column].spoken(index.description.identities.attribute(column, at: row)) {
                    marks.append((words, .dim))
                }
            case .similarity:
                if let code = trail?.step.code {
                    let own = index.description.identities.code(at: row)
                    marks.append((Format.similarity(index.similarity(own, code)), .dim))
                }
            case .name: break
            }
        }
        let width = marks.reduce(-1) { $0 + TextWidth.columns(of: $1.0) + 1 }
        var x = rect.x + max(0, (rect.columns - width) / 2)
        for (text, role) in marks {
            x = canvas.text(TextWidth.truncate(text, to: max(0, rect.maxX - 1 - x)), x: x, y: rect.y, role, clip: rect) + 1
        }
    }

    // MARK: The chosen face, large

    private func drawSide(_ gallery: Gallery, on canvas: inout Canvas, in panes: GalleryPanes) {
        let rect = panes.side
        guard rect.columns >= 10, rect.rows >= 6, let item = gallery.selectedItem else { return }
        let inner = canvas.pane(rect, titles: [name(of: item)])
        let faceRows =
            panes.isStacked ? inner.rows : max(1, min(Int(Double(inner.columns - 2) / cellAspect), inner.rows * 3 / 5))
        let faceColumns = min(inner.columns, Int((Double(faceRows) * cellAspect).rounded()))
        let face =
            panes.isStacked
            ? Rect(x: inner.x + 1, y: inner.y, columns: faceColumns, rows: faceRows)
            : Rect(x: inner.x, y: inner.y, columns: inner.columns, rows: faceRows)
        if let key = thumbnails[item], pictures.contains(key), showsPictures {
            canvas.picture(key, slot: "side", in: face)
        } else if showsPictures {
            canvas.placeholder(
                Rect(x: face.x + (face.columns - faceColumns) / 2, y: face.y, columns: faceColumns, rows: faceRows))
        }
        let text =
            panes.isStacked
            ? inner.inset(left: faceColumns + 3, right: 1) : inner.inset(left: 1, top: faceRows + 1, right: 1)
        switch item {
        case .identity(let row): drawIdentity(row, item, on: &canvas, in: text)
        case .favourite(let id): if let favourite = favourite(id) { drawFavourite(favourite, item, on: &canvas, in: text) }
        }
    }

    private func drawIdentity(_ row: Int, _ item: GalleryItem, on canvas: inout Canvas, in rect: Rect) {
        guard let index else { return }
        let table = index.description.identities
        // What has a number first, then what is simply so.
        var numbers: [String] = []
        var flags: [String] = []
        for (column, attribute) in index.attributes.enumerated() {
            guard let words = attribute.spoken(table.attribute(column, at: row)) else { continue }
            if attribute.kind == .flag { flags.append(words) } else { numbers.append(words) }
        }
        let reserved = nearest?.item == item ? 4 : 0
        var y = rect.y
        for line in TextWidth.wrap((numbers + flags).joined(separator: " · "), to: max(1, rect.columns))
        where y < rect.maxY - reserved {
            canvas.text(line, x: rect.x, y: y, clip: rect)
            y += 1
        }
        drawNearest(item, on: &canvas, in: rect.inset(top: y - rect.y + 1))
    }

    private func drawNearest(_ item: GalleryItem, on canvas: inout Canvas, in rect: Rect) {
        guard let index, let nearest, nearest.item == item, rect.rows >= 1, !nearest.rows.isEmpty else { return }
        canvas.text("nearest", x: rect.x, y: rect.y, .dim, clip: rect)
        // Small faces where there is room, names otherwise.
        let columns = rect.columns / max(1, nearest.rows.count)
        let faceRows = min(rect.rows - 3, Int(Double(columns - 1) / cellAspect))
        for (place, near) in nearest.rows.enumerated() {
            let name = index.description.identities.names[near.row]
            if faceRows >= 3, showsPictures {
                let faceColumns = Int((Double(faceRows) * cellAspect).rounded())
                let cell = Rect(x: rect.x + place * columns, y: rect.y + 1, columns: columns, rows: faceRows + 2)
                let face = Rect(x: cell.x + (columns - faceColumns) / 2, y: cell.y, columns: faceColumns, rows: faceRows)
                canvas.hit(cell, .nearest(near.row))
                if let key = thumbnails[.identity(near.row)], pictures.contains(key) {
                    canvas.picture(key, slot: "nearest \(place)", in: face)
                } else {
                    canvas.placeholder(face)
                }
                let caption = Rect(x: cell.x, y: face.maxY, columns: columns, rows: 2)
                canvas.centred(name, in: caption, row: 0)
                canvas.centred(Format.similarity(near.similarity), in: caption, row: 1, .dim)
            } else if place + 1 < rect.rows {
                let line = Rect(x: rect.x, y: rect.y + 1 + place, columns: rect.columns, rows: 1)
                let x = canvas.text(name, x: line.x, y: line.y, clip: rect)
                canvas.text(" \(Format.similarity(near.similarity))", x: x, y: line.y, .dim, clip: rect)
                canvas.hit(line, .nearest(near.row))
            }
        }
    }

    private func drawFavourite(_ favourite: Favourite, _ item: GalleryItem, on canvas: inout Canvas, in rect: Rect) {
        var y = rect.y
        func line(_ text: String, _ role: Theme.Role = .text) {
            for part in TextWidth.wrap(text, to: max(1, rect.columns)) where y < rect.maxY {
                canvas.text(part, x: rect.x, y: y, role, clip: rect)
                y += 1
            }
        }
        if !isOfThisSpace(favourite) {
            line("made with the space “\(favourite.state.spaceName)”: here its numbers would show another face", .warning)
            y += 1
        }
        if !favourite.tags.isEmpty { line(favourite.tags.map { "#" + $0 }.joined(separator: " "), .accent) }
        line(Format.date(favourite.created, secondsFromUTC: options.secondsFromUTC), .dim)
        if favourite.lineage.count > 1, let origin = favourite.lineage.first {
            let steps = favourite.lineage.count - 1
            line("from \(origin), \(steps) step\(steps == 1 ? "" : "s")")
            line(favourite.lineage.dropFirst().suffix(6).joined(separator: " · "), .dim)
        } else {
            line("from \(favourite.state.origin)")
        }
        y += 1
        line("\(favourite.state.settings.prompt)")
        let settings = favourite.state.settings
        line("seed \(settings.seed) · \(settings.steps) steps · guidance \(Format.fixed(settings.guidance, 1))", .dim)
        if screen == .people { drawNearest(item, on: &canvas, in: rect.inset(top: y - rect.y + 1)) }
    }
}
