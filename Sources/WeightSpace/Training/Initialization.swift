import Foundation
import NeuralNetworks
import TensorKit

/// Where the weights of a weight VAE start.
public enum Initialization: String, Sendable, CaseIterable {
    /// As the linear VAE that fits the training vectors best (probabilistic PCA, Tipping and Bishop 1999; Lucas et al. 2019), written in
    /// pairs of mirrored units that make LeakyReLU layers linear ("looks linear", Balduzzi et al. 2017). Training then finds what is not
    /// linear. With a few hundred vectors this generalises where a random start learns them by heart.
    case spectral
    /// The linear path as in `spectral`, and the network's output layers solved by ridge regression (`ReadoutStart`).
    case readout
    /// PyTorch's default for `torch.nn.Linear`.
    case torch

    /// Whether a network can start this way: the spectral start needs the vanilla stack without batch norm, or a linear path.
    func fits(_ configuration: WeightVAEConfiguration) -> Bool {
        switch self {
        case .torch: true
        case .readout: configuration.hasLinearPath
        case .spectral: configuration.hasLinearPath || (configuration.variant == .vanilla && !configuration.batchNorm)
        }
    }

    /// Sets all weights of a network.
    /// - Parameters:
    ///   - vae: one that `fits` lets pass.
    ///   - spectrum: of the scaled training vectors.
    ///   - decoderVariance: s² in the spectrum's units: what the KL term takes for noise.
    ///   - random: source of the random parts.
    func apply(to vae: WeightVAE, spectrum: Spectrum, decoderVariance: Double, random: TorchRandomSource) {
        Self.torch(vae, random)
        guard self != .torch else { return }
        if let path = vae.linearPath {
            Self.spectral(path, beside: vae.network, spectrum, decoderVariance)
        } else {
            Self.spectral(vae, spectrum, decoderVariance, random)
        }
    }

    /// PyTorch's default start of every layer: weights first, then biases, in PyTorch's order.
    static func torch(_ module: any Module, _ random: TorchRandomSource) {
        let leaves = leaves(of: module)
        var biases = [(Parameter, fanIn: Int)]()
        for leaf in leaves {
            switch leaf {
            case let layer as Linear:
                uniform(layer.weight, fanIn: layer.weight.shape[1], random)
                if let bias = layer.bias { biases.append((bias, layer.weight.shape[1])) }
            case let layer as Conv1d:
                let fanIn = layer.weight.shape[1] * layer.weight.shape[2]
                uniform(layer.weight, fanIn: fanIn, random)
                biases.append((layer.bias, fanIn))
            case let norm as LayerNorm:
                norm.weight.value = Tensor(norm.weight.shape, [Float](repeating: 1, count: norm.weight.shape[0]))
                norm.bias.value = Tensor(zeros: norm.bias.shape)
            case let norm as BatchNorm1d: norm.reset()
            default: preconditionFailure("a layer without a start: \(type(of: leaf))")
            }
        }
        for (bias, fanIn) in biases { uniform(bias, fanIn: fanIn, random) }
    }

    private static func leaves(of module: any Module) -> [any Module] {
        module.children.isEmpty ? [module] : module.children.flatMap { leaves(of: $0.module) }
    }

    private static func uniform(_ parameter: Parameter, fanIn: Int, _ random: TorchRandomSource) {
        let bound = 1 / Float(fanIn).squareRoot()
        // In pieces: a list of all numbers of a wide layer would be as large again as the layer.
        let value = Tensor(uninitialized: parameter.shape)
        let piece = 1 << 20
        for start in stride(from: 0, to: value.count, by: piece) {
            let numbers = random.uniform(min(piece, value.count - start))
            for (i, number) in numbers.enumerated() { value.pointer[start + i] = (number * 2 - 1) * bound }
        }
        parameter.value = value
    }

    /// The linear VAE's optimum for the linear path; the network beside it starts at nothing.
    private static func spectral(
        _ path: LinearPath, beside network: any WeightVAENetwork, _ spectrum: Spectrum, _ decoderVariance: Double
    ) {
        let (k, n) = (min(path.encoder.weight.shape[0], spectrum.components.shape[0]), path.encoder.weight.shape[1])
        let latent = path.encoder.weight.shape[0]
        for parameter in [path.encoder.weight, path.decoder.weight] { parameter.value = Tensor(zeros: parameter.shape) }
        for i in 0..<k {
            let (encode, decode) = gains(spectrum.eigenvalues[i], decoderVariance)
            for j in 0..<n {
                path.encoder.weight.value.pointer[i * n + j] = encode * spectrum.components.pointer[i * n + j]
                path.decoder.weight.value.pointer[j * latent + i] = decode * spectrum.components.pointer[i * n + j]
            }
        }
        for layer in [path.encoder, path.decoder] {
            if let bias = layer.bias { bias.value = Tensor(zeros: bias.shape) }
        }
        for layer in [network.codeLayers.mean] + network.outputLayers { scale(layer, by: 0) }
        widenByEigenvalues(network.codeLayers.decoderInput, spectrum, count: k)
        startLogVariance(network.codeLayers.logVariance, spectrum, decoderVariance, count: k)
    }

    /// Codes have the deviation 1 along every axis; the network sees them as wide as the data are there, so that it bends along the axes that
    /// carry much and stays smooth along those that carry noise.
    private static func widenByEigenvalues(_ layer: Linear, _ spectrum: Spectrum, count: Int) {
        let (rows, columns) = (layer.weight.shape[0], layer.weight.shape[1])
        let mean = spectrum.eigenvalues.prefix(count).reduce(0, +) / Double(max(1, count))
        for axis in 0..<count {
            let factor = Float((spectrum.eigenvalues[axis] / mean).squareRoot())
            for row in 0..<rows { layer.weight.value.pointer[row * columns + axis] *= factor }
        }
        layer.weight.markChanged()
    }

    /// The linear VAE's optimum: an axis of eigenvalue λ keeps the share 1 - s²/λ of its variance in the posterior mean.
    private static func gains(_ eigenvalue: Double, _ decoderVariance: Double) -> (encode: Float, decode: Float) {
        let share = max(0.02, 1 - decoderVariance / eigenvalue)
        return (Float((share / eigenvalue).squareRoot()), Float((share * eigenvalue).squareRoot()))
    }

    private static func startLogVariance(_ layer: Linear, _ spectrum: Spectrum, _ decoderVariance: Double, count: Int) {
        for i in 0..<layer.weight.value.count { layer.weight.value.pointer[i] *= 0.05 }
        layer.weight.markChanged()
        for i in 0..<count {
            layer.bias?.value.pointer[i] = Float(log(min(1, decoderVariance / spectrum.eigenvalues[i])))
        }
        layer.bias?.markChanged()
    }

    private static func scale(_ layer: Linear, by factor: Float) {
        for parameter in [layer.weight, layer.bias].compactMap({ $0 }) {
            for i in 0..<parameter.value.count { parameter.value.pointer[i] *= factor }
            parameter.markChanged()
        }
    }

    private static func spectral(_ vae: WeightVAE, _ spectrum: Spectrum, _ decoderVariance: Double, _ random: TorchRandomSource) {
        guard let layers = vae.network as? VanillaNetwork else { return }
        let slope = vae.configuration.negativeSlope
        let narrowest = vae.configuration.hiddenDims.min() ?? 0
        let k = min(vae.configuration.latentDim, spectrum.components.shape[0], narrowest / 2)
        guard k > 0 else { return }
        let gains = (0..<k).map { Self.gains(spectrum.eigenvalues[$0], decoderVariance) }
        let n = vae.configuration.vectorLength

        // Down: an orthonormal basis Q of the pairs carries the k coordinates from layer to layer.
        let encoderRows = Tensor(uninitialized: [k, n])
        for i in 0..<k {
            for j in 0..<n { encoderRows.pointer[i * n + j] = gains[i].encode * spectrum.components.pointer[i * n + j] }
        }
        let encoder = layers.encoder.map(\.linear)
        var basis = orthonormal(rows: encoder[0].weight.shape[0] / 2, columns: k, random)
        MirroredUnits.enter(encoder[0], product(basis, encoderRows))
        for layer in encoder.dropFirst() {
            let next = orthonormal(rows: layer.weight.shape[0] / 2, columns: k, random)
            MirroredUnits.pass(layer, product(next, transposed(basis)), slope: slope)
            basis = next
        }
        MirroredUnits.leave(layers.meanHead, transposed(basis), slope: slope)
        startLogVariance(layers.logVarianceHead, spectrum, decoderVariance, count: k)

        // Up: no activation follows the first layer, so it carries the coordinates plainly.
        let decoder = layers.decoder
        basis = orthonormal(rows: decoder.input.weight.shape[0], columns: k, random)
        MirroredUnits.plain(decoder.input, basis)
        let decoderColumns = Tensor(uninitialized: [n, k])
        for i in 0..<k {
            for j in 0..<n { decoderColumns.pointer[j * k + i] = gains[i].decode * spectrum.components.pointer[i * n + j] }
        }
        var isPaired = false
        for layer in decoder.stages.map(\.linear) {
            let next = orthonormal(rows: layer.weight.shape[0] / 2, columns: k, random)
            let matrix = product(next, transposed(basis))
            if isPaired { MirroredUnits.pass(layer, matrix, slope: slope) } else { MirroredUnits.enter(layer, matrix) }
            (basis, isPaired) = (next, true)
        }
        let matrix = product(decoderColumns, transposed(basis))
        if isPaired {
            MirroredUnits.leave(decoder.final, matrix, slope: slope)
        } else {
            MirroredUnits.plain(decoder.final, matrix)
        }
    }

    private static func product(_ a: Tensor, _ b: Tensor) -> Tensor {
        LinearKernel(inFeatures: b.shape[1], outFeatures: b.shape[0]).inputGradient(a, weight: b, version: 0)
    }

    private static func transposed(_ a: Tensor) -> Tensor {
        let (rows, columns) = (a.shape[0], a.shape[1])
        let result = Tensor(uninitialized: [columns, rows])
        for i in 0..<rows {
            for j in 0..<columns { result.pointer[j * rows + i] = a.pointer[i * columns + j] }
        }
        return result
    }

    /// A random matrix with orthonormal columns (Gram and Schmidt on normal numbers).
    /// - Precondition: not more columns than rows.
    static func orthonormal(rows: Int, columns: Int, _ random: TorchRandomSource) -> Tensor {
        precondition(columns <= rows, "\(columns) orthonormal columns of length \(rows)")
        var basis = [[Double]]()
        while basis.count < columns {
            var column = random.normal(rows).map(Double.init)
            // Twice, so that rounding does not spoil the right angles.
            for _ in 0..<2 {
                for other in basis {
                    let overlap = zip(column, other).reduce(0.0) { $0 + $1.0 * $1.1 }
                    for i in 0..<rows { column[i] -= overlap * other[i] }
                }
            }
            let length = column.reduce(0.0) { $0 + $1 * $1 }.squareRoot()
            if length > 1e-6 { basis.append(column.map { $0 / length }) }
        }
        let result = Tensor(uninitialized: [rows, columns])
        for j in 0..<columns {
            for i in 0..<rows { result.pointer[i * columns + j] = Float(basis[j][i]) }
        }
        return result
    }
}

/// Layers whose units come in mirrored pairs: leaky(a) - leaky(-a) = (1 + slope) a, so such a stack is linear at first.
enum MirroredUnits {
    /// Plain values in, pairs out: the rows of `matrix`, then their negatives.
    static func enter(_ layer: Linear, _ matrix: Tensor) {
        let rows = matrix.shape[0]
        fill(layer) { i, j in i < rows ? entry(matrix, i, j) : entry(matrix, i - rows, j).map { -$0 } }
    }

    /// Pairs in, pairs out.
    static func pass(_ layer: Linear, _ matrix: Tensor, slope: Float) {
        let (rows, columns) = (matrix.shape[0], matrix.shape[1])
        fill(layer) { i, j in
            guard i < 2 * rows else { return nil }
            guard j < 2 * columns, let value = entry(matrix, i % rows, j % columns) else { return 0 }
            return ((i < rows) == (j < columns) ? value : -value) / (1 + slope)
        }
    }

    /// Pairs in, plain values out.
    static func leave(_ layer: Linear, _ matrix: Tensor, slope: Float) {
        let columns = matrix.shape[1]
        fill(layer) { i, j in
            guard i < matrix.shape[0] else { return nil }
            guard j < 2 * columns, let value = entry(matrix, i, j % columns) else { return 0 }
            return (j < columns ? value : -value) / (1 + slope)
        }
    }

    /// Plain values in and out.
    static func plain(_ layer: Linear, _ matrix: Tensor) {
        fill(layer) { i, j in i < matrix.shape[0] ? entry(matrix, i, j) ?? 0 : nil }
    }

    private static func entry(_ matrix: Tensor, _ i: Int, _ j: Int) -> Float? {
        guard i < matrix.shape[0], j < matrix.shape[1] else { return nil }
        return matrix.pointer[i * matrix.shape[1] + j]
    }

    /// Sets the weight where `value` has one and the bias to zero; what `value` leaves out keeps its random start.
    private static func fill(_ layer: Linear, _ value: (Int, Int) -> Float?) {
        let (rows, columns) = (layer.weight.shape[0], layer.weight.shape[1])
        let weight = layer.weight.value
        for i in 0..<rows {
            for j in 0..<columns {
                if let number = value(i, j) { weight.pointer[i * columns + j] = number }
            }
        }
        layer.weight.markChanged()
        if let bias = layer.bias { bias.value = Tensor(zeros: bias.shape) }
    }
}
