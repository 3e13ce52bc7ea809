import Glibc

extension RGBImage {
    /// Peak signal-to-noise ratio over all channels, peak 255.
    /// - Parameter other: a picture of the same size.
    /// - Returns: dB; infinite for equal pictures, nil when the sizes differ.
    public func psnr(to other: RGBImage) -> Double? {
        guard width == other.width, height == other.height else { return nil }
        var sum = 0
        pixels.withUnsafeBufferPointer { left in
            other.pixels.withUnsafeBufferPointer { right in
                for index in 0..<left.count {
                    let difference = Int(left[index]) - Int(right[index])
                    sum += difference * difference
                }
            }
        }
        guard sum > 0 else { return .infinity }
        return 10 * log10(255 * 255 * Double(pixels.count) / Double(sum))
    }

    /// This picture moved towards a colour.
    /// - Parameters:
    ///   - colour: where to.
    ///   - amount: 0 leaves it as it is, 1 is the colour alone; values outside are moved in.
    /// - Returns: a picture of the same size.
    public func blended(with colour: RGBColour, amount: Float) -> RGBImage {
        let weight = Int((min(1, max(0, amount)) * 256).rounded())
        func table(_ end: UInt8) -> [UInt8] {
            (0..<256).map { UInt8(($0 * (256 - weight) + Int(end) * weight + 128) >> 8) }
        }
        let tables = [table(colour.red), table(colour.green), table(colour.blue)]
        var result = self
        result.pixels.withUnsafeMutableBufferPointer { pixels in
            for channel in 0..<3 {
                let table = tables[channel]
                for index in stride(from: channel, to: pixels.count, by: 3) { pixels[index] = table[Int(pixels[index])] }
            }
        }
        return result
    }

    /// A mixture of two pictures of one size.
    /// - Parameters:
    ///   - other: a picture of the same size.
    ///   - amount: 0 is this picture, 1 the other; values outside are moved in.
    /// - Returns: a picture of the same size.
    /// - Precondition: equal sizes.
    public func blended(with other: RGBImage, amount: Float) -> RGBImage {
        precondition(width == other.width && height == other.height, "pictures of one size")
        let weight = Int((min(1, max(0, amount)) * 256).rounded())
        var result = self
        result.pixels.withUnsafeMutableBufferPointer { pixels in
            other.pixels.withUnsafeBufferPointer { other in
                for index in 0..<pixels.count {
                    pixels[index] = UInt8((Int(pixels[index]) * (256 - weight) + Int(other[index]) * weight + 128) >> 8)
                }
            }
        }
        return result
    }
}
