import Foundation
import TensorKit
import Testing

@Suite struct ParallelTests {
    @Test(arguments: [0, 1, 2, 7, 1000]) func everyIndexIsVisitedOnce(_ count: Int) {
        let visits = Tensor(zeros: [max(1, count)])
        Parallel.ranges(count, grain: 3) { range in
            for i in range { visits.pointer[i] += 1 }
        }
        #expect(visits.array.prefix(count).allSatisfy { $0 == 1 })
    }

    @Test(arguments: [0, 1, 2, 7, 1000], [1, 2, 5]) func everyItemIsTakenOnce(_ count: Int, _ parts: Int) {
        let visits = Tensor(zeros: [max(1, count)])
        for _ in 0..<20 {
            Parallel.share(count, parts: parts) { _, take in
                while let item = take() { visits.pointer[item] += 1 }
            }
        }
        #expect(visits.array.prefix(count).allSatisfy { $0 == 20 })
    }

    /// A thread that is stopped keeps the others waiting for the item it has begun, not for the rest of its share.
    @Test(.enabled(if: Parallel.threads > 1)) func whatAThreadLeavesOthersTake() {
        let (count, doers, flag) = (40, Tensor(zeros: [40]), Tensor(zeros: [1]))
        let (doer, begun) = (doers.pointer, flag.pointer)
        /// Ten seconds at most.
        func wait(until condition: () -> Bool) {
            for _ in 0..<10000 where !condition() { usleep(1000) }
        }
        Parallel.share(count, parts: 2) { part, take in
            if part == 1 { wait { begun[0] == 1 } }
            while let item = take() {
                if part == 0 {
                    begun[0] = 1
                    wait { (0..<count).allSatisfy { $0 == item || doer[$0] == 2 } }
                }
                doer[item] = Float(part + 1)
            }
        }
        #expect(doers.array.filter { $0 == 1 }.count == 1 && !doers.array.contains(0))
    }

    @Test func lanesShareLayersAndGiveWhatOneThreadGives() {
        let geometry = ConvolutionGeometry(inChannels: 24, outChannels: 32, kernelHeight: 3, kernelWidth: 3, padding: Padding(1))
        let convolution = ConvolutionKernel(geometry)
        let linear = LinearKernel(inFeatures: 32, outFeatures: 40)
        let (weight, matrix) = (randomTensor(geometry.weightShape, seed: 1), randomTensor([40, 32], seed: 2))
        let count = Parallel.threads
        let x = randomTensor([count, 9, 8, 24], seed: 3)
        func network(_ x: Tensor) -> Tensor {
            linear.forward(convolution.forward(x, weight: weight, version: 0), weight: matrix, version: 0, activation: .silu)
        }
        let expected = PlainKernels.apply(
            .silu,
            PlainKernels.linear(
                PlainKernels.convolution(x, weight: weight, bias: nil, geometry: geometry), weight: matrix, bias: nil))
        for _ in 0..<20 {
            let result = Tensor(zeros: [count, 9, 8, 40])
            Parallel.lanes(count) { lane in
                let part = network(x.rows(lane..<lane + 1))
                result.rows(lane..<lane + 1).pointer.update(from: part.pointer, count: part.count)
            }
            expectClose(result, expected, "lanes")
        }
        expectClose(network(x), expected, "whole batch")
        expectClose(Parallel.inLanes(x, network), expected, "joined lanes")
        expectClose(Parallel.inLanes(x.rows(0..<1), network), expected.rows(0..<1), "one sample")
    }
}
