import Testing

@testable import TensorKit

@Suite struct ComputeEnvironmentTests {
    @Test func namesWhatRuns() {
        let environment = ComputeEnvironment.current
        #expect(environment.oneDNNVersion.split(separator: ".").count == 3)
        #expect(!environment.processor.isEmpty && !environment.blasCore.isEmpty)
        #expect(!environment.instructionSet.hasPrefix("0x"), "oneDNN has a new instruction set: \(environment.instructionSet)")
        #expect(environment.threads >= 1 && environment.processors >= 1)
    }

    @Test func asksOnlyForWhatTheUserDidNotSet() {
        #expect(ComputeEnvironment.missingVariables(in: [:])["GOMP_SPINCOUNT"] == "1000")
        #expect(ComputeEnvironment.missingVariables(in: ["OMP_WAIT_POLICY": "active"])["GOMP_SPINCOUNT"] == nil)
        #expect(ComputeEnvironment.missingVariables(in: ["GOMP_SPINCOUNT": "5"])["GOMP_SPINCOUNT"] == nil)
        #expect(ComputeEnvironment.missingVariables(in: ["OPENBLAS_CORETYPE": "Haswell"])["OPENBLAS_CORETYPE"] == nil)
        var complete = ComputeEnvironment.missingVariables(in: [:])
        complete.merge(["PATH": "/bin"]) { first, _ in first }
        #expect(ComputeEnvironment.missingVariables(in: complete).isEmpty)
    }

    @Test func freedMemoryIsUsedAgain() {
        // An allocator of its own: tests run beside each other.
        let allocator = StorageAllocator()
        for bytes in [1000, 12 << 20] {
            let first = allocator.take(bytes: bytes)
            allocator.give(first)
            let requests = allocator.systemRequests
            let second = allocator.take(bytes: bytes)
            #expect(second.address == first.address && allocator.systemRequests == requests)
            allocator.give(second)
        }
        allocator.releaseAll()
        #expect(allocator.keptBytes == 0)
    }
}
