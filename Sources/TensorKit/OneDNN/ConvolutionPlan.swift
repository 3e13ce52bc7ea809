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

    private let primitive: DNNPrimitive
    private let weights, plainWeights: DNN.Descriptor
    private let key: Key
    /// Reorders from and to channels-last around an algorithm with layouts of its own.
    private var toOwn, fromOwn: (reorder: DNNPrimitive, own: DNN.Descriptor)?

    /// Whether residual and activation are done inside.
    let isFused: Bool

    var implementation: String { primitive.implementation }

    init?(_ geometry: ConvolutionGeometry, _ key: Key) {
        guard let dnn = DNN.shared else { return nil }
        let output = geometry.outputShape(of: key.input)
        let winograd = key.algorithm == .winograd
        let (n, h, w) = (key.input[0], key.input[1], key.input[2])
        let plainSource = DNN.descriptor([n, geometry.inChannels, h, w], dnnl_nhwc)
        let plainTarget = DNN.descriptor([n, geometry.outChannels, output[1], output[2]], dnnl_nhwc)
        var source = winograd ? DNN.descriptor([n, geometry.inChannels, h, w], dnnl_format_tag_any) : plainSource
        var target =
            winograd ? DNN.descriptor([n, geometry.outChannels, output[1], output[2]], dnnl_format_tag_any) : plainTarget
        var anyWeights = DNN.descriptor(geometry.weightShape, dnnl_format_tag_any)
        plainWeights = DNN.descriptor(geometry.weightShape, dnnl_oihw)
        var bias = DNN.descriptor([geometry.outChannels], dnnl_x)
        var convolution = dnnl_convolution_desc_t()
        let strides = [dnnl_dim_t(geometry.stride), dnnl_dim_t(geometry.stride)]
        let before = [dnnl_dim_t(geometry.padding.top), dnnl_dim_t(geometry.padding.left)]
        let after = [dnnl_dim_t(geometry.padding.bottom), dnnl_dim_t(geometry.padding.right)]
        let status = withUnsafePointer(to: &bias) {
            dnnl_convolution_forward_desc_init(
                &convolution, dnnl_forward_inference, winograd ? dnnl_convolution_winograd : dnnl_convolution_direct, &source,
                &anyWeights, key.hasBias ? $0 : nil, &target, strides, before, after)
        }
        guard status == dnnl_success else { return nil }

        func describe(_ post: DNNPostOperations) -> dnnl_primitive_desc_t? {
            post.withAttributes { attributes in
                var description: dnnl_primitive_desc_t?
                _ = dnnl_primitive_desc_create(&description, &convolution, attributes, dnn.engine, nil)
                return description
            }
        }
        let fused = DNNPostOperations(adding: key.hasResidual ? plainTarget : nil, activation: key.activation)
        let simple = !key.hasResidual && key.activation == .identity
        var description = winograd && !simple ? nil : describe(fused)
        if let found = description, !simple, Self.isSlow(found) {
            dnnl_primitive_desc_destroy(found)
            description = nil
        }
        isFused = description != nil
        guard let description = description ?? describe(DNNPostOperations()) else { return nil }
        func layout(_ query: dnnl_query_t) -> DNN.Descriptor? {
            dnnl_primitive_desc_query_md(description, query, 0)?.pointee
        }
        guard let ownSource = layout(dnnl_query_src_md), let ownTarget = layout(dnnl_query_dst_md),
            let weights = layout(dnnl_query_weights_md)
        else {
            dnnl_primitive_desc_destroy(description)
            return nil
        }
        self.weights = weights
        self.key = key
        var arguments: [(Int32, DNN.Descriptor)] = [
            (Int32(w2w_arg_src), ownSource), (Int32(w2w_arg_weights), weights),
            (Int32(w2w_arg_dst), ownTarget),
        ]
        if key.hasBias { arguments.append((Int32(w2w_arg_bias), bias)) }
        if key.hasResidual && isFused { arguments.append((Int32(w2w_arg_first_post_op), plainTarget)) }
        guard let primitive = DNNPrimitive(description, arguments: arguments) else { return nil }
        self.primitive = primitive
        if !DNN.equal(ownSource, plainSource) { toOwn = (dnn.reordering(from: plainSource, to: ownSource), ownSource) }
        if !DNN.equal(ownTarget, plainTarget) { fromOwn = (dnn.reordering(from: ownTarget, to: plainTarget), ownTarget) }
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
    func run(
        _ x: Tensor, _ packed: PackedWeights, _ weight: Tensor, version: Int, bias: Tensor?, residual: Tensor?,
        into y: Tensor
    ) {
        var source = x
        if let (reorder, own) = toOwn {
            source = DNN.tensor(for: own)
            reorder.bind(0, x.pointer)
            reorder.bind(1, source.pointer)
            reorder.run()
        }
        let target = fromOwn.map { DNN.tensor(for: $0.own) } ?? y
        primitive.bind(0, source.pointer)
        primitive.bind(2, target.pointer)
        var next = 3
        if let bias {
            primitive.bind(next, bias.pointer)
            next += 1
        }
        if let residual, isFused { primitive.bind(next, residual.pointer) }
        packed.withPointer(weight, version: version, plain: plainWeights, as: weights) {
            primitive.bind(1, $0)
            primitive.run()
        }
        if let (reorder, _) = fromOwn {
            reorder.bind(0, target.pointer)
            reorder.bind(1, y.pointer)
            reorder.run()
        }
    }
}
