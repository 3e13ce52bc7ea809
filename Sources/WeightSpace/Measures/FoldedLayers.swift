import Checkpoints
import NeuralNetworks
import TensorKit

/// A convolution with what follows it folded into its weight: the batch norm as it is in evaluation, or a factor.
struct FoldedConvolution {
    /// Under this name it stands in the state dictionary.
    let name: String
    let layer: Conv2d
    /// Whether `name` is a `BasicConv2d` (convolution without bias and batch norm) or a plain convolution with bias.
    let hasNorm: Bool
    /// Of a plain convolution's result.
    let factor: Double

    /// Names and shapes of what it needs from the file.
    var expected: [(name: String, shape: [Int])] {
        let (weight, outputs) = (layer.geometry.weightShape, layer.geometry.outChannels)
        guard hasNorm else { return [("\(name).weight", weight), ("\(name).bias", [outputs])] }
        return [("\(name).conv.weight", weight)] + BatchNormNumbers.names.map { ("\(name).bn.\($0)", [outputs]) }
    }

    /// - Parameter tensors: those of `expected`, in its order.
    func load(_ tensors: [Tensor]) {
        let (weight, outputs) = (tensors[0], layer.geometry.outChannels)
        let norm = hasNorm ? BatchNormNumbers(Array(tensors[1...])) : nil
        layer.weight.value = weight.scalingRows { norm?.factors[$0] ?? factor }
        let bias = norm?.offsets ?? tensors[1].array.map { Double($0) * factor }
        layer.bias?.value = Tensor([outputs], bias.map { Float($0) })
    }
}

/// A batch norm in evaluation as one factor and one offset for each channel.
struct BatchNormNumbers {
    static let names = ["weight", "bias", "running_mean", "running_var"]
    let factors, offsets: [Double]

    /// - Parameter tensors: in the order of `names`, all [channels].
    init(_ tensors: [Tensor]) {
        let arrays = tensors.map { $0.array.map { Double($0) } }
        let factors = zip(arrays[0], arrays[3]).map { $0 / ($1 + InceptionResnetV1.epsilon).squareRoot() }
        self.factors = factors
        offsets = factors.indices.map { arrays[1][$0] - arrays[2][$0] * factors[$0] }
    }
}

/// The layers of a network as it is built, and the way of their weights out of a file.
struct FoldedLayers {
    private var convolutions: [FoldedConvolution] = []

    /// A `BasicConv2d`: convolution, batch norm, ReLU.
    mutating func convolution(
        _ name: String, _ inputs: Int, _ outputs: Int, kernel: (Int, Int) = (1, 1), stride: Int = 1, padding: Int = 0
    ) -> FoldedConvolution {
        let geometry = ConvolutionGeometry(
            inChannels: inputs, outChannels: outputs, kernelHeight: kernel.0, kernelWidth: kernel.1, stride: stride,
            padding: Padding(
                top: kernel.0 > 1 ? padding : 0, bottom: kernel.0 > 1 ? padding : 0, left: kernel.1 > 1 ? padding : 0,
                right: kernel.1 > 1 ? padding : 0))
        let made = FoldedConvolution(name: name, layer: Conv2d(geometry), hasNorm: true, factor: 1)
        convolutions.append(made)
        return made
    }

    /// A plain 1x1 convolution with bias, whose result is scaled by `factor`.
    mutating func projection(_ name: String, _ inputs: Int, _ outputs: Int, factor: Double) -> FoldedConvolution {
        let made = FoldedConvolution(
            name: name, layer: Conv2d(inChannels: inputs, outChannels: outputs, kernelSize: 1), hasNorm: false, factor: factor)
        convolutions.append(made)
        return made
    }

    /// Loads all convolutions and the embedding behind them (`last_linear`, `last_bn`).
    /// - Parameters:
    ///   - state: with all tensors of the network, `logits.` and counters besides.
    ///   - embedding: takes the sum of `pixels` pixels.
    ///   - pixels: over which the network takes the mean.
    /// - Throws: `StateDictionaryMismatch` with every difference, `SpaceError` naming a tensor whose numbers cannot be.
    func load(_ state: StateDictionary, embedding: Linear, pixels: Int) throws {
        let needed = try state.renamed { $0.hasPrefix("logits.") || $0.hasSuffix(".num_batches_tracked") ? nil : $0 }
        let last =
            [("last_linear.weight", embedding.weight.shape)]
            + BatchNormNumbers.names.map { ("last_bn.\($0)", [embedding.weight.shape[0]]) }
        let all = convolutions.map(\.expected) + [last]
        var entries = try needed.matched(to: all.flatMap { $0 })[...]
        func next(_ count: Int) throws -> [Tensor] {
            defer { entries = entries.dropFirst(count) }
            return try entries.prefix(count).map { entry in
                let tensor = entry.tensor()
                guard Kernels.sumOfSquares(tensor).isFinite,
                    !entry.name.hasSuffix("running_var") || tensor.array.allSatisfy({ $0 >= 0 })
                else {
                    throw SpaceError(
                        "\(state.file): \"\(entry.name)\" holds numbers that cannot be (not finite, or a variance below 0)",
                        advice: "Fetch or make the file again.")
                }
                return tensor
            }
        }
        for convolution in convolutions { convolution.load(try next(convolution.expected.count)) }
        let tensors = try next(last.count)
        let norm = BatchNormNumbers(Array(tensors[1...]))
        embedding.weight.value = tensors[0].scalingRows { norm.factors[$0] / Double(pixels) }
        embedding.bias?.value = Tensor([norm.offsets.count], norm.offsets.map { Float($0) })
    }
}

extension Tensor {
    /// The tensor with each entry of the first dimension multiplied by a factor of its own.
    fileprivate func scalingRows(_ factor: (Int) -> Double) -> Tensor {
        let result = Tensor(uninitialized: shape)
        let width = count / max(1, shape[0])
        for row in 0..<shape[0] {
            let (from, to, by) = (pointer + row * width, result.pointer + row * width, factor(row))
            for i in 0..<width { to[i] = Float(Double(from[i]) * by) }
        }
        return result
    }
}
