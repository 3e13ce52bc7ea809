import COneDNN

/// A product with a weight as a oneDNN primitive, for one number of rows.
final class LinearPlan {
    struct Key: Equatable {
        var rows: Int
        var hasBias: Bool
        var hasResidual: Bool
        var activation: Activation
        /// The weight is used as it lies, because it changes with every call.
        var isPlain: Bool
    }

    private let primitive: DNNPrimitive
    private let weights, plainWeights: DNN.Descriptor
    /// Whether residual and activation are done inside.
    let isFused: Bool

    var implementation: String { primitive.implementation }

    init?(inFeatures: Int, outFeatures: Int, _ key: Key) {
        guard let dnn = DNN.shared else { return nil }
        var source = DNN.descriptor([key.rows, inFeatures], dnnl_ab)
        var target = DNN.descriptor([key.rows, outFeatures], dnnl_ab)
        // A matrix product's second operand is [in, out]; PyTorch's [out, in] is its transpose.
        plainWeights = DNN.descriptor([inFeatures, outFeatures], dnnl_ba)
        var anyWeights = key.isPlain ? plainWeights : DNN.descriptor([inFeatures, outFeatures], dnnl_format_tag_any)
        var bias = DNN.descriptor([1, outFeatures], dnnl_ab)
        var product = dnnl_matmul_desc_t()
        let status = withUnsafePointer(to: &bias) {
            dnnl_matmul_desc_init(&product, &source, &anyWeights, key.hasBias ? $0 : nil, &target)
        }
        guard status == dnnl_success else { return nil }
        func describe(_ post: DNNPostOperations) -> dnnl_primitive_desc_t? {
            post.withAttributes { attributes in
                var description: dnnl_primitive_desc_t?
                _ = dnnl_primitive_desc_create(&description, &product, attributes, dnn.engine, nil)
                return description
            }
        }
        let fused = describe(DNNPostOperations(adding: key.hasResidual ? target : nil, activation: key.activation))
        isFused = fused != nil
        guard let description = fused ?? describe(DNNPostOperations()),
            let weights = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0)?.pointee
        else { return nil }
        self.weights = weights
        var arguments: [(Int32, DNN.Descriptor)] = [
            (Int32(w2w_arg_src), source), (Int32(w2w_arg_weights), weights),
            (Int32(w2w_arg_dst), target),
        ]
        if key.hasBias { arguments.append((Int32(w2w_arg_bias), bias)) }
        if key.hasResidual && isFused { arguments.append((Int32(w2w_arg_first_post_op), target)) }
        guard let primitive = DNNPrimitive(description, arguments: arguments) else { return nil }
        self.primitive = primitive
    }

    /// Writes x weightᵀ + bias, and what `isFused` promises, to `y`.
    func run(
        _ x: Tensor, _ packed: PackedWeights, _ weight: Tensor, version: Int, bias: Tensor?, residual: Tensor?,
        into y: Tensor
    ) {
        primitive.bind(0, x.pointer)
        primitive.bind(2, y.pointer)
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
    }
}
