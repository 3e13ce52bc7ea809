import Foundation

/// A `pandas.DataFrame` of a pickle as plain columns.
public struct DataTable {
    /// The values of one column, from the first row to the last.
    public enum Column: Sendable {
        /// Missing ones are NaN; truth values are 0 and 1.
        case numbers([Double])
        /// Missing ones are nil; what is neither text nor missing is written out.
        case texts([String?])
    }

    /// In the table's order.
    public let columns: [(name: String, values: Column)]
    /// The labels of the rows, or nil when they are numbered 0, 1, 2, ...
    public let rowNames: [String]?
    public let rowCount: Int

    /// More than any table of labels has; the built-up columns stay below a few GB.
    private static let maximumCells = 1 << 26
    /// Bytes of text out of arrow arrays.
    private static let maximumText = 1 << 30

    /// Whether a value is a table.
    public static func isTable(_ value: PickleValue) -> Bool { value.node?.kind == .call("pandas.DataFrame") }

    /// A table of columns that are there already, all of one length.
    public init(columns: [(name: String, values: Column)], rowCount: Int) {
        (self.columns, rowNames, self.rowCount) = (columns, nil, rowCount)
    }

    /// Reads a table.
    /// - Parameters:
    ///   - value: what a pickle says of it (pandas 1.3 to 3).
    ///   - file: for messages.
    /// - Throws: `CheckpointError` when it is none, is damaged or has columns of a kind that is not read.
    public init(_ value: PickleValue, file: String) throws {
        func damaged(_ reason: String) -> CheckpointError {
            CheckpointError(file: file, problem: .malformed(reason: "a pandas table is damaged: \(reason)"))
        }
        guard Self.isTable(value), let state = value.node?.state?.node, let manager = (state["_mgr"] ?? state["_data"])?.node,
            manager.kind == .call("pandas.BlockManager"), manager.arguments.count == 2,
            let blocks = manager.arguments[0].elements, let axes = manager.arguments[1].elements, axes.count == 2
        else {
            throw CheckpointError(
                file: file, problem: .unsupported(reason: "holds \(value.summary), not a table of pandas 1.3 or later"))
        }
        var budget = Self.maximumText
        let names = try TableIndex(axes[0], budget: &budget, file: file)
        let rows = try TableIndex(axes[1], budget: &budget, file: file)
        guard names.count <= 1 << 16, rows.count <= Self.maximumCells / max(1, names.count) else {
            throw damaged("\(rows.count) rows of \(names.count) columns")
        }
        var columns = [Column?](repeating: nil, count: names.count)
        for block in blocks {
            guard let node = block.node, node.kind == .call("pandas._unpickle_block"), node.arguments.count == 3,
                let places = Self.placement(node.arguments[1], limit: names.count, file: file)
            else { throw damaged("a block of columns") }
            let values = try TableValues(node.arguments[0], rows: rows.count, budget: &budget, file: file)
            guard values.columns.count == places.count else {
                throw damaged("\(values.columns.count) columns for \(places.count)")
            }
            for (place, column) in zip(places, values.columns) {
                guard columns[place] == nil else { throw damaged("the column \(names.text(place)) stands twice") }
                columns[place] = column
            }
        }
        self.columns = try columns.enumerated().map { place, column in
            guard let column else { throw damaged("the column \(names.text(place)) is missing") }
            return (names.text(place), column)
        }
        rowNames = rows.isNumbering ? nil : (0..<rows.count).map(rows.text)
        rowCount = rows.count
    }

    /// The columns that a block holds: a slice, or a list of places.
    private static func placement(_ value: PickleValue, limit: Int, file: String) -> [Int]? {
        if let node = value.node {
            if node.kind == .call("pandas.BlockPlacement") {
                return node.arguments.first.flatMap { placement($0, limit: limit, file: file) }
            }
            if node.kind == .call("builtins.slice"), node.arguments.count == 3, let start = node.arguments[0].integer,
                let stop = node.arguments[1].integer
            {
                let step = node.arguments[2].integer ?? 1
                guard (0...limit).contains(start), (-1...limit).contains(stop), step != 0, abs(step) <= limit + 1 else {
                    return nil
                }
                let places = Array(stride(from: start, to: stop, by: step))
                return places.allSatisfy((0..<limit).contains) ? places : nil
            }
        }
        guard let array = try? NumpyArray(value, file: file), let places = array.doubles(), places.count <= limit else {
            return nil
        }
        let whole = places.compactMap { Int(exactly: $0) }
        return whole.count == places.count && whole.allSatisfy((0..<limit).contains) ? whole : nil
    }
}

/// Labels of rows or columns.
private struct TableIndex {
    let count: Int
    /// Whether the labels are 0, 1, 2, ...
    let isNumbering: Bool
    private let labels: DataTable.Column?
    private let start, step: Int

    init(_ value: PickleValue, budget: inout Int, file: String) throws {
        func damaged(_ reason: String) -> CheckpointError {
            CheckpointError(file: file, problem: .malformed(reason: "a pandas table is damaged: \(reason)"))
        }
        guard let node = value.node, node.kind == .call("pandas._new_Index"), node.arguments.count == 2,
            case .global(let kind) = node.arguments[0], let members = node.arguments[1].node
        else {
            throw CheckpointError(file: file, problem: .unsupported(reason: "has an index that is not read, \(value.summary)"))
        }
        if kind == "pandas.RangeIndex" {
            guard let start = members["start"]?.integer, let stop = members["stop"]?.integer, let step = members["step"]?.integer,
                step != 0, abs(start) <= 1 << 40, abs(stop) <= 1 << 40, abs(step) <= 1 << 40
            else { throw damaged("a range of rows") }
            (self.start, self.step, labels) = (start, step, nil)
            count = max(0, step > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step)
            isNumbering = start == 0 && step == 1
        } else {
            guard let data = members["data"] else { throw damaged("an index without labels") }
            let column = try TableValues(data, rows: nil, budget: &budget, file: file).columns[0]
            (start, step, isNumbering, labels) = (0, 1, false, column)
            count =
                switch column {
                case .numbers(let values): values.count
                case .texts(let values): values.count
                }
        }
    }

    /// The labels when they are numbers.
    var numbers: [Double]? {
        switch labels {
        case .texts: nil
        case .numbers(let values): values
        case nil: (0..<count).map { Double(start + $0 * step) }
        }
    }

    func text(_ place: Int) -> String {
        switch labels {
        case .texts(let values): values[place] ?? ""
        case .numbers(let values): DataTable.text(values[place])
        case nil: String(start + place * step)
        }
    }
}

/// The values of a block of columns, or of an index.
private struct TableValues {
    let columns: [DataTable.Column]

    /// - Parameters:
    ///   - value: an array of numpy, or a string array of pandas.
    ///   - rows: number of rows, nil when the values decide it (an index).
    ///   - budget: bytes of text that may still be made; parts of a file may be shared.
    ///   - file: for messages.
    /// - Throws: `CheckpointError` for kinds of columns that are not read and sizes that do not fit.
    init(_ value: PickleValue, rows: Int?, budget: inout Int, file: String) throws {
        func damaged(_ reason: String) -> CheckpointError {
            CheckpointError(file: file, problem: .malformed(reason: "a pandas table is damaged: \(reason)"))
        }
        guard let node = value.node, case .call(let function) = node.kind else { throw damaged("a column is \(value.summary)") }
        if function == "pandas.ArrowStringArray" {
            guard let array = node.state?.node?["_pa_array"] ?? node.state?.node?["_data"] else {
                throw damaged("no arrow array")
            }
            let texts = try ArrowTexts(array, budget: &budget, file: file).values
            guard texts.count == rows ?? texts.count else { throw damaged("\(texts.count) texts for \(rows ?? 0) rows") }
            columns = [.texts(texts)]
            return
        }
        if function == "pandas.MaskedArray" {
            guard let members = node.state?.node, let data = members["_data"], let mask = members["_mask"],
                let numbers = try NumpyArray(data, file: file)?.doubles(),
                let missing = try NumpyArray(mask, file: file)?.doubles(), missing.count == numbers.count,
                numbers.count == rows ?? numbers.count
            else { throw damaged("a column with missing numbers") }
            columns = [.numbers(zip(numbers, missing).map { $1 == 0 ? $0 : .nan })]
            return
        }
        if function == "pandas._unpickle_array", case .global("pandas.Categorical")? = node.arguments.first {
            columns = [try Self.categories(node, rows: rows, budget: &budget, file: file)]
            return
        }
        var source = value
        if function == "pandas._unpickle_array" {
            // (dtype, array) in one order or the other, by version.
            let parts = node.state?.elements ?? []
            guard let array = parts.first(where: { $0.node?.kind != .call("pandas.StringDtype") && $0.node?.state != nil }) else {
                throw damaged("a string array without strings")
            }
            source = array
        }
        guard let array = try NumpyArray(source, file: file) else {
            throw CheckpointError(
                file: file, problem: .unsupported(reason: "has a column of a kind that is not read (\(value.summary))"))
        }
        let rows = rows ?? array.count
        guard array.shape == [rows] || array.shape.count == 2 && array.shape[1] == rows else {
            throw damaged("a block of shape \(array.shape) for \(rows) rows")
        }
        let count = array.shape.count == 1 ? 1 : array.shape[0]
        if let numbers = array.doubles() {
            columns = (0..<count).map { .numbers(Array(numbers[($0 * rows)..<(($0 + 1) * rows)])) }
        } else {
            let objects = array.objects() ?? []
            columns = try (0..<count).map { try Self.column(objects[($0 * rows)..<(($0 + 1) * rows)], file: file) }
        }
    }

    /// A column of categories: what its numbers stand for; -1 stands for what is missing.
    private static func categories(
        _ node: PickleNode, rows: Int?, budget: inout Int, file: String
    ) throws -> DataTable.Column {
        let parts = node.state?.elements ?? []
        guard let type = parts.first(where: { $0.node?.kind == .call("pandas.CategoricalDtype") })?.node?.state?.node,
            let names = type["categories"],
            let array = parts.first(where: { $0.node?.kind != .call("pandas.CategoricalDtype") && $0.node?.state != nil }),
            let places = try NumpyArray(array, file: file)?.doubles(), places.count == rows ?? places.count
        else {
            throw CheckpointError(
                file: file, problem: .malformed(reason: "a pandas table is damaged: a column of categories"))
        }
        let labels = try TableIndex(names, budget: &budget, file: file)
        let known = try places.map { place -> Int? in
            if place == -1 { return nil }
            guard let place = Int(exactly: place), (0..<labels.count).contains(place) else {
                throw CheckpointError(
                    file: file, problem: .malformed(reason: "a pandas table is damaged: there is no category \(place)"))
            }
            return place
        }
        if let numbers = labels.numbers { return .numbers(known.map { $0.map { numbers[$0] } ?? .nan }) }
        return .texts(known.map { $0.map(labels.text) })
    }

    /// A column of objects: numbers when all are, else texts.
    private static func column(_ objects: ArraySlice<PickleValue>, file: String) throws -> DataTable.Column {
        let numbers = objects.map { number($0, file: file) }
        if !objects.isEmpty, numbers.allSatisfy({ $0 != nil }), !objects.allSatisfy(\.isNone) {
            return .numbers(numbers.map { $0 ?? .nan })
        }
        return .texts(
            try zip(objects, numbers).map { object, number in
                if let text = object.text { return text }
                if case .bytes(let bytes) = object { return String(decoding: bytes, as: UTF8.self) }
                if object.isNone { return nil }
                guard let number else {
                    throw CheckpointError(
                        file: file,
                        problem: .unsupported(reason: "has a table with \(object.summary) in it; keep texts and numbers only"))
                }
                return number.isNaN ? nil : DataTable.text(number)
            })
    }

    private static func number(_ value: PickleValue, file: String) -> Double? {
        switch value {
        case .none, .global("pandas.NA"): return .nan
        case .bool(let value): return value ? 1 : 0
        case .integer(let value): return Double(value)
        case .number(let value): return value
        case .node(let node):
            // numpy.scalar(dtype, bytes)
            guard node.kind == .call("numpy.scalar"), node.arguments.count == 2 else { return nil }
            let array = PickleNode(
                .call("numpy._frombuffer"),
                arguments: [
                    node.arguments[1], node.arguments[0], .node(PickleNode(.tuple, items: [.integer(1)])), .text("C"),
                ])
            return (try? NumpyArray(.node(array), file: file))?.doubles()?.first
        default: return nil
        }
    }
}

/// Texts of an arrow array (`string` and `large_string`; layout: https://arrow.apache.org/docs/format/Columnar.html, variable-size binary).
private struct ArrowTexts {
    private(set) var values: [String?] = []

    init(_ value: PickleValue, budget: inout Int, file: String) throws {
        func damaged(_ reason: String) -> CheckpointError {
            CheckpointError(file: file, problem: .malformed(reason: "an arrow array is damaged: \(reason)"))
        }
        guard let node = value.node else { throw damaged("it is \(value.summary)") }
        switch node.kind {
        case .call("pyarrow.lib.chunked_array"):
            for chunk in node.arguments.first?.elements ?? [] {
                // A chunk may be shared by the file, a chunked array is no chunk.
                guard chunk.node?.kind == .call("pyarrow.lib._restore_array") else {
                    throw damaged("a chunk is \(chunk.summary)")
                }
                values += try ArrowTexts(chunk, budget: &budget, file: file).values
                guard values.count <= 1 << 26 else { throw damaged("more than \(1 << 26) texts") }
            }
        case .call("pyarrow.lib._restore_array"):
            // (type, length, number of missing, offset, buffers, children, dictionary)
            guard let parts = node.arguments.first?.elements, parts.count >= 5,
                let type = parts[0].node?.arguments.first?.text, let length = parts[1].integer, let offset = parts[3].integer,
                let buffers = parts[4].elements, length >= 0, offset >= 0
            else { throw damaged("no description") }
            guard type == "large_string" || type == "string" else {
                throw CheckpointError(
                    file: file, problem: .unsupported(reason: "has an arrow column of type \(type); only texts are read"))
            }
            guard length > 0 else { return }
            guard buffers.count == 3, let places = Self.buffer(buffers[1]), let data = Self.buffer(buffers[2]) else {
                throw damaged("its buffers are missing")
            }
            let valid = Self.buffer(buffers[0])
            let width = type == "string" ? 4 : 8
            guard length < 1 << 26, offset < 1 << 40, places.count / width > offset + length,
                valid.map({ $0.count * 8 >= offset + length }) ?? true
            else { throw damaged("its buffers are too short") }
            values.reserveCapacity(length)
            try places.withUnsafeBytes { raw in
                let numbers = LittleEndianBytes(raw)
                func place(_ index: Int) -> Int? { width == 4 ? numbers.uint32(index * 4) : numbers.int64(index * 8) }
                for index in offset..<(offset + length) {
                    guard let start = place(index), let end = place(index + 1), start <= end, end <= data.count else {
                        throw damaged("the place of text \(index)")
                    }
                    if let valid, valid[index / 8] >> (index % 8) & 1 == 0 {
                        values.append(nil)
                        continue
                    }
                    budget -= end - start
                    guard budget >= 0, let text = String(validating: data[start..<end], as: UTF8.self) else {
                        throw damaged("text \(index)")
                    }
                    values.append(text)
                }
            }
        default: throw damaged("it is \(value.summary)")
        }
    }

    private static func buffer(_ value: PickleValue) -> [UInt8]? {
        guard let node = value.node, node.kind == .call("pyarrow.lib.py_buffer") else { return nil }
        return node.arguments.first.flatMap(NumpyArray.bytes)
    }
}

extension DataTable {
    /// A number as text: whole ones without a point.
    static func text(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
}
