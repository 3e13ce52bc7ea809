import EngineAPI
import ScreenModel

extension ExplorerModel {
    func drawMorph(on canvas: inout Canvas, size: Size) {
        let layout = morphLayout(size: size)
        guard ends.a != nil, ends.b != nil else {
            drawMorphWithoutEnds(layout, on: &canvas)
            return
        }
        let titles = [
            "Morph", "\(ends.a?.name ?? "") → \(ends.b?.name ?? "")", morph.path.rawValue, "\(morph.count) frames",
        ]
        let inner = canvas.pane(layout.pane, titles: titles, focused: true)
        canvas.hit(layout.pane, .pane(.morph))
        drawEnd(.a, in: layout.a, on: &canvas)
        drawEnd(.b, in: layout.b, on: &canvas)
        drawCurrent(in: layout.current, on: &canvas)
        for (index, rect) in layout.frames { drawStripFrame(index, in: rect, layout, on: &canvas) }
        if let first = layout.frames.first, morph.stepSizes.contains(where: { $0 != nil }), layout.frames.count > 1 {
            // The figures stand between the frames; their name has the room before the first one.
            let room = Rect(x: inner.x + 1, y: layout.stepRow, columns: first.rect.x + first.rect.columns - inner.x - 2, rows: 1)
            canvas.text("step", x: room.x, y: room.y, .dim, clip: room)
        }
        drawMorphEdge(layout.pane, on: &canvas)
    }

    private func drawMorphEdge(_ pane: Rect, on canvas: inout Canvas) {
        if morph.job != nil, morph.frames.count > 0 {
            canvas.progress(Double(morph.finishedCount) / Double(morph.frames.count), on: pane)
        }
        let words = morph.playing != nil && morph.job == nil ? "playing · \(morphStatus)" : morphStatus
        canvas.note(words, on: pane, morph.failure != nil ? .warning : morph.job != nil ? .text : .dim)
    }

    /// Which picture an end shows: its frame of the walk when that is there.
    private func picture(of name: EndName) -> ImageKey? {
        let frame = name == .a ? morph.frames.first ?? nil : morph.frames.last ?? nil
        return frame?.picture ?? end(name)?.picture
    }

    private func drawEnd(_ name: EndName, in rect: Rect, on canvas: inout Canvas) {
        guard rect.rows >= 3, rect.columns >= 4, let end = end(name) else { return }
        canvas.hit(rect, .frame(name == .a ? 0 : morph.count - 1))
        if let key = picture(of: name), pictures.contains(key), showsPictures {
            canvas.picture(key, slot: name == .a ? "end A" : "end B", in: rect)
        } else if showsPictures {
            canvas.placeholder(rect)
        }
        let role: Theme.Role = name == .a ? .endA : .endB
        let words = TextWidth.truncate("\(name == .a ? "A" : "B")  \(end.name)", to: rect.columns + 4)
        let x = rect.x + (rect.columns - TextWidth.columns(of: words)) / 2
        canvas.text(words, x: x, y: rect.maxY, role, bold: true)
    }

    private func drawCurrent(in rect: Rect, on canvas: inout Canvas) {
        guard rect.rows >= 2, rect.columns >= 4 else { return }
        canvas.hit(rect, .frame(morph.selected))
        let frame = morph.frames.indices.contains(morph.selected) ? morph.frames[morph.selected] : nil
        if let frame, pictures.contains(frame.picture), showsPictures {
            canvas.picture(frame.picture, slot: "frame", in: rect, isDraft: morph.playing != nil)
        } else if let failure = morph.failure {
            let area = rect.inset(left: 1, right: 1)
            let lines = TextWidth.wrap(failure.message, to: max(1, area.columns)).map { ($0, Theme.Role.warning) }
            let advice = TextWidth.wrap(failure.advice, to: max(1, area.columns)).map { ($0, Theme.Role.text) }
            for (row, line) in (lines + advice).enumerated() {
                canvas.centred(line.0, in: area, row: max(0, (area.rows - lines.count - advice.count) / 2) + row, line.1)
            }
        } else if showsPictures {
            canvas.placeholder(rect)
            let words = [" frame \(morph.selected + 1) is still to be drawn ", " still to be drawn ", " to draw "]
            canvas.centred(
                words.first { TextWidth.columns(of: $0) <= rect.columns } ?? "", in: rect, row: rect.rows / 2, .dim)
        } else {
            canvas.centred("this terminal shows no pictures", in: rect, row: rect.rows / 2, .dim)
        }
    }

    private func drawStripFrame(_ index: Int, in rect: Rect, _ layout: MorphLayout, on canvas: inout Canvas) {
        let frame = morph.frames.indices.contains(index) ? morph.frames[index] : nil
        let isSelected = index == morph.selected
        canvas.hit(rect.inset(bottom: -2), .frame(index))
        if let frame, pictures.contains(frame.picture), showsPictures {
            canvas.picture(frame.picture, slot: "strip \(index - (layout.frames.first?.index ?? 0))", in: rect)
        } else if showsPictures {
            canvas.placeholder(rect)
        }
        // Of an even walk the frames do not stand at even places.
        let position = frame?.position ?? (morph.count > 1 ? Float(index) / Float(morph.count - 1) : 0)
        let caption = Rect(x: rect.x - 1, y: layout.positionRow, columns: rect.columns + 2, rows: 1)
        let role: Theme.Role = index == 0 ? .endA : index == morph.count - 1 ? .endB : .dim
        drawCaption(
            index == 0 ? "A" : index == morph.count - 1 ? "B" : Format.similarity(position), in: caption, isSelected: isSelected,
            role, on: &canvas)
        // The change to the next frame stands between the two.
        if morph.stepSizes.indices.contains(index), let size = morph.stepSizes[index], layout.frames.last?.index != index {
            let slot = layout.frames.count > 1 ? layout.frames[1].rect.x - layout.frames[0].rect.x : rect.columns
            let between = Rect(x: rect.x + rect.columns / 2, y: layout.stepRow, columns: slot, rows: 1)
            canvas.centred(Format.similarity(size), in: between, row: 0, .dim)
        }
    }

    private func drawMorphWithoutEnds(_ layout: MorphLayout, on canvas: inout Canvas) {
        let inner = canvas.pane(layout.pane, titles: ["Morph"], focused: true)
        canvas.hit(layout.pane, .pane(.morph))
        let middle = inner.rows / 2
        guard index?.hasCodes != false else {
            canvas.centred("this space has no weight VAE, so no walks between people", in: inner, row: middle - 1, .dim)
            canvas.centred("w2w train makes one", in: inner, row: middle, .dim)
            return
        }
        for (place, name) in [EndName.a, .b].enumerated() {
            let letter = name == .a ? "A" : "B"
            let words = end(name).map { "\(letter) is \($0.name)" } ?? "\(letter) is not chosen yet"
            canvas.centred(
                words, in: inner, row: middle - 2 + place, end(name) == nil ? .dim : name == .a ? .endA : .endB,
                bold: end(name) != nil)
        }
        let teaching =
            "\(key(.setA)) and \(key(.setB)) make a face an end: in Explore (\(key(.showExplore))), in People (\(key(.showPeople))), in Saved (\(key(.showSaved)))"
        let lines = TextWidth.wrap(teaching, to: inner.columns - 2) + ["then the walk between them is drawn here"]
        for (place, line) in lines.enumerated() { canvas.centred(line, in: inner, row: middle + 1 + place, .dim) }
        for (name, rect) in [(EndName.a, layout.a), (.b, layout.b)] {
            if let key = end(name)?.picture, pictures.contains(key), showsPictures,
                rect.maxY <= inner.y + middle - 2 || rect.maxX < inner.x + inner.columns / 2 - 42
                    || rect.x > inner.x + inner.columns / 2 + 42
            {
                canvas.picture(key, slot: name == .a ? "end A" : "end B", in: rect)
            }
        }
    }
}
