import COneDNN

/// A convolution of one geometry and input shape as oneDNN primitives.
final class ConvolutionPlan {
    struct Key: Equatable {
        var input: [Int]
        var hasBias: Bool
        var hasResidual: Bool
        var activation: Activation
        var algorithm: ConvolutionAlgorithm
        /// Whether our own products of float32 numbers keep the weight in half precision.
        var keepsHalf = false
    }

    /// nil where `panels`, `direct` or `winograd` do the work.
    private let primitive: DNNPrimitive?
    private let panels: PanelLayout?
    private let direct: WeightPanels?
    private let winograd: (layout: Winograd.Layout, turns: WinogradTurns)?
    /// The weight as files have it.
    private let plainWeights: DNN.Descriptor
    let kept: KeptWeights
    private let geometry: ConvolutionGeometry
    private let key: Key
    private let output: [Int]
    /// From float32 to the primitive's numbers.
    private var narrowing: (reorder: DNNPrimitive, own: DNN.Descriptor)?

    /// Whether residual and activation are done inside.
    let isFused: Bool

    var implementation: String {
        primitive?.implementation.appending(kept.isWidened ? ", widened" : "")
            ?? direct.map { "own \($0.number)" }
            ?? winograd.map {
                let turning = key.algorithm == .turningInRegisters ? ", turning in registers" : ", turning"
                return "own \($0.layout.number), Winograd \($0.turns.results)\(key.algorithm.turnsKernels ? turning : "")"
            }
            ?? "panels in bfloat16"
    }

    init?(_ geometry: ConvolutionGeometry, _ key: Key) {
        guard let dnn = DNN.shared else { return nil }
        self.geometry = geometry
        self.key = key
        output = geometry.outputShape(of: key.input)
        plainWeights = DNN.descriptor(geometry.weightShape, dnnl_oihw)
        if let number = key.algorithm.direct {
            guard
                let own = WeightPanels(
                    number, kept: number == .float32 && key.keepsHalf ? .binary16 : nil, outputs: geometry.outChannels,
                    channels: geometry.inChannels, height: geometry.kernelHeight, columns: geometry.kernelWidth)
            else { return nil }
            (direct, winograd, panels, primitive, kept) = (own, nil, nil, nil, KeptWeights(own.descriptor))
            isFused = key.activation == .identity
            return
        }
        direct = nil
        if let (number, turns) = key.algorithm.winograd {
            guard geometry.isWinogradable else { return nil }
            let (outputs, channels) = (geometry.outChannels, geometry.inChannels)
            let descriptor: DNN.Descriptor
            if key.algorithm.turnsKernels {
                let form = KernelPanels(
                    number, kept: key.keepsHalf ? .binary16 : .float32, outputs: outputs, channels: channels,
                    width: key.algorithm == .turningInRegisters ? 16 : WeightPanels.width)
                guard let form else { return nil }
                (winograd, descriptor) = ((.kernels(form), turns), form.descriptor)
            } else {
                guard let own = WinogradPanels(number, outputs: outputs, channels: channels, turns: turns) else { return nil }
                (winograd, descriptor) = ((.turned(own.panels), turns), own.descriptor)
            }
            (panels, primitive, kept) = (nil, nil, KeptWeights(descriptor))
            isFused = key.activation == .identity
            return
        }
        winograd = nil
        let simple = !key.hasResidual && key.activation == .identity
        let ownsKernel = key.algorithm == .halfStored
        let shapes = ConvolutionDescriptors(geometry, key.input, key.algorithm)
        // The residual is put in the result's place and added to: oneDNN's fastest kernels know no other way.
        let fused = DNNPostOperations(accumulates: key.hasResidual, activation: key.activation)
        // oneDNN's kernel leaves a residual out where a position sees nothing but padding.
        let leavesOut = key.hasResidual && geometry.hasPositionsOutside
        var description = ownsKernel || leavesOut ? nil : shapes.describe(fused, hasBias: key.hasBias)
        if let found = description, !simple, Self.isSlow(found) {
            dnnl_primitive_desc_destroy(found)
            description = nil
        }
        isFused = ownsKernel ? key.activation == .identity : description != nil
        guard let description = description ?? shapes.describe(DNNPostOperations(), hasBias: key.hasBias) else { return nil }
        func layout(_ query: dnnl_query_t) -> DNN.Descriptor? {
            dnnl_primitive_desc_query_md(description, query, 0)?.pointee
        }
        guard let source = layout(dnnl_query_src_md), let weights = layout(dnnl_query_weights_md) else {
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
            (Int32(w2w_arg_src), source), (Int32(w2w_arg_weights), weights), (Int32(w2w_arg_dst), shapes.target),
        ]
        if key.hasBias { arguments.append((Int32(w2w_arg_bias), shapes.bias)) }
        guard let primitive = DNNPrimitive(description, arguments: arguments) else { return nil }
        self.primitive = primitive
        if !DNN.equal(source, shapes.plainSource) {
            narrowing = (dnn.reordering(from: shapes.plainSource, to: source), source)
        }
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
        guard let primitive else { return multiply(x, weights, bias, adding: isFused ? residual : nil, into: y) }
        if let residual, isFused { Kernels.copy(residual, into: y) }
        var source = x
        if let (reorder, own) = narrowing {
            source = DNN.tensor(for: own)
            reorder.bind(0, x.pointer)
            reorder.bind(1, source.pointer)
            reorder.run()
        }
        primitive.bind(0, source.pointer)
        primitive.bind(1, weights)
        primitive.bind(2, y.pointer)
        if let bias { primitive.bind(3, bias.pointer) }
        primitive.run()
        withExtendedLifetime(source) {}
    }

    /// As a product of matrices: what each position sees, side by side, times the weights.
    private func multiply(
        _ x: Tensor, _ weights: UnsafeMutableRawPointer, _ bias: Tensor?, adding residual: Tensor?, into y: Tensor
    ) {
        let positions = output[0] * output[1] * output[2]
        if let direct {
            return PanelProduct(panels: direct).multiply(
                .image(PanelImage(x, geometry, output: output, for: direct.number)), rows: positions, weights: weights,
                bias: bias?.pointer,
                into: .rows(y.pointer, adding: residual?.pointer))
        }
        if let winograd {
            return Winograd.run(
                x, winograd.layout, winograd.turns, weights: weights, bias: bias, adding: residual, into: y)
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
    let plainSource, target, bias: DNN.Descriptor
    private let geometry: ConvolutionGeometry
    private let source, weights: DNN.Descriptor

    init(_ geometry: ConvolutionGeometry, _ input: [Int], _ algorithm: ConvolutionAlgorithm) {
        self.geometry = geometry
        let output = geometry.outputShape(of: input)
        let sourceShape = [input[0], geometry.inChannels, input[1], input[2]]
        let targetShape = [input[0], geometry.outChannels, output[1], output[2]]
        let type = algorithm == .bfloat16 || algorithm == .halfStored ? dnnl_bf16 : dnnl_f32
        plainSource = DNN.descriptor(sourceShape, dnnl_nhwc)
        target = DNN.descriptor(targetShape, dnnl_nhwc)
        source = DNN.descriptor(sourceShape, dnnl_nhwc, type)
        weights = DNN.descriptor(geometry.weightShape, dnnl_format_tag_any, type)
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
                &convolution, dnnl_forward_inference, dnnl_convolution_direct, &source, &weights,
                hasBias ? $0 : nil, &target, strides, before, after)
        }
        guard status == dnnl_success else { return nil }
        return post.withAttributes { attributes in
            var description: dnnl_primitive_desc_t?
            _ = dnnl_primitive_desc_create(&description, &convolution, attributes, dnn.engine, nil)
            return description
        }
    }
}
