import EngineAPI

/// A place of the walk: everything that decides a picture, and how one came here.
struct Step: Sendable {
    var code: WeightCode
    var settings: GenerationSettings
    /// Axes that are silenced, with the value that they get back.
    var muted: [Int: Float] = [:]
    /// How one came here: "p00042", "male +1.25", "sample 4821".
    var label: String
    /// What the walk started from.
    var origin: String
    /// Whether the walk starts here: somebody was opened or drawn by lot.
    var startsWalk = false
    /// Of a start that was taken up from a file or from the saved faces: the steps that had led there, oldest first.
    var earlier: [String] = []
    /// Changes of the person since then.
    var changes = 0
    /// The axis that the step moved, if it did only that: further moves soon after join it.
    var axis: Int?
    /// When it was last changed.
    var time: Double

    /// "p00042", "p00042 + 2 changes".
    var title: String {
        changes == 0 ? origin : "\(origin) + \(changes) change\(changes == 1 ? "" : "s")"
    }

    /// Short enough for the name of a file or a favourite: "p00042", "p00042 + 2".
    var shortTitle: String { changes == 0 ? origin : "\(origin) + \(changes)" }
}

/// Undo and redo as a tree: going back and then elsewhere keeps the old branch, redo follows the branch that was left last.
struct Trail: Sendable {
    private struct Node: Sendable {
        var step: Step
        var parent: Int?
        var nextChild: Int?
    }

    private var nodes: [Node] = []
    private(set) var current = 0

    /// Steps within this many seconds on the same axis are one step.
    static let joining = 1.5

    init(start: Step) {
        nodes = [Node(step: start)]
    }

    /// A walk that was recorded, oldest first, standing at its end. Nil when nothing was recorded.
    init?(history: [Step]) {
        guard let first = history.first else { return nil }
        self.init(start: first)
        for step in history.dropFirst() { append(step) }
    }

    var step: Step { nodes[current].step }
    var count: Int { nodes.count }
    subscript(index: Int) -> Step { nodes[index].step }

    var canUndo: Bool { nodes[current].parent != nil }
    var canRedo: Bool { nodes[current].nextChild != nil }

    /// Goes to a new place. A move on the axis that was moved just before changes the present step instead.
    mutating func push(_ step: Step) {
        let here = nodes[current]
        if let axis = step.axis, here.step.axis == axis, here.parent != nil, here.nextChild == nil,
            step.settings == here.step.settings,
            step.time - here.step.time <= Self.joining, step.time >= here.step.time
        {
            var joined = step
            joined.changes = here.step.changes
            nodes[current].step = joined
        } else {
            append(step)
        }
    }

    private mutating func append(_ step: Step) {
        nodes.append(Node(step: step, parent: current))
        nodes[current].nextChild = nodes.count - 1
        current = nodes.count - 1
    }

    /// Goes back.
    /// - Returns: the step that was taken back.
    mutating func undo() -> Step? {
        guard let parent = nodes[current].parent else { return nil }
        let undone = nodes[current].step
        nodes[parent].nextChild = current
        current = parent
        // A later move must not join what was there before.
        nodes[current].step.axis = nil
        return undone
    }

    /// Goes forward again.
    /// - Returns: the step that was done again.
    mutating func redo() -> Step? {
        guard let child = nodes[current].nextChild else { return nil }
        current = child
        nodes[current].step.axis = nil
        return nodes[child].step
    }

    /// Goes to any place of the tree.
    mutating func jump(to index: Int) {
        guard nodes.indices.contains(index) else { return }
        // Redo leads to where one came from, where that lies ahead.
        var node = current
        while let parent = nodes[node].parent {
            nodes[parent].nextChild = node
            node = parent
        }
        current = index
        nodes[current].step.axis = nil
    }

    /// The way from the start through here to the end of the redo branch, and where in it one stands.
    /// - Parameter limit: at most so many places, around the present one.
    /// - Returns: places of the tree, and which of them is the present one.
    func line(limit: Int) -> (steps: [Int], position: Int) {
        var back: [Int] = []
        var node: Int? = current
        while let here = node, back.count < limit {
            back.append(here)
            node = nodes[here].parent
        }
        var ahead: [Int] = []
        node = nodes[current].nextChild
        while let here = node, ahead.count < limit {
            ahead.append(here)
            node = nodes[here].nextChild
        }
        let all = back.reversed() + ahead
        let position = back.count - 1
        guard all.count > limit, limit > 0 else { return (Array(all), position) }
        // Redo keeps up to a third of the room.
        let shownAhead = min(ahead.count, max(limit / 3, limit - back.count))
        let end = position + 1 + shownAhead
        let start = max(0, end - limit)
        return (Array(all[start..<min(end, start + limit)]), position - start)
    }

    /// The place that the walk to here started from.
    var origin: Int {
        var node = current
        while !nodes[node].step.startsWalk, let parent = nodes[node].parent { node = parent }
        return node
    }

    /// Labels from the start of the walk to here, oldest first; a start that was taken up stands for the steps that had led there.
    var lineage: [String] {
        var labels: [String] = []
        var node: Int? = current
        while let here = node {
            let step = nodes[here].step
            labels += step.startsWalk && !step.earlier.isEmpty ? step.earlier.reversed() : [step.label]
            if step.startsWalk { break }
            node = nodes[here].parent
        }
        return labels.reversed()
    }
}
