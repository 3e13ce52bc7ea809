import COneDNN

/// The gradient of a convolution's input or weight as oneDNN primitives, channels-last at the edges.
final class ConvolutionGradientPlan {
    struct Key: Equatable {
        var input: [Int]
        var isForWeight: Bool
    }

    private let primitive: DNNPrimitive
    private let plainWeights: DNN.Descriptor
    /// Layouts in the order of the primitive's arguments, and the reorders to (or, for the last, from) them where they are not plain.
    private let own: [DNN.Descriptor]
    private let reorders: [DNNPrimitive?]

    init?(_ geometry: ConvolutionGeometry, _ key: Key) {
        guard let dnn = DNN.shared else { return nil }
        let output = geometry.outputShape(of: key.input)
        let (n, h, w) = (key.input[0], key.input[1], key.input[2])
        let imageShape = [n, geometry.inChannels, h, w]
        let gradientShape = [n, geometry.outChannels, output[1], output[2]]
        plainWeights = DNN.descriptor(geometry.weightShape, dnnl_oihw)
        let strides = [dnnl_dim_t(geometry.stride), dnnl_dim_t(geometry.stride)]
        let before = [dnnl_dim_t(geometry.padding.top), dnnl_dim_t(geometry.padding.left)]
        let after = [dnnl_dim_t(geometry.padding.bottom), dnnl_dim_t(geometry.padding.right)]

        func describe(_ convolution: inout dnnl_convolution_desc_t, _ hint: dnnl_primitive_desc_t?) -> dnnl_primitive_desc_t? {
            DNNPostOperations().withAttributes { attributes in
                var description: dnnl_primitive_desc_t?
                _ = dnnl_primitive_desc_create(&description, &convolution, attributes, dnn.engine, hint)
                return description
            }
        }
        var image = DNN.descriptor(imageShape, dnnl_nhwc)
        var result = DNN.descriptor(gradientShape, dnnl_nhwc)
        var weights = DNN.descriptor(geometry.weightShape, dnnl_format_tag_any)
        // oneDNN wants the description of the forward pass as a hint.
        var forward = dnnl_convolution_desc_t()
        guard
            dnnl_convolution_forward_desc_init(
                &forward, dnnl_forward_training, dnnl_convolution_direct, &image, &weights, nil, &result, strides, before, after)
                == dnnl_success, let hint = describe(&forward, nil)
        else { return nil }
        defer { dnnl_primitive_desc_destroy(hint) }
        var backward = dnnl_convolution_desc_t()
        let status =
            key.isForWeight
            ? dnnl_convolution_backward_weights_desc_init(
                &backward, dnnl_convolution_direct, &image, &weights, nil, &result, strides, before, after)
            : dnnl_convolution_backward_data_desc_init(
                &backward, dnnl_convolution_direct, &image, &weights, &result, strides, before, after)
        guard status == dnnl_success, let description = describe(&backward, hint) else { return nil }
        let queries =
            key.isForWeight
            ? [
                (w2w_arg_diff_dst, dnnl_query_diff_dst_md, result), (w2w_arg_src, dnnl_query_src_md, image),
                (w2w_arg_diff_weights, dnnl_query_diff_weights_md, plainWeights),
            ]
            : [
                (w2w_arg_diff_dst, dnnl_query_diff_dst_md, result), (w2w_arg_weights, dnnl_query_weights_md, plainWeights),
                (w2w_arg_diff_src, dnnl_query_diff_src_md, image),
            ]
        var own: [DNN.Descriptor] = []
        for (_, query, _) in queries {
            guard let layout = dnnl_primitive_desc_query_md(description, query, 0)?.pointee else {
                dnnl_primitive_desc_destroy(description)
                return nil
            }
            own.append(layout)
        }
        self.own = own
        guard
            let primitive = DNNPrimitive(
                description, arguments: zip(queries, own).map { (Int32($0.0), $1) })
        else { return nil }
        self.primitive = primitive
        reorders = zip(queries, own).enumerated().map { index, pair in
            let (plain, own) = (pair.0.2, pair.1)
            if DNN.equal(plain, own) { return nil }
            return index == 2 ? dnn.reordering(from: own, to: plain) : dnn.reordering(from: plain, to: own)
        }
    }

    /// Gradient of the input.
    func runForInput(_ gradient: Tensor, _ packed: PackedWeights, _ weight: WeightSource, into result: Tensor) {
        let incoming = inOwnLayout(0, gradient)
        primitive.bind(0, incoming.pointer)
        withExtendedLifetime(incoming) {
            packed.withPointer(weight, plain: plainWeights, as: own[1]) {
                primitive.bind(1, $0)
                finish(into: result)
            }
        }
    }

    /// Gradient of the weight.
    func runForWeight(_ gradient: Tensor, _ x: Tensor, into result: Tensor) {
        let (incoming, source) = (inOwnLayout(0, gradient), inOwnLayout(1, x))
        primitive.bind(0, incoming.pointer)
        primitive.bind(1, source.pointer)
        withExtendedLifetime((incoming, source)) { finish(into: result) }
    }

    private func inOwnLayout(_ index: Int, _ tensor: Tensor) -> Tensor {
        guard let reorder = reorders[index] else { return tensor }
        let copy = DNN.tensor(for: own[index])
        reorder.bind(0, tensor.pointer)
        reorder.bind(1, copy.pointer)
        reorder.run()
        return copy
    }

    private func finish(into result: Tensor) {
        guard let reorder = reorders[2] else {
            primitive.bind(2, result.pointer)
            primitive.run()
            return
        }
        let target = DNN.tensor(for: own[2])
        primitive.bind(2, target.pointer)
        primitive.run()
        reorder.bind(0, target.pointer)
        reorder.bind(1, result.pointer)
        reorder.run()
    }
}
