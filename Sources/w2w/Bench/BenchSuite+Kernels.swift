import Foundation
import TensorKit

extension Benchmark {
    static let convolution = Benchmark(name: "conv", summary: "one 3x3 convolution of the U-Net's size") { try $0.convolution() }
    static let product = Benchmark(name: "gemm", summary: "one matrix product") { try $0.product() }
}

/// Single kernels.
extension BenchSuite {
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
