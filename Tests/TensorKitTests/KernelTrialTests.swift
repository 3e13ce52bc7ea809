import Testing

@testable import TensorKit

/// Which of several ways wins, by made-up clocks.
@Suite struct KernelTrialTests {
    /// A machine on which each way takes a time of its own, and what happens besides.
    private final class Machine {
        let seconds: [Double]
        var runs: [Int]
        private let disturbance: (_ way: Int, _ run: Int) -> Double
        private var current = 0

        init(_ seconds: [Double], disturbance: @escaping (_ way: Int, _ run: Int) -> Double = { _, _ in 0 }) {
            (self.seconds, self.disturbance) = (seconds, disturbance)
            runs = seconds.map { _ in 0 }
        }

        /// The number of the way that wins.
        func winner() -> Int {
            let trial = KernelTrial { run in
                run()
                let late = self.disturbance(self.current, self.runs[self.current])
                return (self.seconds[self.current] + late, late == 0)
            }
            return trial.fastest(Array(seconds.indices)) { way in
                self.current = way
                self.runs[way] += 1
            }
        }
    }

    @Test func theFastestWins() { #expect(Machine([8e-3, 2e-3, 6e-3]).winner() == 1) }

    /// What is faster by less than a twelfth does not take the first one's place.
    @Test func theFirstIsKept() {
        #expect(Machine([1e-3, 0.93e-3, 0.95e-3]).winner() == 0)
        #expect(Machine([1e-3, 0.9e-3, 0.95e-3]).winner() == 1)
    }

    /// Runs that the machine disturbed do not decide, and are made up for by others.
    @Test func disturbedRunsDoNotDecide() {
        let busy = Machine([8e-3, 2e-3]) { way, run in way == 1 && run < 6 ? 0.01 : 0 }
        #expect(busy.winner() == 1)
        #expect(busy.runs[1] >= 6)
    }

    /// Where the machine is never calm, the shortest run of some has to do.
    @Test func aBusyMachineEndsTheTrial() {
        let busy = Machine([8e-3, 2e-3]) { _, run in run % 3 == 0 ? 0.001 : 0.02 }
        #expect(busy.winner() == 1)
        #expect(busy.runs[0] <= 13)
    }

    /// What is far behind is not run again and again, unless only a disturbance put it there.
    @Test func whatIsFarBehindDropsOut() {
        let machine = Machine([1e-3, 9e-3])
        #expect(machine.winner() == 0)
        #expect(machine.runs[1] == 3 && machine.runs[0] == 3)
    }
}
