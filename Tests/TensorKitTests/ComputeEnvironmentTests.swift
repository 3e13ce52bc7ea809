import TensorKit
import Testing

@Suite struct ComputeEnvironmentTests {
    @Test func namesWhatRuns() {
        let environment = ComputeEnvironment.current
        #expect(environment.oneDNNVersion.split(separator: ".").count == 3)
        #expect(!environment.instructionSet.isEmpty && !environment.blasCore.isEmpty)
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
        // A size that no other test uses: tests run beside each other.
        let shape = [3, 1_000_003]
        var first: Tensor? = Tensor(zeros: shape)
        let address = first?.pointer
        first = nil
        let second = Tensor(uninitialized: shape)
        #expect(second.pointer == address)
    }
}
