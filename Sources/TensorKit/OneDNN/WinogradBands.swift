import COneDNN

/// Winograd's convolution of a large image, a band of rows at a time: the algorithm keeps thirty-six sixteenths of what it transforms inside,
/// which for a band is little memory and near the processor.
final class WinogradBands {
    /// Bytes that the inside of one band takes at most.
    static let insideLimit = 64 << 20

    /// A band: which rows of the result it gives, and how it is calculated.
    private struct Band {
        let rows: Range<Int>
        let plan: ConvolutionPlan
    }

    private let bands: [Band]
    private let input, output: [Int]
    let kept: KeptWeights
    let isFused: Bool

    var implementation: String { "\(bands[0].plan.implementation), \(bands.count) bands" }

    /// Bytes that Winograd's algorithm keeps inside for an input [N, H, W, in].
    static func inside(_ geometry: ConvolutionGeometry, _ input: [Int]) -> Int {
        input[0] * input[1] * input[2] / 16 * 36 * (geometry.inChannels + geometry.outChannels) * 4
    }

    /// Rows of the result in each band, whole tiles of four and the same for all where the height allows it; nil when an input is small enough
    /// as it is.
    static func rows(_ geometry: ConvolutionGeometry, _ input: [Int]) -> Int? {
        guard geometry.isWinogradable, inside(geometry, input) > insideLimit, input[1] > 0 else { return nil }
        let row = max(1, inside(geometry, [1, 16, input[2], input[3]]) / 16)
        let largest = max(8, insideLimit / row / 4 * 4)
        let count = (input[1] + largest - 1) / largest
        // Bands of one height are done with one layout of the weight.
        if let even = (count...2 * count).first(where: { input[1] % (4 * $0) == 0 }) { return input[1] / even }
        return ((input[1] + count - 1) / count + 3) / 4 * 4
    }

    /// - Parameters:
    ///   - geometry: 3x3 with a border of one.
    ///   - key: of the whole convolution.
    ///   - rows: what `rows` says.
    ///
    /// Nil when oneDNN cannot do it with one layout of the weight for all bands.
    init?(_ geometry: ConvolutionGeometry, _ key: ConvolutionPlan.Key, rows: Int) {
        let (height, width) = (key.input[1], key.input[2])
        var plans: [(top: Int, bottom: Int, count: Int, plan: ConvolutionPlan)] = []
        /// Bands of one height and place share a plan.
        func plan(top: Int, bottom: Int, count: Int) -> ConvolutionPlan? {
            if let known = plans.first(where: { ($0.top, $0.bottom, $0.count) == (top, bottom, count) }) { return known.plan }
            let padding = Padding(top: top, bottom: bottom, left: 1, right: 1)
            let part = ConvolutionGeometry(
                inChannels: geometry.inChannels, outChannels: geometry.outChannels, kernelHeight: 3, kernelWidth: 3,
                padding: padding)
            var partKey = key
            partKey.input = [1, count + 2 - top - bottom, width, key.input[3]]
            // One layout of the weight for all of them.
            guard let made = ConvolutionPlan(part, partKey, layout: plans.first?.plan.kept.layout) else { return nil }
            plans.append((top, bottom, count, made))
            return made
        }
        var bands: [Band] = []
        for first in stride(from: 0, to: height, by: rows) {
            let range = first..<min(height, first + rows)
            let (top, bottom) = (range.lowerBound == 0 ? 1 : 0, range.upperBound == height ? 1 : 0)
            guard let plan = plan(top: top, bottom: bottom, count: range.count) else { return nil }
            bands.append(Band(rows: range, plan: plan))
        }
        guard let one = bands.first?.plan, plans.allSatisfy({ DNN.equal($0.plan.kept.layout, one.kept.layout) }),
            plans.allSatisfy({ $0.plan.isFused == one.isFused })
        else { return nil }
        self.bands = bands
        (kept, isFused) = (one.kept, one.isFused)
        (input, output) = (key.input, geometry.outputShape(of: key.input))
    }

    /// As `ConvolutionPlan.run`, with the weight as the primitives take it.
    func run(_ x: Tensor, _ weights: UnsafeMutableRawPointer, bias: Tensor?, residual: Tensor?, into y: Tensor) {
        for sample in 0..<input[0] {
            for band in bands {
                let result = Self.view(y, output, sample, band.rows)
                let around = max(0, band.rows.lowerBound - 1)..<min(input[1], band.rows.upperBound + 1)
                band.plan.run(
                    Self.view(x, input, sample, around), weights, bias: bias,
                    residual: residual.map { Self.view($0, output, sample, band.rows) }, into: result)
            }
        }
    }

    /// Rows of one image, sharing memory.
    private static func view(_ x: Tensor, _ shape: [Int], _ sample: Int, _ rows: Range<Int>) -> Tensor {
        let row = shape[2] * shape[3]
        return Tensor(
            shape: [1, rows.count, shape[2], shape[3]], storage: x.storage,
            offset: x.offset + (sample * shape[1] + rows.lowerBound) * row)
    }
}
