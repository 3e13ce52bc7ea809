import Checkpoints
import Foundation
import StableDiffusion

/// What one file or folder contributes to a new space.
enum ImportPart {
    /// LoRA vectors [N, n], one identity a row (`all_weights.pt`).
    case weights(TensorEntry)
    /// Mean of every number, [n] (`mean.pt`).
    case mean(TensorEntry)
    /// Deviation of every number, [n] (`std.pt`).
    case deviation(TensorEntry)
    /// Principal directions of the standardised vectors, [n, k] (`V.pt`).
    case directions(TensorEntry)
    /// Coefficients of the identities, [N, k] (`proj_1000pc.pt`).
    case coefficients(TensorEntry)
    /// One more identity by its coefficients, [1, k] (`w2wmodel.pt`).
    case identity(name: String, TensorEntry)
    /// Names and attributes (`identity_df.pt`), and the columns that are no attributes.
    case labels(IdentityLabels, leftOut: [String])
    /// Which stretch of a vector belongs to which layer (`weight_dimensions.pt`).
    case layout([(module: String, factor: LoRALayout.Factor, shape: [Int])])
    /// A weight VAE of w2w++, and how many tensors of other networks lay beside it.
    case vae(StateDictionary, leftOut: Int)
    /// One identity as an adapter.
    case adapter(name: String, LoRAFile)
    /// What is not needed: `pinverse_1000pc.pt`, from which the original solved its directions; they are solved anew from the labels.
    case unneeded

    /// Finds out what a file holds: by its kind, and tensors by their names, which the original gave.
    /// - Parameters:
    ///   - url: the file or folder.
    ///   - name: of the identity, if it is an adapter; nil takes the file's.
    /// - Returns: what it is.
    /// - Throws: `CheckpointError` that names what is refused, `SpaceError` for files that mean nothing here.
    static func read(_ url: URL, name: String? = nil) throws -> ImportPart {
        let stem = name ?? url.deletingPathExtension().lastPathComponent
        guard let kind = url.fileKind else {
            throw SpaceError("\(url.path): there is no such file or folder", advice: "Check the path.")
        }
        if kind == .folder { return .adapter(name: name ?? url.lastPathComponent, try LoRAFile(url)) }
        if url.pathExtension.lowercased() == "csv" { return try labels(DataTable(csv: url), url) }
        let mapped = try MappedFile(url)
        guard TorchFile.begins(mapped.bytes) else { return try state(StateDictionary(opening: url), stem: stem, url: url) }
        let torch = try TorchFile(url)
        if DataTable.isTable(torch.root) {
            return try labels(DataTable(torch.root, file: url.path), url)
        }
        if let entry = try torch.tensor(torch.root, name: stem) { return try tensor(entry, stem: stem, url: url) }
        if let entries = try WeightDimensions.entries(torch) { return .layout(entries) }
        return try state(StateDictionary(torch), stem: stem, url: url)
    }

    private static func labels(_ table: DataTable, _ url: URL) throws -> ImportPart {
        .labels(try IdentityLabels(table, file: url.path), leftOut: IdentityLabels.columnsOfTexts(table))
    }

    private static func state(_ state: StateDictionary, stem: String, url: URL) throws -> ImportPart {
        // DataParallel, torch.compile and training frameworks write the same keys with a word before them; other networks may lie beside.
        let mark = "decoder_input.weight"
        let prefixes = Set(state.names.filter { $0 == mark || $0.hasSuffix("." + mark) }.map { String($0.dropLast(mark.count)) })
        if let prefix = prefixes.first {
            guard prefixes.count == 1 else {
                throw SpaceError(
                    "\(url.path): holds \(prefixes.count) weight VAEs, under \(prefixes.sorted().joined(separator: " and "))",
                    advice: "Save one of them alone.")
            }
            let own = try state.renamed { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }
            return .vae(own, leftOut: state.entries.count - own.entries.count)
        }
        if let weights = state["weights"], state.entries.count == 1 { return try tensor(weights, stem: "weights", url: url) }
        return .adapter(name: stem, try LoRAFile(url))
    }

    private static func tensor(_ entry: TensorEntry, stem: String, url: URL) throws -> ImportPart {
        let words = stem.lowercased()
        guard entry.elementType.isFloatingPoint, !entry.shape.contains(0) else {
            throw CheckpointError(
                file: url.path, problem: .wrongShape(tensor: stem, expected: "numbers with a fraction", found: entry.shape))
        }
        switch entry.shape.count {
        case 1 where words.contains("mean"): return .mean(entry)
        case 1 where words.contains("std"): return .deviation(entry)
        case 2 where words.contains("pinv"): return .unneeded
        case 2 where words.contains("proj"): return .coefficients(entry)
        case 2 where words == "v" || words.hasPrefix("v_") || words.contains("directions"): return .directions(entry)
        case 2 where words.contains("weights"): return .weights(entry)
        case 2 where entry.shape[0] == 1: return .identity(name: stem, entry)
        case 1 where words.contains("w2wmodel"): return .identity(name: stem, try entry.reshaped([1, entry.count]))
        default:
            throw SpaceError(
                "\(url.path): a tensor of shape \(entry.shape) whose name does not say what it is",
                advice:
                    "Known are all_weights.pt, mean.pt, std.pt, V.pt, proj_1000pc.pt, identity_df.pt, weight_dimensions.pt, w2wmodel.pt."
            )
        }
    }

    /// Files and adapters of folders: what is no adapter itself is looked into.
    /// - Parameter urls: as given on the command line.
    /// - Returns: one place for each part, sorted within a folder; a name where the file or folder is not called like the identity.
    /// - Throws: `SpaceError` for a folder with nothing to import.
    static func places(_ urls: [URL]) throws -> [(url: URL, name: String?)] {
        try urls.flatMap { url -> [(url: URL, name: String?)] in
            guard url.fileKind == .folder else { return [(url, nil)] }
            if let adapter = adapter(in: url) { return [adapter] }
            let names = try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
            let kinds: Set = ["pt", "pth", "bin", "ckpt", "safetensors", "pkl", "csv"]
            let found = names.compactMap { name -> (url: URL, name: String?)? in
                let item = url.appendingPathComponent(name)
                if item.fileKind == .folder { return adapter(in: item) }
                return kinds.contains(item.pathExtension.lowercased()) ? (item, nil) : nil
            }
            guard !found.isEmpty else {
                throw SpaceError(
                    "\(url.path): holds no files of torch, no LoRA files and no PEFT folders",
                    advice: "Name the files themselves.")
            }
            return found
        }
    }

    /// The adapter that a folder is, or holds in one folder or file of its own: PEFT writes an adapter with a name into a folder of that
    /// name, diffusers' trainers write `pytorch_lora_weights.safetensors`.
    private static func adapter(in folder: URL) -> (url: URL, name: String?)? {
        if LoRAFile.isAdapterFolder(folder) { return (folder, nil) }
        let name = folder.lastPathComponent
        let single = folder.appendingPathComponent("pytorch_lora_weights.safetensors")
        if single.fileKind == .file { return (single, name) }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let inner = names.map(folder.appendingPathComponent).filter { $0.fileKind == .folder && LoRAFile.isAdapterFolder($0) }
        return inner.count == 1 && !names.contains { $0.hasSuffix(".pt") } ? (inner[0], name) : nil
    }
}

/// `weight_dimensions.pt`: an ordered dictionary of ((number of elements,), shape) by the keys of the adapter's file.
enum WeightDimensions {
    /// Reads it.
    /// - Returns: the entries in order; nil when the file is something else.
    /// - Throws: `CheckpointError` when it is one, and damaged.
    static func entries(_ torch: TorchFile) throws -> [(module: String, factor: LoRALayout.Factor, shape: [Int])]? {
        guard let members = torch.root.node?.members, !members.isEmpty else { return nil }
        var entries = [(module: String, factor: LoRALayout.Factor, shape: [Int])]()
        for (key, value) in members {
            guard let parts = value.elements, parts.count == 2, let counts = parts[0].sizes ?? parts[0].integer.map({ [$0] }),
                let shape = parts[1].sizes
            else { return nil }
            guard let (module, factor) = place(key), shape.count == 2, let count = counts.first, shape[0] <= 1 << 20,
                shape[1] <= 1 << 20, count == shape[0] * shape[1]
            else {
                throw CheckpointError(
                    file: torch.path,
                    problem: .malformed(
                        reason: "\"\(key)\" with \(counts) numbers of shape \(shape) is no factor of a LoRA layer"))
            }
            entries.append((module, factor, shape))
        }
        return entries
    }

    /// "base_model.model.down_blocks.0….attn1.to_q.lora_A.identity1.weight"
    private static func place(_ key: String) -> (module: String, factor: LoRALayout.Factor)? {
        for (mark, factor) in [(".lora_A.", LoRALayout.Factor.a), (".lora_B.", .b)] {
            guard let range = key.range(of: mark, options: .backwards), key.hasSuffix("weight") else { continue }
            var module = String(key[..<range.lowerBound])
            for prefix in ["base_model.model.", "unet."] where module.hasPrefix(prefix) {
                module = String(module.dropFirst(prefix.count))
            }
            return (module, factor)
        }
        return nil
    }
}

extension DataTable {
    /// A table that was written as text, such as pandas' `to_csv`: the first line has the names of the columns. A column of numbers (or True
    /// and False, or nothing) is one of numbers.
    /// - Throws: `SpaceError` that names the line.
    init(csv url: URL) throws {
        let rows = try IdentityLabels.lines(of: url)
        guard let heading = rows.first?.fields, rows.count > 1 else {
            throw SpaceError(
                "\(url.path): is an empty table", advice: "The first line names the columns, one line for each identity follows.")
        }
        for (line, fields) in rows where fields.count != heading.count {
            throw SpaceError(
                "\(url.path):\(line): \(fields.count) columns, the heading has \(heading.count)", advice: "Write the table again."
            )
        }
        let columns = heading.enumerated().map { place, name -> (name: String, values: Column) in
            let fields = rows.dropFirst().map { $0.fields[place].trimmingCharacters(in: .whitespaces) }
            let numbers = fields.map { field -> Double? in
                switch field.lowercased() {
                case "": .nan
                case "true": 1
                case "false": 0
                default: Double(field)
                }
            }
            let isNumeric = numbers.allSatisfy { $0 != nil }
            return (name, isNumeric ? .numbers(numbers.map { $0 ?? .nan }) : .texts(fields.map { $0.isEmpty ? nil : $0 }))
        }
        self.init(columns: columns.filter { !$0.name.isEmpty }, rowCount: rows.count - 1)
    }
}

extension IdentityLabels {
    /// Columns of a table that may hold the names.
    private static let nameColumns = ["file", "identity", "name"]

    /// The columns of texts besides the names: no attributes.
    static func columnsOfTexts(_ table: DataTable) -> [String] {
        table.columns.compactMap { name, column in
            if case .texts = column, !Self.nameColumns.contains(name.lowercased()) { name } else { nil }
        }
    }

    /// The table of the original: attributes of each person, and a column `file` (or the index) with the name.
    /// - Parameters:
    ///   - table: of a pickle.
    ///   - file: for messages.
    /// - Throws: `SpaceError` for names that are missing or stand twice.
    init(_ table: DataTable, file: String) throws {
        var names = table.rowNames
        for (name, column) in table.columns where Self.nameColumns.contains(name.lowercased()) {
            switch column {
            case .texts(let texts): names = texts.map { $0 ?? "" }
            case .numbers(let numbers): names = numbers.map { Int(exactly: $0).map(String.init) ?? "" }
            }
            break
        }
        guard let given = names else {
            throw SpaceError("\(file): the table has no column \"file\" with the names", advice: "Add it, or make it the index.")
        }
        let clean = given.map { name -> String in
            let last = (name as NSString).lastPathComponent
            return ["jpg", "jpeg", "png"].contains((last as NSString).pathExtension.lowercased())
                ? (last as NSString).deletingPathExtension : last
        }
        var seen = Set<String>()
        for (row, name) in clean.enumerated() {
            guard !name.isEmpty, seen.insert(name).inserted else {
                throw SpaceError(
                    "\(file): row \(row) has \(name.isEmpty ? "no name" : "the name \"\(name)\" of another row")",
                    advice: "Names must be there and differ.")
            }
        }
        var attributes = [(name: String, values: [Double])]()
        for (name, column) in table.columns {
            if case .numbers(let values) = column, !Self.nameColumns.contains(name.lowercased()) {
                attributes.append((name, values))
            }
        }
        let values = clean.indices.flatMap { row in attributes.map { Float($0.values[row]) } }
        self.init(names: clean, attributeNames: attributes.map(\.name), values: values)
    }
}
