import COneDNN

extension Kernels {
    /// `a` [m, k] times `b` [k, n]; a transposed operand is stored as [k, m] or [n, k].
    /// - Returns: [m, n]
    public static func product(_ a: Tensor, _ b: Tensor, transposeA: Bool = false, transposeB: Bool = false) -> Tensor {
        let result = Tensor(uninitialized: [a.shape[transposeA ? 1 : 0], b.shape[transposeB ? 0 : 1]])
        multiply(a, b, transposeA, transposeB, beta: 0, result)
        return result
    }

    /// Adds the product to `total` [m, n] in place.
    public static func product(
        _ a: Tensor, _ b: Tensor, transposeA: Bool = false, transposeB: Bool = false, addingTo total: Tensor
    ) {
        multiply(a, b, transposeA, transposeB, beta: 1, total)
    }

    /// The product of parts of matrices: c [m, n] = a [m, k] b [k, n], rows `stride` elements apart; a transposed `a` is stored as [k, m].
    static func product(
        _ a: UnsafeMutablePointer<Float>, transposed: Bool, stride aStride: Int, _ b: UnsafeMutablePointer<Float>,
        stride bStride: Int, m: Int, n: Int, k: Int, into c: UnsafeMutablePointer<Float>, stride cStride: Int
    ) {
        let status = dnnl_sgemm(
            letter(transposed), letter(false), dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k), 1, a, dnnl_dim_t(aStride), b,
            dnnl_dim_t(bStride), 0, c, dnnl_dim_t(cStride))
        guard status != dnnl_success else { return }
        for i in 0..<m {
            for j in 0..<n {
                var sum: Float = 0
                for t in 0..<k { sum += (transposed ? a[t * aStride + i] : a[i * aStride + t]) * b[t * bStride + j] }
                c[i * cStride + j] = sum
            }
        }
    }

    private static func letter(_ transposed: Bool) -> CChar { CChar(UInt8(ascii: transposed ? "T" : "N")) }

    private static func multiply(
        _ a: Tensor, _ b: Tensor, _ transposeA: Bool, _ transposeB: Bool, beta: Float, _ result: Tensor
    ) {
        require(a.shape.count == 2 && b.shape.count == 2, "a matrix product of \(a.shape) and \(b.shape)")
        let (m, k) = transposeA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
        let (k2, n) = transposeB ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
        require(k == k2 && result.count == m * n, "a matrix product of \(a.shape) and \(b.shape) into \(result.shape)")
        guard m > 0 && n > 0 else { return }
        guard k > 0 else {
            if beta == 0 { result.pointer.update(repeating: 0, count: m * n) }
            return
        }
        let status = dnnl_sgemm(
            letter(transposeA), letter(transposeB), dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k), 1, a.pointer,
            dnnl_dim_t(a.shape[1]), b.pointer, dnnl_dim_t(b.shape[1]), beta, result.pointer, dnnl_dim_t(n))
        if status != dnnl_success {
            let plain = PlainKernels.product(a, b, transposeA: transposeA, transposeB: transposeB)
            if beta != 0 { accumulate(result, into: plain) }
            result.pointer.update(from: plain.pointer, count: m * n)
        }
    }
}
