import Checkpoints
import TensorKit

/// An adapter on its way into the weights of a model: W + multiplier · change for every layer that it names (diffusers' `fuse_lora`). Where DoRA
/// gives the changed weight W' = W + change its lengths, W + multiplier · (m / ‖W'‖ · W' - W).
final class LoRAMerge {
    private let file: String
    private let multiplier: Float
    /// Layers by the full name of the parameter that they change.
    private var layers: [LoRAFile.Part: [String: LoRAFile.Layer]] = [:]

    /// Finds the layers of a file in the networks.
    /// - Parameters:
    ///   - adapter: the file.
    ///   - multiplier: 1 as trained, 0 nothing.
    ///   - unet: with its shapes; weights need not be loaded.
    ///   - textModel: the same.
    /// - Throws: `StateDictionaryMismatch` with all layers that the networks do not have or have in another shape, `CheckpointError` for
    ///   numbers that are not finite.
    init(_ adapter: LoRAFile, multiplier: Float, unet: UNet2DConditionModel, textModel: CLIPTextModel) throws {
        file = adapter.file
        self.multiplier = multiplier
        var shapes = [LoRAFile.Part: [String: (name: String, shape: [Int])]]()
        for (part, parameters) in [(LoRAFile.Part.unet, unet.parameterShapes), (.textModel, textModel.parameterShapes)] {
            for (name, shape) in parameters where name.hasSuffix(".weight") {
                let path = String(name.dropLast(".weight".count))
                shapes[part, default: [:]][path] = (name, shape)
                shapes[part, default: [:]][path.replacingOccurrences(of: ".", with: "_")] = (name, shape)
            }
        }
        var unexpected = [StateDictionaryMismatch.Item]()
        var wrong = [StateDictionaryMismatch.Difference]()
        for layer in adapter.layers {
            let found = layer.form.shape
            guard let (name, shape) = shapes[layer.part]?[layer.path] else {
                unexpected.append(.init(key: layer.path, shape: found))
                continue
            }
            guard shape.count >= 2, shape[0] == found[0], shape.dropFirst().reduce(1, *) == found.dropFirst().reduce(1, *) else {
                wrong.append(.init(key: layer.path, expected: shape, found: found))
                continue
            }
            if let magnitude = layer.magnitude, magnitude.entry.count != shape[magnitude.isOfOutputs ? 0 : 1] {
                wrong.append(
                    .init(
                        key: magnitude.entry.name, expected: [shape[magnitude.isOfOutputs ? 0 : 1]], found: magnitude.entry.shape)
                )
                continue
            }
            for factor in layer.tensors where !Kernels.sumOfSquares(factor.tensor()).isFinite {
                throw CheckpointError(
                    file: adapter.file, problem: .invalidEntry(tensor: factor.name, reason: "holds numbers that are not finite"))
            }
            layers[layer.part, default: [:]][name] = layer
        }
        guard unexpected.isEmpty, wrong.isEmpty else {
            if let origin = Self.origin(of: adapter, promptWidth: unet.configuration.crossAttentionDim) {
                throw CheckpointError(file: adapter.file, problem: .unsupported(reason: origin))
            }
            throw StateDictionaryMismatch(file: adapter.file, missing: [], unexpected: unexpected, wrongShape: wrong)
        }
    }

    /// Which family of models an adapter is for, when prompts are of another width there.
    private static func origin(of adapter: LoRAFile, promptWidth: Int) -> String? {
        let keys = adapter.layers.first { layer in
            layer.part == .unet && ["attn2.to_k", "attn2.to_v", "attn2_to_k", "attn2_to_v"].contains { layer.path.hasSuffix($0) }
        }
        let families = [768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"]
        guard let keys, let width = keys.form.shape.dropFirst().first, width != promptWidth, let family = families[width] else {
            return nil
        }
        return "the adapter is for \(family): \(keys.path) takes prompts \(width) wide, this model's are \(promptWidth) wide"
    }

    /// Whether a parameter is changed.
    func changes(_ part: LoRAFile.Part, _ name: String) -> Bool { layers[part]?[name] != nil }

    /// A weight with the change of its layer added, calculated whenever elements are read: nothing but the factors (and what DoRA makes the
    /// lengths right with) lies in memory, and the kernels keep the sum in the precision that they keep other weights in.
    /// - Parameters:
    ///   - weight: as the model's file has it.
    ///   - part: the network.
    ///   - name: of the parameter.
    /// - Returns: `weight` itself where nothing changes.
    func merged(_ weight: WeightSource.Stored, _ part: LoRAFile.Part, _ name: String) -> WeightSource.Stored {
        guard let layer = layers[part]?[name] else { return weight }
        guard let magnitude = layer.magnitude else {
            let change = WeightChange(layer.form, scale: multiplier * layer.scale)
            return WeightSource.Stored(
                read: { range, target in
                    weight.read(range, target)
                    Self.eachRow(of: range, columns: change.columns) { row, columns, start in
                        change.add(row, columns, to: target + start)
                    }
                }, release: weight.release)
        }
        let (change, multiplier) = (WeightChange(layer.form, scale: layer.scale), multiplier)
        let gains = Gains(magnitude, rows: layer.form.shape[0], weight, change)
        weight.release()
        return WeightSource.Stored(
            read: { range, target in
                weight.read(range, target)
                Self.eachRow(of: range, columns: change.columns) { row, columns, start in
                    withUnsafeTemporaryAllocation(of: Float.self, capacity: columns.count) { changed in
                        guard let base = changed.baseAddress else { return }
                        base.initialize(from: target + start, count: columns.count)
                        change.add(row, columns, to: base)
                        for i in 0..<columns.count {
                            let own = target[start + i]
                            target[start + i] = own + multiplier * (gains[row, columns.lowerBound + i] * base[i] - own)
                        }
                    }
                }
            }, release: weight.release)
    }

    /// The parts of rows that a range of elements consists of.
    private static func eachRow(
        of range: Range<Int>, columns: Int, _ body: (_ row: Int, _ columns: Range<Int>, _ start: Int) -> Void
    ) {
        var at = range.lowerBound
        while at < range.upperBound {
            let (row, column) = (at / columns, at % columns)
            let count = min(columns - column, range.upperBound - at)
            body(row, column..<column + count, at - range.lowerBound)
            at += count
        }
    }
}

/// What rows or channels of a changed weight are multiplied by, so that they get DoRA's lengths.
private struct Gains: Sendable {
    private let isOfOutputs: Bool
    /// Columns of one channel.
    private let kernel: Int
    private let factors: [Float]

    /// Reads the whole weight.
    init(_ magnitude: Magnitude, rows: Int, _ weight: WeightSource.Stored, _ change: WeightChange) {
        let (lengths, columns) = (magnitude.entry.floats(), change.columns)
        let kernel = magnitude.isOfOutputs ? columns : columns / lengths.count
        var squares = [Double](repeating: 0, count: lengths.count)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { row in
            guard let base = row.baseAddress else { return }
            for index in 0..<rows {
                weight.read(index * columns..<(index + 1) * columns, base)
                change.add(index, 0..<columns, to: base)
                for column in 0..<columns {
                    squares[magnitude.isOfOutputs ? index : column / kernel] += Double(base[column]) * Double(base[column])
                }
            }
        }
        (isOfOutputs, self.kernel) = (magnitude.isOfOutputs, kernel)
        factors = zip(lengths, squares).map { $1 > 0 ? $0 / Float($1.squareRoot()) : 1 }
    }

    subscript(row: Int, column: Int) -> Float { factors[isOfOutputs ? row : column / kernel] }
}
