import COneDNN

/// Weights for `StrassenProduct`: of each pair of panels what its seven products take, in their order, a `chunk` of inputs at a time.
struct StrassenPanels: Equatable {
    static let width = WeightPanels.width
    static let products = 7
    /// Inputs of a product that lie, and are gone through, together at most.
    static let chunk = 320

    let inputs, outputs: Int

    /// nil where the halves of the inputs do not fill lanes, or the outputs no pairs of panels.
    init?(inputs: Int, outputs: Int) {
        guard inputs > 0, inputs % 32 == 0, outputs > 0, outputs % (2 * Self.width) == 0 else { return nil }
        (self.inputs, self.outputs) = (inputs, outputs)
    }

    /// How these panels are named among oneDNN's layouts.
    var descriptor: DNN.Descriptor { DNN.descriptor([outputs, inputs, Self.products], dnnl_abc, dnnl_f16) }

    /// nil for other layouts.
    init?(_ descriptor: DNN.Descriptor) {
        let d = descriptor.dims
        guard descriptor.data_type == dnnl_f16, descriptor.ndims == 3, d.2 == Self.products else { return nil }
        self.init(inputs: Int(d.1), outputs: Int(d.0))
    }

    /// Inputs of a product.
    var depth: Int { inputs / 2 }
    var pairs: Int { outputs / (2 * Self.width) }
    var bytes: Int { 4 * Self.products * pairs * depth * Self.width }

    /// Inputs of a product from `first` on that lie together.
    func count(from first: Int) -> Int { min(Self.chunk, depth - first) }

    /// What a product takes of a pair, from an input on, a multiple of `chunk`; what is used next lies behind it.
    @inline(__always)
    func panel(_ pair: Int, _ product: Int, from input: Int, in weights: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        weights + 4 * Self.width * (Self.products * (pair * depth + input) + product * count(from: input))
    }

    /// Fills all panels, on all threads.
    /// - Parameters:
    ///   - target: `bytes` bytes.
    ///   - read: gives elements of the weight [out, in] by their numbers; called from several threads at once.
    func fill(
        _ target: UnsafeMutableRawPointer, read: @escaping (_ range: Range<Int>, _ into: UnsafeMutablePointer<Float>) -> Void
    ) {
        // Sixteen outputs of both panels at a time; rows are padded apart, or all would fall on the same lines of the cache.
        let stride = inputs + 16
        let parts = min(pairs, Parallel.threads)
        let scratch = Tensor(uninitialized: [parts, 32 * stride])
        Parallel.run(parts) { part in
            let left = scratch.pointer + part * 32 * stride
            let right = left + 16 * stride
            for pair in pairs * part / parts..<pairs * (part + 1) / parts {
                for block in Swift.stride(from: 0, to: Self.width, by: 16) {
                    for i in 0..<16 {
                        let output = pair * Self.width + block + i
                        read(output * inputs..<(output + 1) * inputs, left + i * stride)
                        let partner = output + outputs / 2
                        read(partner * inputs..<(partner + 1) * inputs, right + i * stride)
                    }
                    for k in 0..<depth {
                        let (b11, b12) = ((left + k).lanes(apart: stride), (right + k).lanes(apart: stride))
                        let (b21, b22) = ((left + depth + k).lanes(apart: stride), (right + depth + k).lanes(apart: stride))
                        let t1 = b12 - b11
                        let t2 = b22 - t1
                        let within = 4 * (k % Self.chunk * Self.width + block)
                        func put(_ lanes: Lanes, _ product: Int) {
                            (panel(pair, product, from: k / Self.chunk * Self.chunk, in: target) + within)
                                .storeBytes(of: lanes, as: Lanes.self)
                        }
                        put(b11, 0)
                        put(t2, 1)
                        put(b22 - b12, 2)
                        put(b21, 3)
                        put(b21 - t2, 4)
                        put(b22, 5)
                        put(t1, 6)
                    }
                }
            }
        }
    }
}
