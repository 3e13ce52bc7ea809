import COneDNN
import Synchronization

/// oneDNN's engine and stream of the processor. Creating and running primitives goes through here.
struct DNN: @unchecked Sendable {  // both handles are used for the processor only, where oneDNN keeps no state in them
    let engine: dnnl_engine_t
    let stream: dnnl_stream_t

    /// nil when oneDNN does not run here; everything then falls back to the plain kernels.
    static let shared: DNN? = {
        var engine: dnnl_engine_t?
        var stream: dnnl_stream_t?
        guard dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success, let engine,
            dnnl_stream_create(&stream, engine, UInt32(dnnl_stream_default_flags.rawValue)) == dnnl_success, let stream
        else { return nil }
        return DNN(engine: engine, stream: stream)
    }()

    typealias Descriptor = dnnl_memory_desc_t

    /// An array of logical dimensions in a layout, float32 unless said.
    static func descriptor(
        _ dimensions: [Int], _ tag: dnnl_format_tag_t, _ type: dnnl_data_type_t = dnnl_f32
    ) -> Descriptor {
        var descriptor = dnnl_memory_desc_t()
        let status = dnnl_memory_desc_init_by_tag(
            &descriptor, Int32(dimensions.count), dimensions.map { dnnl_dim_t($0) }, type, tag)
        require(status == dnnl_success, "oneDNN does not know an array of \(dimensions) in the layout \(tag.rawValue)")
        return descriptor
    }

    static func equal(_ a: Descriptor, _ b: Descriptor) -> Bool {
        withUnsafePointer(to: a) { a in withUnsafePointer(to: b) { dnnl_memory_desc_equal(a, $0) != 0 } }
    }

    /// The bytes that an array takes, with its padding.
    static func size(_ descriptor: Descriptor) -> Int { withUnsafePointer(to: descriptor) { dnnl_memory_desc_get_size($0) } }

    /// A tensor that can hold an array of this layout.
    static func tensor(for descriptor: Descriptor) -> Tensor { Tensor(uninitialized: [(size(descriptor) + 3) / 4]) }

    /// Copies an array from one layout into another.
    func reordering(from: Descriptor, to: Descriptor) -> DNNPrimitive {
        var (source, target) = (from, to)
        var description: dnnl_primitive_desc_t?
        let status = dnnl_reorder_primitive_desc_create(&description, &source, engine, &target, engine, nil)
        guard status == dnnl_success, let description,
            let primitive = DNNPrimitive(
                description, arguments: [(Int32(w2w_arg_src), from), (Int32(w2w_arg_dst), to)])
        else {
            require(false, "oneDNN cannot reorder (\(status.rawValue))")
            preconditionFailure()
        }
        return primitive
    }
}

/// What follows a product inside one primitive.
struct DNNPostOperations {
    /// Adds an array of the result's shape in this layout.
    var adding: DNN.Descriptor?
    /// Adds what lies in the result's place before.
    var accumulates = false
    var activation: Activation = .identity

    /// Calls `body` with attributes that hold the post-operations and a scratchpad of ours, or returns nil when they do not exist.
    func withAttributes<Result>(_ body: (dnnl_primitive_attr_t) -> Result?) -> Result? {
        var attributes: dnnl_primitive_attr_t?
        var operations: dnnl_post_ops_t?
        guard dnnl_primitive_attr_create(&attributes) == dnnl_success, let attributes else { return nil }
        defer { dnnl_primitive_attr_destroy(attributes) }
        guard dnnl_post_ops_create(&operations) == dnnl_success, let operations else { return nil }
        defer { dnnl_post_ops_destroy(operations) }
        if var adding, dnnl_post_ops_append_binary(operations, dnnl_binary_add, &adding) != dnnl_success { return nil }
        if accumulates, dnnl_post_ops_append_sum(operations, 1) != dnnl_success { return nil }
        if let (kind, alpha) = elementwise,
            dnnl_post_ops_append_eltwise(operations, 1, kind, alpha, 0) != dnnl_success
        {
            return nil
        }
        // oneDNN's own scratchpad belongs to the thread that made the primitive; ours may be used from any.
        guard dnnl_primitive_attr_set_post_ops(attributes, operations) == dnnl_success,
            dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success
        else { return nil }
        return body(attributes)
    }

    private var elementwise: (dnnl_alg_kind_t, Float)? {
        switch activation {
        case .identity: nil
        case .relu: (dnnl_eltwise_relu, 0)
        case .leakyReLU(let slope): (dnnl_eltwise_relu, slope)
        case .tanh: (dnnl_eltwise_tanh, 0)
        case .sigmoid: (dnnl_eltwise_logistic, 0)
        case .silu: (dnnl_eltwise_swish, 1)
        case .gelu: (dnnl_eltwise_gelu_erf, 0)
        case .quickGELU: (dnnl_eltwise_swish, 1.702)
        }
    }
}

/// A primitive with its arguments, made once and run many times, on one thread at a time.
final class DNNPrimitive {
    private let primitive: dnnl_primitive_t
    private let description: dnnl_primitive_desc_t
    private var memories: [dnnl_memory_t] = []
    private var arguments: [dnnl_exec_arg_t] = []
    private let scratchpadBytes: Int

    /// Takes over a primitive description.
    /// - Parameters:
    ///   - description: destroyed with this object.
    ///   - arguments: oneDNN's number of each argument and its layout, in the order in which `run` takes the pointers.
    init?(_ description: dnnl_primitive_desc_t, arguments: [(Int32, DNN.Descriptor)]) {
        var primitive: dnnl_primitive_t?
        guard let dnn = DNN.shared, dnnl_primitive_create(&primitive, description) == dnnl_success, let primitive else {
            dnnl_primitive_desc_destroy(description)
            return nil
        }
        self.primitive = primitive
        self.description = description
        let scratchpad = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0)?.pointee
        scratchpadBytes = scratchpad.map(DNN.size) ?? 0
        var list = arguments
        if let scratchpad, scratchpadBytes > 0 { list.append((Int32(w2w_arg_scratchpad), scratchpad)) }
        for (number, descriptor) in list {
            var descriptor = descriptor
            var memory: dnnl_memory_t?
            guard dnnl_memory_create(&memory, &descriptor, dnn.engine, nil) == dnnl_success, let memory else { return nil }
            memories.append(memory)
            self.arguments.append(dnnl_exec_arg_t(arg: number, memory: memory))
        }
    }

    deinit {
        for memory in memories { dnnl_memory_destroy(memory) }
        dnnl_primitive_destroy(primitive)
        dnnl_primitive_desc_destroy(description)
    }

    /// oneDNN's name of the implementation, such as "brgconv:avx512_core".
    var implementation: String {
        var name: UnsafePointer<CChar>?
        guard dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) == dnnl_success, let name else {
            return ""
        }
        return String(cString: name)
    }

    /// Says where an argument lies.
    @inline(__always)
    func bind(_ index: Int, _ pointer: UnsafeMutableRawPointer) { dnnl_memory_set_data_handle(memories[index], pointer) }

    /// Runs with the bound arguments and returns when the result is there.
    func run() {
        guard let dnn = DNN.shared else { return }
        if scratchpadBytes > 0 {
            let block = StorageAllocator.shared.take(bytes: scratchpadBytes)
            bind(memories.count - 1, block.address)
            execute(dnn)
            StorageAllocator.shared.give(block)
        } else {
            execute(dnn)
        }
    }

    @inline(__always)
    private func execute(_ dnn: DNN) {
        let status = arguments.withUnsafeBufferPointer {
            dnnl_primitive_execute(primitive, dnn.stream, Int32($0.count), $0.baseAddress)
        }
        // On the processor's own stream `execute` is done when it returns; `wait` is the documented way to know.
        require(status == dnnl_success && dnnl_stream_wait(dnn.stream) == dnnl_success, "oneDNN failed (\(status.rawValue))")
    }
}

/// The plans of one layer and slot by what they depend on; the one unused for longest goes when there are too many.
final class PlanCache<Key: Equatable, Plan> {
    private var entries: [(key: Key, plan: Plan, lastUse: Int)] = []
    private var clock = 0
    private let limit = 16

    func plan(for key: Key, make: () -> Plan) -> Plan {
        clock += 1
        for index in entries.indices where entries[index].key == key {
            entries[index].lastUse = clock
            return entries[index].plan
        }
        let plan = make()
        if entries.count >= limit, let oldest = entries.indices.min(by: { entries[$0].lastUse < entries[$1].lastUse }) {
            entries.remove(at: oldest)
        }
        entries.append((key, plan, clock))
        return plan
    }
}
