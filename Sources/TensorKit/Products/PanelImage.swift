/// An image whose patches are a convolution's rows.
struct PanelImage {
    private let x: UnsafeMutablePointer<Float>
    private let geometry: ConvolutionGeometry
    private let height, width, outHeight, outWidth: Int
    /// Power of two that brings all numbers below `PanelProduct.rowBound`; one for numbers of float32's range.
    let scale: Float

    /// - Parameters:
    ///   - x: [N, H, W, in], which outlives this.
    ///   - geometry: of the convolution.
    ///   - output: shape of the result.
    ///   - number: what its numbers will become.
    init(_ x: Tensor, _ geometry: ConvolutionGeometry, output: [Int], for number: PanelNumber) {
        self.x = x.pointer
        self.geometry = geometry
        (height, width, outHeight, outWidth) = (x.shape[1], x.shape[2], output[1], output[2])
        scale = number == .binary16 ? HalfMath.scale(largest: Self.largest(x), below: PanelProduct.rowBound) : 1
    }

    /// The largest magnitude of all elements.
    static func largest(_ x: Tensor) -> Float {
        let parts = x.count < 1 << 16 ? 1 : Parallel.threads
        var tops = [Float](repeating: 0, count: parts)
        let source = x.pointer
        tops.withUnsafeMutableBufferPointer { tops in
            let tops = tops
            Parallel.run(parts) { part in
                let start = x.count * part / parts
                tops[part] = HalfMath.largest(source + start, count: x.count * (part + 1) / parts - start)
            }
        }
        return tops.max() ?? 0
    }

    /// The channels that position `row` of the result sees under a position of the kernel; nil beyond the edge.
    @inline(__always)
    func pixel(_ row: Int, _ tap: Int) -> UnsafeMutablePointer<Float>? {
        let (sample, within) = (row / (outHeight * outWidth), row % (outHeight * outWidth))
        let y = within / outWidth * geometry.stride - geometry.padding.top + tap / geometry.kernelWidth
        let x = within % outWidth * geometry.stride - geometry.padding.left + tap % geometry.kernelWidth
        guard y >= 0, y < height, x >= 0, x < width else { return nil }
        return self.x + ((sample * height + y) * width + x) * geometry.inChannels
    }
}
