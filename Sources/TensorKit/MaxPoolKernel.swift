extension Kernels {
    /// The largest number of every window of `kernel` x `kernel` pixels, for each channel (`torch.nn.MaxPool2d` without padding; a NaN stays
    /// one).
    /// - Parameters:
    ///   - x: [N, H, W, C], sides not below the kernel.
    ///   - kernel: side of a window.
    ///   - stride: distance of neighbouring windows.
    /// - Returns: [N, (H - kernel) / stride + 1, (W - kernel) / stride + 1, C]
    public static func maxPool(_ x: Tensor, kernel: Int, stride: Int) -> Tensor {
        require(x.shape.count == 4, "an image batch has four dimensions, not \(x.shape)")
        require(kernel > 0 && stride > 0, "a pool needs a positive kernel and stride")
        let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3])
        require(height >= kernel && width >= kernel, "an image \(x.shape) is smaller than a window of \(kernel)x\(kernel)")
        let (rows, columns) = ((height - kernel) / stride + 1, (width - kernel) / stride + 1)
        let y = Tensor(uninitialized: [x.shape[0], rows, columns, channels])
        let (source, target) = (x.pointer, y.pointer)
        Parallel.ranges(x.shape[0] * rows, grain: max(1, (1 << 14) / (columns * channels))) { range in
            for row in range {
                let top = (row / rows * height + row % rows * stride) * width
                for column in 0..<columns {
                    let to = target + (row * columns + column) * channels
                    let from = source + (top + column * stride) * channels
                    to.update(from: from, count: channels)
                    for tap in 1..<max(1, kernel * kernel) {
                        let other = from + (tap / kernel * width + tap % kernel) * channels
                        for c in 0..<channels where !(other[c] <= to[c]) && to[c] == to[c] { to[c] = other[c] }
                    }
                }
            }
        }
        return y
    }
}
