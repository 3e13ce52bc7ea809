import Glibc

/// How pixels are weighed when a picture changes its size.
public enum ResizeFilter: Sendable, Hashable, CaseIterable {
    /// The mean of the pixels underneath; when enlarging, the nearest pixel.
    case box
    /// A triangle: soft, without overshoot.
    case bilinear
    /// Lanczos with three lobes: the sharpest, with slight overshoot at edges.
    case lanczos

    /// Half the width of the kernel, in pixels of the coarser picture.
    var support: Double {
        switch self {
        case .box: 0.5
        case .bilinear: 1
        case .lanczos: 3
        }
    }

    /// The kernel at `x`, not normalised.
    func weight(_ x: Double) -> Double {
        switch self {
        case .box: x > -0.5 && x <= 0.5 ? 1 : 0
        case .bilinear: max(0, 1 - abs(x))
        case .lanczos: abs(x) < 3 ? Self.sinc(x) * Self.sinc(x / 3) : 0
        }
    }

    private static func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
}

extension RGBImage {
    /// The picture at another size.
    ///
    /// Separable, with the kernel stretched by the ratio when shrinking, cut and normalised at the borders: Pillow's `Image.resize` in
    /// float32 (Pillow rounds between the two passes, so results agree to about one level).
    /// - Parameters:
    ///   - newWidth: pixels, at least 1.
    ///   - newHeight: pixels, at least 1.
    ///   - filter: the kernel.
    /// - Returns: a picture of exactly that size.
    /// - Precondition: both sides positive.
    public func resized(width newWidth: Int, height newHeight: Int, filter: ResizeFilter = .lanczos) -> RGBImage {
        precondition(newWidth > 0 && newHeight > 0, "an image has at least one pixel")
        if newWidth == width && newHeight == height { return self }
        let columns = ResizeTaps(from: width, to: newWidth, filter: filter)
        let rows = ResizeTaps(from: height, to: newHeight, filter: filter)

        // Pixels as four lanes (the last is idle): a tap is one multiply-add for all channels. First every row to the new width.
        var narrow = [SIMD4<Float>](repeating: .zero, count: newWidth * height)
        var row = [SIMD4<Float>](repeating: .zero, count: width)
        var result = [UInt8](repeating: 0, count: newWidth * newHeight * 3)
        pixels.withUnsafeBufferPointer { source in
            narrow.withUnsafeMutableBufferPointer { narrow in
                row.withUnsafeMutableBufferPointer { row in
                    for y in 0..<height {
                        let start = y * width * 3
                        for x in 0..<width {
                            let at = start + x * 3
                            row[x] = SIMD4(Float(source[at]), Float(source[at + 1]), Float(source[at + 2]), 0)
                        }
                        columns.apply(UnsafeBufferPointer(row), to: narrow, at: y * newWidth)
                    }
                }
            }
        }
        // Then, row by row, to the new height.
        narrow.withUnsafeBufferPointer { narrow in
            result.withUnsafeMutableBufferPointer { result in
                rows.blendRows(narrow, width: newWidth, into: result)
            }
        }
        return RGBImage(width: newWidth, height: newHeight, pixels: result)
    }

    /// The largest picture of the same shape that fits into a rectangle; enlarges as well as shrinks.
    /// - Parameters:
    ///   - maximumWidth: pixels, at least 1.
    ///   - maximumHeight: pixels, at least 1.
    ///   - filter: the kernel.
    /// - Returns: a picture that touches two of the rectangle's sides.
    public func fitted(
        width maximumWidth: Int, height maximumHeight: Int, filter: ResizeFilter = .lanczos
    ) -> RGBImage {
        let ratio = min(Double(maximumWidth) / Double(width), Double(maximumHeight) / Double(height))
        let newWidth = min(maximumWidth, max(1, Int((Double(width) * ratio).rounded())))
        let newHeight = min(maximumHeight, max(1, Int((Double(height) * ratio).rounded())))
        return resized(width: newWidth, height: newHeight, filter: filter)
    }
}

/// The weights of one direction: output i is the sum of `weights[offsets[i]...]` times the inputs from `first[i]` on.
private struct ResizeTaps {
    var first: [Int] = []
    var counts: [Int] = []
    var offsets: [Int] = []
    var weights: [Float] = []

    init(from size: Int, to newSize: Int, filter: ResizeFilter) {
        let ratio = Double(size) / Double(newSize)
        let stretch = max(ratio, 1)
        let support = filter.support * stretch
        for index in 0..<newSize {
            let centre = (Double(index) + 0.5) * ratio
            let low = max(0, Int(centre - support + 0.5))
            let high = max(low + 1, min(size, Int(centre + support + 0.5)))
            var taps = (low..<high).map { filter.weight((Double($0) - centre + 0.5) / stretch) }
            var sum = taps.reduce(0, +)
            if sum == 0 {
                taps[taps.count / 2] = 1
                sum = 1
            }
            first.append(min(low, size - 1))
            counts.append(taps.count)
            offsets.append(weights.count)
            weights.append(contentsOf: taps.map { Float($0 / sum) })
        }
    }

    /// One row: `target[at...]` from `source`.
    func apply(
        _ source: UnsafeBufferPointer<SIMD4<Float>>, to target: UnsafeMutableBufferPointer<SIMD4<Float>>, at: Int
    ) {
        weights.withUnsafeBufferPointer { weights in
            for index in first.indices {
                var sum = SIMD4<Float>.zero
                let start = first[index]
                let offset = offsets[index]
                for tap in 0..<counts[index] { sum += source[start + tap] * weights[offset + tap] }
                target[at + index] = sum
            }
        }
    }

    /// All rows: each output row is a blend of input rows, rounded to bytes.
    func blendRows(
        _ source: UnsafeBufferPointer<SIMD4<Float>>, width: Int, into target: UnsafeMutableBufferPointer<UInt8>
    ) {
        var line = [SIMD4<Float>](repeating: .zero, count: width)
        weights.withUnsafeBufferPointer { weights in
            line.withUnsafeMutableBufferPointer { line in
                for index in first.indices {
                    for tap in 0..<counts[index] {
                        let start = (first[index] + tap) * width
                        let weight = weights[offsets[index] + tap]
                        if tap == 0 {
                            for x in 0..<width { line[x] = source[start + x] * weight }
                        } else {
                            for x in 0..<width { line[x] += source[start + x] * weight }
                        }
                    }
                    var at = index * width * 3
                    for x in 0..<width {
                        let value = line[x] + 0.5
                        target[at] = UInt8(max(0, min(255, value[0])))
                        target[at + 1] = UInt8(max(0, min(255, value[1])))
                        target[at + 2] = UInt8(max(0, min(255, value[2])))
                        at += 3
                    }
                }
            }
        }
    }
}
