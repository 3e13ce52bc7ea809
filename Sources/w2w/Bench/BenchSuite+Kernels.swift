import Foundation
import TensorKit

extension Benchmark {
    static let convolution = Benchmark(name: "conv", summary: "one 3x3 convolution of the U-Net's size") { try $0.convolution() }
    static let product = Benchmark(name: "gemm", summary: "one matrix product") { try $0.product() }
}

extension Benchmark {
    static let memory = Benchmark(
        name: "memory", summary: "how fast memory is read, on all threads (not part of all)", isPartOfAll: false
    ) { try $0.memory() }
}

/// Single kernels.
extension BenchSuite {
    /// Reading what no cache holds: the limit of a network whose weights are used once.
    fileprivate func memory() throws -> [BenchResult] {
        let count = 1 << 28
        let numbers = Tensor(uninitialized: [count])
        Parallel.ranges(count, grain: 1 << 20) { numbers.rows($0).pointer.update(repeating: 1, count: $0.count) }
        var total: Float = 0
        let samples = try stopwatch.milliseconds { _ in total += Kernels.roughSum(numbers) }
        guard total > 0 else { return [] }
        let rates = samples.map { Double(4 * count) / $0 / 1e6 }
        return [BenchResult(name: "memory", unit: "GB/s", samples: rates, work: "1 GB read once, \(Parallel.threads) threads")]
    }

    fileprivate func convolution() throws -> [BenchResult] {
        let (batch, side, channels) = (2, 16, 128)
        let kernel = ConvolutionKernel(
            ConvolutionGeometry(inChannels: channels, outChannels: channels, kernelHeight: 3, kernelWidth: 3, padding: Padding(1))
        )
        let x = Self.noise([batch, side, side, channels])
        let weight = Self.noise([channels, channels, 3, 3], seed: 2)
        let inner = 20
        let samples = try stopwatch.milliseconds(scale: Double(inner)) { _ in
            for _ in 0..<inner { _ = kernel.forward(x, weight: weight, version: 1) }
        }
        let gigaflop = 2 * Double(batch * side * side * channels * channels * 9) / 1e9
        return [
            BenchResult(
                name: "conv", unit: "ms", samples: samples,
                work: "3x3, \(batch) x \(side) x \(side) x \(channels) to \(channels); \(String(format: "%.2f", gigaflop)) GFLOP")
        ]
    }

    fileprivate func product() throws -> [BenchResult] {
        let (rows, inner, columns) = (512, 512, 512)
        let kernel = LinearKernel(inFeatures: inner, outFeatures: columns)
        let x = Self.noise([rows, inner])
        let weight = Self.noise([columns, inner], seed: 2)
        let count = 20
        let samples = try stopwatch.milliseconds(scale: Double(count)) { _ in
            for _ in 0..<count { _ = kernel.forward(x, weight: weight, version: 1) }
        }
        let gigaflop = 2 * Double(rows * inner * columns) / 1e9
        return [
            BenchResult(
                name: "gemm", unit: "ms", samples: samples,
                work: "\(rows) x \(inner) x \(columns); \(String(format: "%.2f", gigaflop)) GFLOP")
        ]
    }
}
