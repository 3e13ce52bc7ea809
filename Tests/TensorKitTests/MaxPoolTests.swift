import Testing

@testable import TensorKit

struct MaxPoolTests {
    @Test(arguments: [(3, 2), (2, 2), (3, 1), (1, 2)])
    func windowsAreThoseOfTheDefinition(kernel: Int, stride: Int) {
        let (height, width, channels) = (9, 8, 5)
        let x = TorchRandomSource(seed: 4).normal(shape: [2, height, width, channels])
        let y = Kernels.maxPool(x, kernel: kernel, stride: stride)
        let (rows, columns) = ((height - kernel) / stride + 1, (width - kernel) / stride + 1)
        #expect(y.shape == [2, rows, columns, channels])
        for index in 0..<y.count {
            let (channel, place) = (index % channels, index / channels)
            let (column, row, sample) = (place % columns, place / columns % rows, place / columns / rows)
            var expected = -Float.infinity
            for i in 0..<kernel {
                for j in 0..<kernel {
                    let pixel = (sample * height + row * stride + i) * width + column * stride + j
                    expected = max(expected, x.pointer[pixel * channels + channel])
                }
            }
            #expect(y.pointer[index] == expected)
        }
    }

    @Test func aNumberThatIsNoneStays() {
        let x = Tensor([1, 1, 3, 1], [2, .nan, 1])
        let y = Kernels.maxPool(x.reshaped([1, 3, 1, 1]).padded(), kernel: 2, stride: 1)
        #expect(y.array.allSatisfy { $0.isNaN })
    }
}

extension Tensor {
    /// The same column twice, side by side.
    fileprivate func padded() -> Tensor {
        Tensor([1, shape[1], 2, 1], array.flatMap { [$0, $0] })
    }
}
