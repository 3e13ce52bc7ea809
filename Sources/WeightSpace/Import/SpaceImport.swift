import Checkpoints
import Foundation
import StableDiffusion
import TensorKit

/// Makes a space out of files of weights2weights and weights2weights++ and of LoRA adapters. Everything is read and checked first; the space
/// comes into being in a folder beside its place and moves there whole.
public struct SpaceImport {
    /// Layout of the vectors.
    public let layout: LoRALayout
    /// Names and attributes, row by row; also of identities that only have coefficients.
    public let labels: IdentityLabels
    /// What happened to parts that were not taken as they are, a sentence each.
    public private(set) var notes: [String] = []

    private let base: ModelFolder
    private let weights: TensorEntry?
    private let adapters: [(name: String, file: LoRAFile)]
    private let pca: WeightPCA?
    private let vae: (state: StateDictionary, configuration: WeightVAEConfiguration)?

    /// Number of identities.
    public var count: Int { labels.count }
    /// What the space will have, in words.
    public var contents: String {
        var words = ["\(count) \(count == 1 ? "identity" : "identities")"]
        if weights != nil || !adapters.isEmpty { words.append("LoRA vectors of \(layout.vectorLength) numbers") }
        if let pca { words.append("a PCA of \(pca.latentDimension) components") }
        if let vae { words.append("a \(vae.configuration.variant.rawValue) VAE of \(vae.configuration.latentDim) axes") }
        return words.joined(separator: ", ")
    }

    /// Reads and checks the parts.
    /// - Parameters:
    ///   - urls: files, adapters, or folders of them.
    ///   - base: the model that the adapters were made for.
    ///   - alpha: `lora_alpha` of vectors whose files do not say it.
    /// - Throws: `SpaceError`, `CheckpointError`, `StateDictionaryMismatch`: which file, what is wrong, what to do.
    public init(_ urls: [URL], base: ModelFolder, alpha: Float) throws {
        self.base = base
        var parts = ImportParts()
        for (url, name) in try ImportPart.places(urls) { try parts.add(ImportPart.read(url, name: name), from: url) }
        guard !parts.isEmpty else {
            throw SpaceError("there is nothing to import in these files", advice: "See `w2w import --help`.")
        }
        adapters = parts.adapters
        let unet = UNet2DConditionModel(base.unetConfiguration)
        layout = try Self.layout(parts, base: base, unet: unet, alpha: alpha)
        let zero = layout.adapter(of: Tensor(zeros: [1, layout.vectorLength]))
        try unet.check(zero, file: parts.layout?.url.path ?? parts.adapters.first?.file.file ?? base.url.path)
        let length = layout.vectorLength
        weights = try parts.weights.map { try Self.check($0.value, length: length, file: $0.url.path) }
        pca = try parts.pca(length: length)
        if let (state, url) = parts.vae.map({ ($0.value, $0.url) }) {
            let shapes = Dictionary(uniqueKeysWithValues: state.entries.map { ($0.name, $0.shape) })
            let configuration = try WeightVAEConfiguration.published(shapes: shapes, file: url.path)
            guard configuration.vectorLength == layout.vectorLength else {
                throw SpaceError(
                    "\(url.path): the weight VAE is for vectors of \(configuration.vectorLength) numbers, the layout has \(layout.vectorLength)",
                    advice: "It belongs to another model or to other layers.")
            }
            _ = try WeightVAE(state, configuration: configuration)
            if let entry = try state.entries.first(where: { try !Self.isFinite($0) }) {
                throw SpaceError(
                    "\(url.path): \(entry.name) holds numbers that are not finite",
                    advice: "The training ran away; take an earlier checkpoint.")
            }
            vae = (state, configuration)
        } else {
            vae = nil
        }
        labels = try Self.labels(parts, pca: pca, weights: weights)
        notes = parts.notes
        if parts.hasUnneeded { notes.append("the pseudo-inverse is not needed: directions are solved from the labels") }
        notes += parts.shortenedIdentities
        if weights != nil, !adapters.isEmpty {
            throw SpaceError(
                "there are both a tensor of vectors and adapters", advice: "Import them one after the other, into two spaces.")
        }
        if pca != nil, !adapters.isEmpty {
            throw SpaceError(
                "there are both a PCA and adapters", advice: "Import the adapters into a space of their own, then run `w2w pca`.")
        }
    }

    /// Whether all numbers are finite; a large tensor is read a block of rows at a time.
    private static func isFinite(_ entry: TensorEntry) throws -> Bool {
        guard entry.elementType.isFloatingPoint, entry.count > 0 else { return true }
        let rows = entry.shape.first ?? 1
        let block = max(1, (16 << 20) / max(1, entry.count / rows))
        guard entry.shape.count == 2, block < rows else { return Kernels.sumOfSquares(entry.tensor()).isFinite }
        return try stride(from: 0, to: rows, by: block).allSatisfy { start in
            Kernels.sumOfSquares(try entry.tensor(rows: start..<min(rows, start + block))).isFinite
        }
    }

    private static func check(_ entry: TensorEntry, length: Int, file: String) throws -> TensorEntry {
        guard entry.shape[1] == length else {
            throw CheckpointError(
                file: file, problem: .wrongShape(tensor: entry.name, expected: "[identities, \(length)]", found: entry.shape))
        }
        return entry
    }

    private static func layout(
        _ parts: ImportParts, base: ModelFolder, unet: UNet2DConditionModel, alpha: Float
    ) throws -> LoRALayout {
        if let given = parts.layout {
            let rank = given.value.first { $0.factor == .a }?.shape[0] ?? 0
            return try LoRALayout(rank: rank, alpha: alpha, entries: given.value, file: given.url.path)
        }
        if let first = parts.adapters.first { return try LoRALayout(of: first.file, unet: unet) }
        let published = try LoRALayout(publishedFor: base, alpha: alpha)
        if let length = parts.vectorLength, length.value != published.vectorLength {
            throw SpaceError(
                "\(length.url.path): vectors of \(length.value) numbers; rank 1 on to_q and to_v of this model has \(published.vectorLength)",
                advice: "Give weight_dimensions.pt too, or the right model with --base.")
        }
        return published
    }

    /// Names for every row: those of the labels, the adapters' own, or numbers; an identity given by its coefficients comes last.
    private static func labels(_ parts: ImportParts, pca: WeightPCA?, weights: TensorEntry?) throws -> IdentityLabels {
        let coefficients = (pca?.coefficients.count ?? 0) / max(1, pca?.latentDimension ?? 1)
        let extra = parts.identities.map(\.value.name)
        let rows = weights?.shape[0] ?? (parts.adapters.isEmpty ? coefficients - extra.count : parts.adapters.count)
        if let pca, let weights, coefficients > 0, coefficients != weights.shape[0] + extra.count {
            throw SpaceError(
                "\(weights.path): \(weights.shape[0]) vectors, the coefficients are of \(coefficients) identities (k = \(pca.latentDimension))",
                advice: "They belong to different collections.")
        }
        var names: [String]
        var (attributeNames, values) = ([String](), [Float]())
        if let given = parts.labels {
            guard given.value.count == rows || rows == 0 else {
                throw SpaceError(
                    "\(given.url.path): labels of \(given.value.count) identities, there are \(rows) vectors",
                    advice: "Labels and vectors must be of the same identities, row by row.")
            }
            guard rows > 0 else {
                throw SpaceError(
                    "\(given.url.path): there are labels, but neither vectors nor coefficients",
                    advice: "Give all_weights.pt or proj_1000pc.pt too.")
            }
            (names, attributeNames, values) = (given.value.names, given.value.attributeNames, given.value.values)
            if !parts.adapters.isEmpty {
                guard Set(names) == Set(parts.adapters.map(\.name)) else {
                    throw SpaceError(
                        "\(given.url.path): its names are not those of the adapters",
                        advice: "A row is called like the adapter's file or folder.")
                }
            }
        } else {
            names = parts.adapters.isEmpty ? (0..<rows).map { String(format: "p%05d", $0 + 1) } : parts.adapters.map(\.name)
        }
        names += extra
        values += [Float](repeating: .nan, count: extra.count * attributeNames.count)
        var seen = Set<String>()
        for name in names where !seen.insert(name).inserted {
            throw SpaceError("two identities are called \"\(name)\"", advice: "Rename one of the files.")
        }
        return IdentityLabels(names: names, attributeNames: attributeNames, values: values)
    }

    /// LoRA vectors of some rows, [rows, n], in the order of the labels.
    func vectors(_ rows: Range<Int>) throws -> Tensor {
        if let weights {
            let known = weights.shape[0]
            if rows.upperBound <= known { return try weights.tensor(rows: rows) }
            // Identities by their coefficients stand behind the vectors.
            let result = Tensor(uninitialized: [rows.count, layout.vectorLength])
            let inside = min(rows.lowerBound, known)..<known
            let first = try weights.tensor(rows: inside.isEmpty ? 0..<0 : inside)
            result.pointer.update(from: first.pointer, count: first.count)
            let rest = try decoded(max(rows.lowerBound, known)..<rows.upperBound)
            (result.pointer + first.count).update(from: rest.pointer, count: rest.count)
            return result
        }
        if !adapters.isEmpty {
            let byName = Dictionary(adapters.map { ($0.name, $0.file) }, uniquingKeysWith: { first, _ in first })
            let result = Tensor(uninitialized: [rows.count, layout.vectorLength])
            for (place, row) in rows.enumerated() {
                guard let file = byName[labels.names[row]] else {
                    throw SpaceError("there is no adapter of \(labels.names[row])")
                }
                try layout.write(file, into: result.pointer + place * layout.vectorLength)
            }
            return result
        }
        return try decoded(rows)
    }

    /// LoRA vectors of some rows out of their coefficients.
    private func decoded(_ rows: Range<Int>) throws -> Tensor {
        guard let pca else { throw SpaceError("there are no vectors") }
        let k = pca.latentDimension
        return pca.decode(Tensor([rows.count, k], Array(pca.coefficients[(rows.lowerBound * k)..<(rows.upperBound * k)])))
    }

    /// Whether the space gets vectors of its own.
    public var hasVectors: Bool { weights != nil || !adapters.isEmpty }
    /// Whether it gets a weight VAE or a PCA.
    public var hasCoordinates: Bool { vae != nil || pca != nil }
    /// Whether its identities come from files of adapters.
    public var isOfAdapters: Bool { !adapters.isEmpty }

    /// Rows that are read at a time: about 64 MB.
    private var block: Int { max(1, (16 << 20) / max(1, layout.vectorLength)) }

    /// Writes the space.
    /// - Parameters:
    ///   - folder: not there yet, or empty.
    ///   - name: of the space.
    ///   - type: how vectors are stored, `.float32` or `.float16`.
    ///   - copiesBase: whether the base model is copied into the space or only named.
    ///   - progress: what is done, how much of it and how much there is; what it throws stops the import, and nothing is left.
    /// - Throws: `SpaceError` for weights that are not finite, `CheckpointError` when a file cannot be written.
    public func write(
        to folder: URL, name: String, as type: ElementType, copiesBase: Bool, progress: (String, Int, Int) throws -> Void
    ) throws {
        try DraftFolder.fill(folder) {
            try writeParts(to: $0, name: name, as: type, copiesBase: copiesBase, progress: progress)
        }
    }

    private func writeParts(
        to folder: URL, name: String, as type: ElementType, copiesBase: Bool, progress: (String, Int, Int) throws -> Void
    ) throws {
        func write(_ text: String, _ path: String) throws {
            try AtomicFile.write(to: folder.appendingPathComponent(path)) { try $0.append(text) }
        }
        let size = min(1024, max(64, (base.unetConfiguration.sampleSize ?? 64) * base.vaeConfiguration.downscale / 8 * 8))
        var writer = SpaceWriter(
            draft: folder, name: name,
            defaults: SpaceManifest.Defaults(
                prompt: "sks person", negativePrompt: "low quality, blurry, unfinished, cartoon", width: size, height: size))
        try write(layout.json, "layout.json")
        try writer.add("layout.json", as: .layout)
        if count > 0 {
            try write(labels.csv, "identities.csv")
            try writer.add("identities.csv", as: .identities)
        }
        if hasVectors {
            try SafetensorsWriter.write(
                rows: (count, layout.vectorLength), name: "weights", as: type,
                to: folder.appendingPathComponent("weights.safetensors"),
                block: block
            ) { range in
                try progress("vectors", range.lowerBound, count)
                let vectors = try vectors(range)
                try checkFinite(vectors, from: range.lowerBound)
                return vectors
            }
            try writer.add("weights.safetensors", as: .weights)
        }
        if let pca {
            try progress("writing the PCA", 0, 1)
            try pca.write(to: folder.appendingPathComponent("pca.safetensors"), as: .float32)
            try writer.add("pca.safetensors", as: .pca)
        }
        if let vae { try writeVAE(vae, to: folder, &writer, progress: progress) }
        try progress("placing the base model", 0, 1)
        try writer.placeBase(base.url, copiesBase ? .copy : .refer)
        try writer.finish()
    }

    private func writeVAE(
        _ given: (state: StateDictionary, configuration: WeightVAEConfiguration), to folder: URL, _ writer: inout SpaceWriter,
        progress: (String, Int, Int) throws -> Void
    ) throws {
        var configuration = given.configuration
        configuration.layoutDigest = layout.digest
        let vae = try WeightVAE(given.state, configuration: configuration)
        func write(_ text: String, _ path: String) throws {
            try AtomicFile.write(to: folder.appendingPathComponent(path)) { try $0.append(text) }
        }
        try write(JSONValue.object(configuration.jsonMembers).text() + "\n", "vae.json")
        try vae.write(to: folder.appendingPathComponent("vae.safetensors"), as: .float32)
        let d = configuration.latentDim
        var axes: [LatentAxis]
        if count > 0 {
            let (means, logVariances) = (Tensor(uninitialized: [count, d]), Tensor(uninitialized: [count, d]))
            for start in stride(from: 0, to: count, by: block) {
                try progress("encoding", start, count)
                let range = start..<min(count, start + block)
                let vectors = try vectors(range)
                try checkFinite(vectors, from: start)
                let codes = vae.encode(vectors)
                (means.pointer + start * d).update(from: codes.mean.pointer, count: range.count * d)
                (logVariances.pointer + start * d).update(from: codes.logVariance.pointer, count: range.count * d)
            }
            try SafetensorsWriter.write(
                [StoredTensor("mean", means), StoredTensor("log_variance", logVariances)],
                to: folder.appendingPathComponent("codes.safetensors"))
            try writer.add("codes.safetensors", as: .codes)
            axes = try AxisSurvey.axes(of: vae, means: means, logVariances: logVariances, labels: labels)
        } else {
            // Without anybody the prior stands in: what an axis does is measured on its codes, what people are along it is not known.
            let codes = TorchRandomSource(seed: 0).normal(shape: [64, d])
            let none = IdentityLabels(names: [], attributeNames: [], values: [])
            axes = try AxisSurvey.axes(of: vae, means: codes, logVariances: Tensor(zeros: [64, d]), labels: none).map {
                LatentAxis(index: $0.index, kl: 0, variance: 1, mean: 0, deviation: 1, effect: $0.effect, correlations: [])
            }
        }
        try write(LatentAxis.json(axes), "axes.json")
        try writer.add("axes.json", as: .axes)
        try writer.add("vae.json", as: .vae)
        try writer.note("vae.safetensors")
    }

    private func checkFinite(_ vectors: Tensor, from first: Int) throws {
        for row in 0..<vectors.shape[0] where !Kernels.sumOfSquares(vectors.rows(row..<(row + 1))).isFinite {
            throw SpaceError(
                "\(weights?.path ?? adapters.first { $0.name == labels.names[first + row] }?.file.file ?? "the coefficients"): the weights of "
                    + "\(labels.names[first + row]) (row \(first + row)) are not finite",
                advice: "Leave this identity out, or make its adapter again.")
        }
    }
}
