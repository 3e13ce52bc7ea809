import COneDNN

/// A product with a weight as a oneDNN primitive, for one number of rows.
final class LinearPlan {
    /// How a product is calculated.
    enum Arithmetic: String {
        case float32
        /// Both operands in bfloat16, summed in float32.
        case bfloat16
        /// The weight is kept in bfloat16 and widened in registers (`PanelLayout`).
        case halfStored
        /// The weight is kept in bfloat16 and widened into memory for the call, products are float32: for many rows, where the widening is little
        /// beside the products.
        case widened
        /// Float32 with the weight fetched ahead of its use (`PanelProduct`).
        case panels
        /// Float32 with seven multiplications of quadrants instead of eight (`StrassenProduct`): for many rows.
        case strassen
        /// Both operands in half precision, short sums too (`PanelProduct`).
        case half
        /// Both operands in bfloat16, summed in float32 (`PanelProduct`).
        case brain

        /// The numbers that our own products are made of.
        var number: PanelNumber? {
            switch self {
            case .half: .binary16
            case .brain: .bfloat16
            case .panels: .float32
            default: nil
            }
        }
    }

    struct Key: Equatable {
        var rows: Int
        var hasBias: Bool
        var hasResidual: Bool
        var activation: Activation
        /// The weight is used as it lies, because it changes with every call.
        var isPlain: Bool
        var arithmetic = Arithmetic.float32
        /// Whether our own products of float32 numbers keep the weight in half precision.
        var keepsHalf = false
    }

    /// What does the work.
    private enum Way {
        case primitive(DNNPrimitive)
        case layout(PanelLayout)
        case product(PanelProduct)
        case strassen(StrassenProduct)
    }

    private let way: Way
    /// The weight as files have it.
    private let plainWeights: DNN.Descriptor
    let kept: KeptWeights
    private let key: Key
    private let inFeatures, outFeatures: Int
    /// From float32 rows to the primitive's.
    private var narrowing: (reorder: DNNPrimitive, own: DNN.Descriptor)?
    /// Whether residual and activation are done inside.
    let isFused: Bool

    var implementation: String {
        switch way {
        case .primitive(let primitive): primitive.implementation.appending(kept.isWidened ? ", widened" : "")
        case .layout: "panels in bfloat16"
        case .product(let product): "own \(product.panels.number)"
        case .strassen: "own float32, Strassen"
        }
    }

    init?(inFeatures: Int, outFeatures: Int, _ key: Key) {
        guard let dnn = DNN.shared else { return nil }
        self.key = key
        self.inFeatures = inFeatures
        self.outFeatures = outFeatures
        let target = DNN.descriptor([key.rows, outFeatures], dnnl_ab)
        let bias = DNN.descriptor([1, outFeatures], dnnl_ab)
        // A matrix product's second operand is [in, out]; PyTorch's [out, in] is its transpose.
        let plainWeights = DNN.descriptor([inFeatures, outFeatures], dnnl_ba)
        self.plainWeights = plainWeights
        if let number = key.arithmetic.number {
            let kept = number == .float32 && key.keepsHalf ? PanelNumber.binary16 : nil
            guard !key.isPlain, let own = WeightPanels(number, kept: kept, outputs: outFeatures, channels: inFeatures) else {
                return nil
            }
            way = .product(PanelProduct(panels: own))
            self.kept = KeptWeights(own.descriptor)
            isFused = key.activation == .identity
            return
        }
        if key.arithmetic == .strassen {
            guard !key.isPlain, key.rows % 2 == 0, let panels = StrassenPanels(inputs: inFeatures, outputs: outFeatures) else {
                return nil
            }
            (way, kept) = (.strassen(StrassenProduct(panels: panels)), KeptWeights(panels.descriptor))
            isFused = key.activation == .identity
            return
        }
        func source(_ type: dnnl_data_type_t) -> DNN.Descriptor { DNN.descriptor([key.rows, inFeatures], dnnl_ab, type) }
        func describe(_ post: DNNPostOperations, _ type: dnnl_data_type_t) -> dnnl_primitive_desc_t? {
            var (from, to, bias) = (source(type), target, bias)
            var anyWeights = key.isPlain ? plainWeights : DNN.descriptor([inFeatures, outFeatures], dnnl_format_tag_any, type)
            var product = dnnl_matmul_desc_t()
            let status = withUnsafePointer(to: &bias) {
                dnnl_matmul_desc_init(&product, &from, &anyWeights, key.hasBias ? $0 : nil, &to)
            }
            guard status == dnnl_success else { return nil }
            return post.withAttributes { attributes in
                var description: dnnl_primitive_desc_t?
                _ = dnnl_primitive_desc_create(&description, &product, attributes, dnn.engine, nil)
                return description
            }
        }
        let ownsKernel = key.arithmetic == .halfStored
        let type = key.arithmetic == .bfloat16 || key.arithmetic == .halfStored ? dnnl_bf16 : dnnl_f32
        let fused =
            ownsKernel
            ? nil : describe(DNNPostOperations(adding: key.hasResidual ? target : nil, activation: key.activation), type)
        isFused = ownsKernel ? key.activation == .identity : fused != nil
        guard let description = fused ?? describe(DNNPostOperations(), type) else { return nil }
        guard let weights = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0)?.pointee else {
            dnnl_primitive_desc_destroy(description)
            return nil
        }
        if key.arithmetic == .widened {
            guard let half = describe(DNNPostOperations(), dnnl_bf16) else {
                dnnl_primitive_desc_destroy(description)
                return nil
            }
            defer { dnnl_primitive_desc_destroy(half) }
            guard let stored = dnnl_primitive_desc_query_md(half, dnnl_query_weights_md, 0)?.pointee,
                let kept = KeptWeights(widening: stored, to: weights)
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
            guard let panels = PanelLayout(weights, output: 1) else { return nil }
            way = .layout(panels)
            return
        }
        var arguments: [(Int32, DNN.Descriptor)] = [
            (Int32(w2w_arg_src), source(type)), (Int32(w2w_arg_weights), weights), (Int32(w2w_arg_dst), target),
        ]
        if key.hasBias { arguments.append((Int32(w2w_arg_bias), bias)) }
        if key.hasResidual && isFused { arguments.append((Int32(w2w_arg_first_post_op), target)) }
        guard let primitive = DNNPrimitive(description, arguments: arguments) else { return nil }
        way = .primitive(primitive)
        if type != dnnl_f32 { narrowing = (dnn.reordering(from: source(dnnl_f32), to: source(type)), source(type)) }
    }

    /// Writes x weightᵀ + bias, and what `isFused` promises, to `y`.
    func run(_ x: Tensor, _ packed: PackedWeights, _ weight: WeightSource, bias: Tensor?, residual: Tensor?, into y: Tensor) {
        kept.withPointer(packed, weight, plain: plainWeights) { run(x, $0, bias: bias, residual: residual, into: y) }
    }

    /// Whether `runGated` can be called.
    var canGate: Bool {
        switch way {
        case .product, .strassen: outFeatures % (2 * WeightPanels.width) == 0
        case .primitive, .layout: false
        }
    }

    /// Writes `Kernels.geglu` of x weightᵀ + bias to `y`, without the numbers in between going through memory.
    func runGated(_ x: Tensor, _ packed: PackedWeights, _ weight: WeightSource, bias: Tensor?, into y: Tensor) {
        kept.withPointer(packed, weight, plain: plainWeights) { multiply(x, $0, bias: bias, into: .gated(y.pointer)) }
    }

    /// With one of our own products.
    private func multiply(_ x: Tensor, _ weights: UnsafeMutableRawPointer, bias: Tensor?, into target: PanelProduct.Target) {
        switch way {
        case .product(let product):
            product.multiply(.matrix(x.pointer), rows: key.rows, weights: weights, bias: bias?.pointer, into: target)
        case .strassen(let product):
            product.multiply(x.pointer, rows: key.rows, weights: weights, bias: bias?.pointer, into: target)
        case .primitive, .layout: break
        }
    }

    private func run(_ x: Tensor, _ weights: UnsafeMutableRawPointer, bias: Tensor?, residual: Tensor?, into y: Tensor) {
        let fused = isFused ? residual : nil
        switch way {
        case .primitive(let primitive): run(primitive, x, weights, bias: bias, residual: fused, into: y)
        case .product, .strassen: multiply(x, weights, bias: bias, into: .rows(y.pointer, adding: fused?.pointer))
        case .layout(let panels):
            if let fused { Kernels.copy(fused, into: y) }
            panels.multiply(x.pointer, rows: key.rows, weights: weights, bias: bias?.pointer, into: y.pointer, adds: fused != nil)
        }
    }

    private func run(
        _ primitive: DNNPrimitive, _ x: Tensor, _ weights: UnsafeMutableRawPointer, bias: Tensor?, residual: Tensor?,
        into y: Tensor
    ) {
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
        var next = 3
        if let bias {
            primitive.bind(next, bias.pointer)
            next += 1
        }
        if let residual { primitive.bind(next, residual.pointer) }
        primitive.run()
        withExtendedLifetime(source) {}
    }
}
