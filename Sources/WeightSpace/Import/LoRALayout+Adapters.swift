import Checkpoints
import StableDiffusion
import TensorKit

extension LoRALayout {
    /// The layout that an adapter has: its layers sorted by name, A before B.
    /// - Parameters:
    ///   - file: an adapter of linear layers of the U-Net, all of one rank.
    ///   - unet: the model's, for the names of files that write low lines for points.
    /// - Throws: `SpaceError` that names a layer that cannot be part of a vector, `StateDictionaryMismatch` for layers of another model.
    public init(of file: LoRAFile, unet: UNet2DConditionModel) throws {
        let layers = try Self.named(file, paths: Set(unet.adaptableShapes.keys)).sorted { $0.key < $1.key }
        guard let first = layers.first?.value else { throw SpaceError("\(file.file): holds no layers") }
        if let other = layers.first(where: { $0.value.rank != first.rank }) {
            throw SpaceError(
                "\(file.file): layers of rank \(first.rank) and of rank \(other.value.rank) (\(other.key))",
                advice: "Identities of a space have one rank; draw this file with --adapter instead.")
        }
        try self.init(
            rank: first.rank, alpha: first.scale * Float(first.rank),
            entries: layers.flatMap { path, layer -> [(module: String, factor: Factor, shape: [Int])] in
                [(path, .a, [layer.rank, layer.a.shape[1]]), (path, .b, [layer.b.shape[0], layer.rank])]
            }, file: file.file)
    }

    /// Writes an adapter as a vector. Where its scale differs from the layout's, B takes the difference.
    /// - Parameters:
    ///   - file: an adapter with the layers of the layout.
    ///   - target: room for `vectorLength` numbers.
    /// - Throws: `SpaceError` or `StateDictionaryMismatch` with all layers that do not fit.
    public func write(_ file: LoRAFile, into target: UnsafeMutablePointer<Float>) throws {
        let layers = try Self.named(file, paths: Set(adapters.map(\.module)))
        var (missing, wrong) = ([StateDictionaryMismatch.Item](), [StateDictionaryMismatch.Difference]())
        for entry in entries {
            guard let layer = layers[entry.module] else {
                missing.append(.init(key: "\(entry.module).lora_\(entry.factor.rawValue)", shape: entry.shape))
                continue
            }
            let tensor = entry.factor == .a ? layer.a : layer.b
            guard tensor.shape == entry.shape else {
                wrong.append(
                    .init(key: "\(entry.module).lora_\(entry.factor.rawValue)", expected: entry.shape, found: tensor.shape))
                continue
            }
            let factor = entry.factor == .b ? layer.scale / scale : 1
            let values = tensor.floats()
            for (i, value) in values.enumerated() { target[entry.range.lowerBound + i] = factor * value }
        }
        let known = Set(adapters.map(\.module))
        let unexpected = layers.filter { !known.contains($0.key) }
        guard missing.isEmpty, wrong.isEmpty, unexpected.isEmpty else {
            throw StateDictionaryMismatch(
                file: file.file, missing: missing,
                unexpected: unexpected.sorted { $0.key < $1.key }.map {
                    .init(key: $0.key, shape: [$0.value.b.shape[0], $0.value.a.shape[1]])
                },
                wrongShape: wrong)
        }
    }

    /// A layer of plain LoRA: scale · B A.
    private struct Factors {
        /// [r, in]
        let a: TensorEntry
        /// [out, r]
        let b: TensorEntry
        let scale: Float

        var rank: Int { a.shape[0] }
    }

    /// The layers of a file by their path with points.
    private static func named(_ file: LoRAFile, paths: Set<String>) throws -> [String: Factors] {
        let flat = Dictionary(
            paths.map { ($0.replacingOccurrences(of: ".", with: "_"), $0) }, uniquingKeysWith: { first, _ in first })
        var result = [String: Factors]()
        for layer in file.layers {
            guard layer.part == .unet else {
                throw SpaceError(
                    "\(file.file): the layer \(layer.path) belongs to the text model",
                    advice: "Identities of a space change the U-Net only; draw this file with --adapter instead.")
            }
            guard let (a, b) = layer.factors else {
                throw SpaceError(
                    "\(file.file): the layer \(layer.path) is \(layer.kind)",
                    advice: "Identities of a space are plain LoRA; draw this file with --adapter instead.")
            }
            guard a.shape.count == 2 else {
                throw SpaceError(
                    "\(file.file): the layer \(layer.path) is a convolution",
                    advice: "Identities of a space change linear layers only; draw this file with --adapter instead.")
            }
            let path = file.isFlat ? flat[layer.path] ?? layer.path : layer.path
            guard result.updateValue(Factors(a: a, b: b, scale: layer.scale), forKey: path) == nil else {
                throw SpaceError("\(file.file): the layer \(path) stands twice")
            }
        }
        return result
    }
}
