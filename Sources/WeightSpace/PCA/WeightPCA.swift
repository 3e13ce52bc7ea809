import Checkpoints
import Foundation
import TensorKit

/// The linear model of weights2weights: principal components of standardised LoRA vectors.
///
/// coefficients = ((vector - mean) / std) components, vector = coefficients componentsᵀ * std + mean. A code holds the plain coefficients, as the
/// original's `w2wmodel.pt` does. Along axis i they have the deviation `deviations[i]`, singular value / sqrt(rows - 1) over the rows it was
/// fitted to.
///
/// The sign of a component is free; here its number of largest magnitude is positive.
public final class WeightPCA: WeightCodeModel {
    /// [n]
    public let mean: Tensor
    /// [n], all above 0; 1 where the vectors were only centred.
    public let std: Tensor
    /// [k], falling.
    public let singularValues: [Float]
    /// Number of vectors that it was fitted to.
    public let rows: Int
    /// Coefficients of the space's identities, [N, k] row-major, when the file carries them.
    public let coefficients: [Float]
    /// Which vectors it was fitted to, in words: "436 identities of the training split".
    public let origin: String
    /// [n, k], orthonormal columns; read from the file at first use, since a large one takes hundreds of megabytes.
    public private(set) lazy var components: Tensor = stored()
    private let stored: () -> Tensor
    private let knownEffects: [Float]

    /// Length of a LoRA vector.
    public let vectorLength: Int
    /// k
    public let latentDimension: Int

    public var kind: WeightModelKind { .pca }
    public var title: String { "PCA" }
    public var deviations: [Float] { singularValues.map { max($0 / Float(max(1, rows - 1)).squareRoot(), 1e-12) } }
    public var priorScale: [Float] { deviations }
    /// components * std, [n, k]
    public var firstDecoderLayer: Tensor? {
        let result = components.copy()
        let k = latentDimension
        for i in 0..<vectorLength {
            for j in 0..<k { result.pointer[i * k + j] *= std.pointer[i] }
        }
        return result
    }

    /// A PCA from its parts.
    /// - Parameters:
    ///   - mean: [n]
    ///   - std: [n], above 0; ones when the vectors were only centred.
    ///   - components: [n, k], orthonormal columns (`V` of the original).
    ///   - singularValues: [k] of the standardised vectors, falling.
    ///   - rows: how many vectors it was fitted to, at least 2.
    ///   - coefficients: of the space's identities, [N, k], or nil.
    ///   - origin: which vectors it was fitted to, in words.
    ///   - file: for messages.
    /// - Throws: `SpaceError` when shapes do not fit each other or numbers cannot be.
    public init(
        mean: Tensor, std: Tensor, components: Tensor, singularValues: [Float], rows: Int, coefficients: Tensor? = nil,
        origin: String = "", file: String = "the PCA"
    ) throws {
        self.mean = mean
        self.std = std
        self.singularValues = singularValues
        self.rows = rows
        self.coefficients = coefficients?.array ?? []
        self.origin = origin
        stored = { components }
        knownEffects = []
        vectorLength = mean.count
        latentDimension = singularValues.count
        guard components.shape == [mean.count, singularValues.count] else {
            throw SpaceError(
                "\(file): components \(components.shape) for \(mean.count) numbers and \(singularValues.count) values")
        }
        if let coefficients, coefficients.shape.count != 2 || coefficients.shape[1] != singularValues.count {
            throw SpaceError("\(file): coefficients \(coefficients.shape) for \(singularValues.count) components")
        }
        try check(file)
    }

    /// Opens a `pca.safetensors`: `mean` and `std` [n], `components` [n, k], `singular_values` [k], optionally `coefficients` [N, k] of the
    /// space's identities and `effects` [k]; the metadata say `rows` and `origin`.
    /// - Throws: `CheckpointError`, `StateDictionaryMismatch` or `SpaceError`: what does not fit.
    public init(contentsOf url: URL) throws {
        let state = try StateDictionary(safetensors: url)
        let shape = try state.entry("components").shape
        guard shape.count == 2, shape[0] > 0, shape[1] > 0 else {
            throw CheckpointError(
                file: url.path, problem: .wrongShape(tensor: "components", expected: "[n, k]", found: shape))
        }
        var expected = [
            ("mean", [shape[0]]), ("std", [shape[0]]), ("components", shape), ("singular_values", [shape[1]]),
        ]
        if let extra = state["coefficients"] { expected.append(("coefficients", [extra.shape.first ?? 0, shape[1]])) }
        if state["effects"] != nil { expected.append(("effects", [shape[1]])) }
        let entries = try state.matched(to: expected)
        mean = entries[0].tensor()
        std = entries[1].tensor()
        stored = { entries[2].tensor() }
        singularValues = entries[3].floats()
        coefficients = state["coefficients"]?.floats() ?? []
        knownEffects = state["effects"]?.floats() ?? []
        let known = state["coefficients"]?.shape.first
        guard let rows = state.metadata["rows"].flatMap({ Int($0) }) ?? known, rows >= 2 else {
            throw SpaceError(
                "\(url.path): does not say how many vectors it was fitted to",
                advice: "Its metadata should hold \"rows\"; make it again with `w2w pca`.")
        }
        self.rows = rows
        origin = state.metadata["origin"] ?? ""
        vectorLength = shape[0]
        latentDimension = shape[1]
        try check(url.path)
    }

    private func check(_ file: String) throws {
        func damaged(_ what: String) -> SpaceError {
            SpaceError("\(file): \(what)", advice: "Make it again with `w2w pca`.")
        }
        guard latentDimension > 0, rows >= 2 else { throw damaged("has no components, or was fitted to fewer than 2 vectors") }
        guard std.count == mean.count, std.array.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw damaged("a deviation of `std` is not above 0")
        }
        guard mean.array.allSatisfy(\.isFinite) else { throw damaged("`mean` holds numbers that are not finite") }
        guard singularValues.allSatisfy({ $0.isFinite && $0 >= 0 }),
            zip(singularValues, singularValues.dropFirst()).allSatisfy({ $0 >= $1 * 0.999 })
        else { throw damaged("`singular_values` do not fall, or are not finite") }
        guard coefficients.allSatisfy(\.isFinite) else { throw damaged("`coefficients` holds numbers that are not finite") }
    }

    public func codes(of vectors: Tensor) -> Tensor {
        let scaled = vectors.copy()
        Standardization.apply(mean: mean, std: std, to: scaled)
        return Kernels.product(scaled, components)
    }

    public func decode(_ codes: Tensor) -> Tensor {
        let result = Kernels.product(codes, components, transposeB: true)
        Standardization.undo(mean: mean, std: std, on: result)
        return result
    }

    /// The same model with other coefficients: those of the identities of a space, [N, k].
    func replacingCoefficients(_ coefficients: Tensor) throws -> WeightPCA {
        try WeightPCA(
            mean: mean, std: std, components: components, singularValues: singularValues, rows: rows,
            coefficients: coefficients, origin: origin)
    }

    /// Mean Euclidean change of the vector for one deviation along each axis, [k].
    var effects: [Float] {
        if !knownEffects.isEmpty { return knownEffects }
        let k = latentDimension
        var squares = [Double](repeating: 0, count: k)
        let source = components.pointer
        for i in 0..<vectorLength {
            let scale = Double(std.pointer[i])
            for j in 0..<k {
                let value = Double(source[i * k + j]) * scale
                squares[j] += value * value
            }
        }
        return zip(squares, deviations).map { Float($0.squareRoot()) * $1 }
    }

    /// Writes `pca.safetensors`, whole or not at all.
    /// - Parameters:
    ///   - url: what stands there is replaced.
    ///   - type: of components and coefficients, `.float32` or `.float16`; the others stay float32.
    /// - Throws: `CheckpointError` when it cannot be written.
    public func write(to url: URL, as type: ElementType) throws {
        var tensors = [
            StoredTensor("mean", mean), StoredTensor("std", std), StoredTensor("components", components, as: type),
            StoredTensor("singular_values", Tensor([latentDimension], singularValues)),
            StoredTensor("effects", Tensor([latentDimension], effects)),
        ]
        if !coefficients.isEmpty {
            let count = coefficients.count / latentDimension
            tensors.append(StoredTensor("coefficients", Tensor([count, latentDimension], coefficients), as: type))
        }
        try SafetensorsWriter.write(tensors, metadata: ["rows": "\(rows)", "origin": origin], to: url)
    }
}

extension WeightPCA {
    /// What is known of the axes, with the identities' coefficients and labels.
    ///
    /// KL is that of the probabilistic PCA (Tipping and Bishop 1999) averaged over the data, ½ ln(λ / σ²), where σ² is the mean variance that
    /// the components leave over; it needs standardised vectors and is 0 where they were only centred.
    /// - Parameter labels: of the identities, or empty.
    /// - Returns: one description an axis.
    func axes(labels: IdentityLabels) -> [LatentAxis] {
        let k = latentDimension
        let count = coefficients.count / k
        let deviations = deviations
        let eigenvalues = deviations.map { Double($0) * Double($0) }
        let isStandardized = std.array.contains { $0 != 1 }
        let left = (Double(vectorLength) - eigenvalues.reduce(0, +)) / Double(max(1, vectorLength - k))
        let effects = effects
        let strongest = max(effects.max() ?? 0, .leastNonzeroMagnitude)
        let correlations = AttributeCorrelation.table(codes: coefficients, dimension: k, labels: labels)
        return (0..<k).map { axis in
            var moments = (mean: 0.0, variance: eigenvalues[axis])
            if count >= 2 {
                let values = (0..<count).map { Double(coefficients[$0 * k + axis]) }
                moments.mean = values.reduce(0, +) / Double(count)
                moments.variance = values.reduce(0) { $0 + ($1 - moments.mean) * ($1 - moments.mean) } / Double(count - 1)
            }
            let kl = isStandardized && left > 0 ? max(0, 0.5 * log(eigenvalues[axis] / left)) : 0
            return LatentAxis(
                index: axis, kl: Float(kl), variance: Float(max(moments.variance, 1e-12)), mean: Float(moments.mean),
                deviation: Float(max(moments.variance.squareRoot(), 1e-6)), effect: effects[axis] / strongest,
                correlations: correlations.isEmpty ? [] : correlations[axis], isActive: true)
        }
    }

    /// The model and its axes as the space's coordinates.
    func coordinates(labels: IdentityLabels) -> WeightCoordinates {
        WeightCoordinates(
            model: self, codes: coefficients, codeLogVariances: Array(repeating: -.infinity, count: coefficients.count),
            axes: axes(labels: labels))
    }
}
