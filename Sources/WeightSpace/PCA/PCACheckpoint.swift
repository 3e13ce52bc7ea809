import Checkpoints
import Foundation
import TensorKit

/// A fit that was stopped, in a file: resumed from it, the same components come out bit for bit.
public enum PCACheckpoint {
    public static let fileName = "pca-checkpoint.safetensors"
    private static let key = "w2w_pca"

    private struct Head: Codable {
        var plan: PCAPlan
        /// SHA-256 over what the vectors are.
        var vectors: String
        var stage: PCAFit.Stage
        var cursor: Int
        var passes: Int
        var change: Double?
        var cut: Double?
    }

    /// Writes a fit as it stands; the file appears whole or the old one stays.
    /// - Throws: `CheckpointError` when it cannot be written.
    public static func write(_ fit: PCAFit, to url: URL) throws {
        let head = Head(
            plan: fit.plan, vectors: digest(fit), stage: fit.stage, cursor: fit.cursor, passes: fit.passes, change: fit.change,
            cut: fit.power?.cut)
        let text = String(decoding: try JSONEncoder().encode(head), as: UTF8.self)
        var tensors = [StoredTensor]()
        func add(_ name: String, _ tensor: Tensor?) {
            if let tensor { tensors.append(StoredTensor(name, tensor)) }
        }
        func add(_ name: String, _ values: [Double]) {
            if values.isEmpty { return }
            tensors.append(
                StoredTensor(name, integers: values.map { Int(bitPattern: UInt($0.bitPattern)) }, shape: [values.count]))
        }
        if fit.stage == .moments {
            add("origin", fit.moments.origin)
            add("sums", fit.moments.sums)
            add("squares", fit.moments.squares)
        }
        add("mean", fit.mean)
        add("std", fit.std)
        add("gram", fit.gram)
        add("mixing", fit.mixing)
        add("basis", fit.power?.basis)
        add("previous", fit.power?.previous)
        add("image", fit.power?.image)
        add("projected", fit.power?.projected ?? [])
        add("components", fit.components)
        add("singular_values", fit.singularValues)
        add("coefficients", fit.coefficients)
        try SafetensorsWriter.write(tensors, metadata: [key: text], to: url)
    }

    /// Brings a fresh fit to where the file stands.
    /// - Throws: `SpaceError` when the file belongs to other settings or vectors, `CheckpointError` when it cannot be read.
    public static func restore(_ fit: PCAFit, from url: URL) throws {
        let state = try StateDictionary(safetensors: url)
        guard let text = state.metadata[key], let head = try? JSONDecoder().decode(Head.self, from: Data(text.utf8)) else {
            throw SpaceError("\(url.path): is no checkpoint of `w2w pca`", advice: "Begin anew without --resume.")
        }
        guard head.plan == fit.plan, head.vectors == digest(fit) else {
            throw SpaceError(
                "\(url.path): belongs to a run with other settings or other vectors",
                advice: "Give the settings of that run, or begin anew without --resume.")
        }
        func doubles(_ name: String) throws -> [Double] {
            try state[name]?.integers().map { Double(bitPattern: UInt64(UInt(bitPattern: $0))) } ?? []
        }
        let n = fit.source.length
        func tensor(_ name: String, _ shape: [Int]) throws -> Tensor? {
            guard state[name] != nil else { return nil }
            return try state.entry(name, shape: shape).tensor()
        }
        (fit.stage, fit.cursor, fit.passes, fit.change) = (head.stage, head.cursor, head.passes, head.change)
        let (rows, k) = (fit.source.count, fit.plan.components)
        if head.stage == .moments {
            let (sums, squares) = (try doubles("sums"), try doubles("squares"))
            guard sums.count == n, squares.count == n else { throw damaged(url) }
            fit.moments.origin = try tensor("origin", [n])
            (fit.moments.sums, fit.moments.squares) = (sums, squares)
        }
        fit.mean = try tensor("mean", [n])
        fit.std = try tensor("std", [n])
        fit.gram = try doubles("gram")
        fit.mixing = try tensor("mixing", [rows, k])
        fit.components = try tensor("components", [n, k])
        fit.singularValues = try doubles("singular_values")
        fit.coefficients = try tensor("coefficients", [fit.everybody.count, k])
        let width = fit.plan.width(rows: rows, length: n)
        if let basis = try tensor("basis", [width, n]) {
            let (image, projected) = (try tensor("image", [width, n]), try doubles("projected"))
            guard let image, projected.count == width * width else { throw damaged(url) }
            fit.power = PowerIteration(
                basis: basis, previous: try tensor("previous", [width, n]), image: image, projected: projected,
                cut: head.cut ?? 0)
        }
        try check(fit, url)
    }

    /// Refuses a file that lacks what its stage works on.
    private static func check(_ fit: PCAFit, _ url: URL) throws {
        let rows = fit.source.count
        let isWhole =
            switch fit.stage {
            case .moments: true
            case .gram, .eigen: fit.mean != nil && fit.std != nil && fit.gram.count == rows * rows
            case .assembling: fit.mean != nil && fit.std != nil && fit.mixing != nil && fit.components != nil
            case .power: fit.mean != nil && fit.std != nil && fit.power != nil
            case .projecting, .done:
                fit.mean != nil && fit.std != nil && fit.components != nil && fit.coefficients != nil
                    && fit.singularValues.count == fit.plan.components
            }
        guard isWhole, fit.cursor >= 0, fit.cursor <= max(fit.source.length, fit.everybody.count) else { throw damaged(url) }
    }

    private static func damaged(_ url: URL) -> SpaceError {
        SpaceError("\(url.path): the checkpoint is not whole", advice: "Begin anew without --resume.")
    }

    /// What tells vectors apart without reading gigabytes: shape, type, which rows, the first and the last vector.
    private static func digest(_ fit: PCAFit) -> String {
        let entry = fit.source.entry
        let ends = entry.withBytes { bytes in
            let size = min(bytes.count, fit.source.length * entry.elementType.size)
            return [bytes.prefix(size), bytes.suffix(size)].map { SHA256.hexDigest(of: UnsafeRawBufferPointer(rebasing: $0)) }
        }
        let rows = fit.source.rows.map(String.init).joined(separator: ",")
        return SHA256.hexDigest(ofText: "\(entry.elementType.rawValue) \(entry.shape) \(ends) \(rows)")
    }
}
