import COneDNN

/// A convolution of one geometry and input shape as oneDNN primitives.
final class ConvolutionPlan {
    struct Key: Equatable {
        var input: [Int]
        var hasBias: Bool
        var hasResidual: Bool
        var activation: Activation
        var algorithm: ConvolutionAlgorithm
    }

    /// Bands of a large image, each a plan of its own.
    private let bands: WinogradBands?
    /// nil where `bands`, `panels`, `half` or `halfWinograd` do the work.
    private let primitive: DNNPrimitive?
    private let panels: PanelLayout?
    private let half: HalfPanels?
    private let halfWinograd: HalfWinogradPanels?
    /// The weight as files have it.
    private let plainWeights: DNN.Descriptor
    let kept: KeptWeights
    private let geometry: ConvolutionGeometry
    private let key: Key
    private let output: [Int]
    /// Reorders from and to channels-last float32 around an algorithm with layouts or numbers of its own.
    private var toOwn, fromOwn: (reorder: DNNPrimitive, own: DNN.Descriptor)?

    /// Whether residual and activation are done inside.
    let isFused: Bool

    var implementation: String {
        primitive?.implementation.appending(kept.isWidened ? ", widened" : "")
            ?? bands.map { $0.implementation }
            ?? half.map { $0.number == .brain ? "own bfloat16" : "half" }
            ?? halfWinograd.map {
                ($0.panels.number == .brain ? "own bfloat16" : "half") + ", Winograd \($0.turns.results)"
            }
            ?? (panels?.isHalf == true ? "panels in bfloat16" : "panels")
    }

    /// - Parameters:
    ///   - geometry: of the layer.
    ///   - key: what the plan depends on.
    ///   - bandRows: of the bands that Winograd's algorithm goes through, where that is not left to `WinogradBands`.
    ///   - weightLayout: how the weight has to lie, where that is not left to oneDNN.
    init?(_ geometry: ConvolutionGeometry, _ key: Key, bandRows: Int? = nil, layout weightLayout: DNN.Descriptor? = nil) {
        guard let dnn = DNN.shared else { return nil }
        self.geometry = geometry
        self.key = key
        output = geometry.outputShape(of: key.input)
        plainWeights = DNN.descriptor(geometry.weightShape, dnnl_oihw)
        if key.algorithm == .winograd, let rows = bandRows ?? WinogradBands.rows(geometry, key.input),
            let bands = WinogradBands(geometry, key, rows: rows)
        {
            (self.bands, half, halfWinograd, panels, primitive, kept) = (bands, nil, nil, nil, nil, bands.kept)
            isFused = bands.isFused
            return
        }
        bands = nil
        // Where the bands cannot share a layout, a smaller image is done as a whole.
        if key.algorithm == .winograd, WinogradBands.inside(geometry, key.input) > 4 * WinogradBands.insideLimit { return nil }
        if let number = key.algorithm.direct {
            guard
                let half = HalfPanels(
                    number, outputs: geometry.outChannels, channels: geometry.inChannels, height: geometry.kernelHeight,
                    columns: geometry.kernelWidth)
            else { return nil }
            (self.half, halfWinograd, panels, primitive, kept) = (half, nil, nil, nil, KeptWeights(half.descriptor))
            isFused = key.activation == .identity
            return
        }
        half = nil
        if let (number, turns) = key.algorithm.winograd {
            guard geometry.isWinogradable,
                let own = HalfWinogradPanels(
                    number, outputs: geometry.outChannels, channels: geometry.inChannels, turns: turns)
            else { return nil }
            (halfWinograd, panels, primitive, kept) = (own, nil, nil, KeptWeights(own.descriptor))
            isFused = key.activation == .identity
            return
        }
        halfWinograd = nil
        let simple = !key.hasResidual && key.activation == .identity
        let winograd = key.algorithm == .winograd
        let ownsKernel = key.algorithm == .panels || key.algorithm == .halfStored
        let shapes = ConvolutionDescriptors(geometry, key.input, key.algorithm, layout: weightLayout)
        // The residual is put in the result's place and added to: oneDNN's fastest kernels know no other way.
        let fused = DNNPostOperations(accumulates: key.hasResidual, activation: key.activation)
        // oneDNN's kernel leaves a residual out where a position sees nothing but padding.
        let leavesOut = key.hasResidual && geometry.hasPositionsOutside
        var description = ownsKernel || (winograd && !simple) || leavesOut ? nil : shapes.describe(fused, hasBias: key.hasBias)
        if let found = description, !simple, Self.isSlow(found) {
            dnnl_primitive_desc_destroy(found)
            description = nil
        }
        isFused = ownsKernel ? key.activation == .identity : description != nil
        guard let description = description ?? shapes.describe(DNNPostOperations(), hasBias: key.hasBias) else { return nil }
        func layout(_ query: dnnl_query_t) -> DNN.Descriptor? {
            dnnl_primitive_desc_query_md(description, query, 0)?.pointee
        }
        guard let ownSource = layout(dnnl_query_src_md), let ownTarget = layout(dnnl_query_dst_md),
            let weights = layout(dnnl_query_weights_md)
        else {
            dnnl_primitive_desc_destroy(description)
            return nil
        }
        if key.algorithm == .widened {
            guard let half = ConvolutionDescriptors(geometry, key.input, .bfloat16).layoutOfWeights(),
                let kept = KeptWeights(widening: half, to: weights)
            else {
                dnnl_primitive_desc_destroy(description)
                return nil
            }
            self.kept = kept
        } else {
            kept = KeptWeights(weights)
        }
        if ownsKernel {
            dnnl_primitive_desc_destroy(description)
            guard let panels = PanelLayout(weights, output: 0) else { return nil }
            self.panels = panels
            primitive = nil
            return
        }
        panels = nil
        var arguments: [(Int32, DNN.Descriptor)] = [
            (Int32(w2w_arg_src), ownSource), (Int32(w2w_arg_weights), weights),
            (Int32(w2w_arg_dst), ownTarget),
        ]
        if key.hasBias { arguments.append((Int32(w2w_arg_bias), shapes.bias)) }
        guard let primitive = DNNPrimitive(description, arguments: arguments) else { return nil }
        self.primitive = primitive
        let (source, target) = (shapes.plainSource, shapes.plainTarget)
        if !DNN.equal(ownSource, source) { toOwn = (dnn.reordering(from: source, to: ownSource), ownSource) }
        if !DNN.equal(ownTarget, target) { fromOwn = (dnn.reordering(from: ownTarget, to: target), ownTarget) }
    }

    /// oneDNN's reference loops take any post-operation but are slower than two passes.
    private static func isSlow(_ description: dnnl_primitive_desc_t) -> Bool {
        var name: UnsafePointer<CChar>?
        guard dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) == dnnl_success, let name else {
            return false
        }
        return String(cString: name).hasPrefix("ref")
    }

    /// Writes conv(x) + bias, and what `isFused` promises, to `y`.
    func run(_ x: Tensor, _ packed: PackedWeights, _ weight: WeightSource, bias: Tensor?, residual: Tensor?, into y: Tensor) {
        kept.withPointer(packed, weight, plain: plainWeights) { run(x, $0, bias: bias, residual: residual, into: y) }
    }

    /// The same, with the weight as `kept` gives it.
    func run(_ x: Tensor, _ weights: UnsafeMutableRawPointer, bias: Tensor?, residual: Tensor?, into y: Tensor) {
        if let bands { return bands.run(x, weights, bias: bias, residual: residual, into: y) }
        guard let primitive else { return multiply(x, weights, bias, adding: isFused ? residual : nil, into: y) }
        if let residual, isFused { Kernels.copy(residual, into: y) }
        var source = x
        if let (reorder, own) = toOwn {
            source = DNN.tensor(for: own)
            reorder.bind(0, x.pointer)
            reorder.bind(1, source.pointer)
            reorder.run()
        }
        let target = fromOwn.map { DNN.tensor(for: $0.own) } ?? y
        primitive.bind(0, source.pointer)
        primitive.bind(1, weights)
        primitive.bind(2, target.pointer)
        if let bias { primitive.bind(3, bias.pointer) }
        primitive.run()
        if let (reorder, _) = fromOwn {
            reorder.bind(0, target.pointer)
            reorder.bind(1, y.pointer)
            reorder.run()
        }
        withExtendedLifetime((source, target)) {}
    }

    /// As a product of matrices: what each position sees, side by side, times the weights.
    private func multiply(
        _ x: Tensor, _ weights: UnsafeMutableRawPointer, _ bias: Tensor?, adding residual: Tensor?, into y: Tensor
    ) {
        let positions = output[0] * output[1] * output[2]
        if let half {
            return HalfProduct(panels: half).multiply(
                .image(HalfImage(x, geometry, output: output, for: half.number)), rows: positions, weights: weights,
                bias: bias?.pointer,
                into: .rows(y.pointer, adding: residual?.pointer))
        }
        if let halfWinograd {
            return HalfWinograd.run(x, halfWinograd, weights: weights, bias: bias, adding: residual, into: y)
        }
        if let residual { Kernels.copy(residual, into: y) }
        guard let panels else { return }
        let block = min(positions, max(96, (8 << 20) / (4 * panels.inputs)) / 12 * 12)
        let columns = Tensor(uninitialized: [block, panels.inputs])
        var first = 0
        while first < positions {
            let count = min(block, positions - first)
            Kernels.gatherColumns(x, geometry, output, first..<first + count, into: columns)
            panels.multiply(
                columns.pointer, rows: count, weights: weights, bias: bias?.pointer, into: y.pointer + first * panels.outputs,
                adds: residual != nil)
            first += count
        }
    }
}

/// The arrays of a convolution as oneDNN is told of them.
struct ConvolutionDescriptors {
    let plainSource, plainTarget, bias: DNN.Descriptor
    private let geometry: ConvolutionGeometry
    private let source, target, weights: DNN.Descriptor
    private let isWinograd: Bool

    init(_ geometry: ConvolutionGeometry, _ input: [Int], _ algorithm: ConvolutionAlgorithm, layout: DNN.Descriptor? = nil) {
        self.geometry = geometry
        isWinograd = algorithm == .winograd
        let output = geometry.outputShape(of: input)
        let sourceShape = [input[0], geometry.inChannels, input[1], input[2]]
        let targetShape = [input[0], geometry.outChannels, output[1], output[2]]
        let type = algorithm == .bfloat16 || algorithm == .halfStored ? dnnl_bf16 : dnnl_f32
        plainSource = DNN.descriptor(sourceShape, dnnl_nhwc)
        plainTarget = DNN.descriptor(targetShape, dnnl_nhwc)
        source = DNN.descriptor(sourceShape, isWinograd ? dnnl_format_tag_any : dnnl_nhwc, type)
        target = isWinograd ? DNN.descriptor(targetShape, dnnl_format_tag_any) : plainTarget
        weights = layout ?? DNN.descriptor(geometry.weightShape, dnnl_format_tag_any, type)
        bias = DNN.descriptor([geometry.outChannels], dnnl_x)
    }

    /// How oneDNN wants the weights, or nil.
    func layoutOfWeights() -> DNN.Descriptor? {
        guard let description = describe(DNNPostOperations(), hasBias: false) else { return nil }
        defer { dnnl_primitive_desc_destroy(description) }
        return dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0)?.pointee
    }

    /// What oneDNN would run, or nil; the caller destroys it.
    func describe(_ post: DNNPostOperations, hasBias: Bool) -> dnnl_primitive_desc_t? {
        guard let dnn = DNN.shared else { return nil }
        var (source, target, weights, bias) = (source, target, weights, bias)
        var convolution = dnnl_convolution_desc_t()
        let strides = [dnnl_dim_t(geometry.stride), dnnl_dim_t(geometry.stride)]
        let before = [dnnl_dim_t(geometry.padding.top), dnnl_dim_t(geometry.padding.left)]
        let after = [dnnl_dim_t(geometry.padding.bottom), dnnl_dim_t(geometry.padding.right)]
        let status = withUnsafePointer(to: &bias) {
            dnnl_convolution_forward_desc_init(
                &convolution, dnnl_forward_inference, isWinograd ? dnnl_convolution_winograd : dnnl_convolution_direct, &source,
                &weights, hasBias ? $0 : nil, &target, strides, before, after)
        }
        guard status == dnnl_success else { return nil }
        return post.withAttributes { attributes in
            var description: dnnl_primitive_desc_t?
            _ = dnnl_primitive_desc_create(&description, &convolution, attributes, dnn.engine, nil)
            return description
        }
    }
}
