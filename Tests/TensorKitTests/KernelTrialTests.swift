import Foundation
import Testing

@testable import TensorKit

/// Which of several ways wins.
@Suite struct KernelTrialTests {
    /// A run of `milliseconds` of work, whatever else the machine does.
    private func work(_ milliseconds: Double) {
        var spec = timespec()
        func now() -> Double {
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spec)
            return Double(spec.tv_sec) * 1e3 + Double(spec.tv_nsec) * 1e-6
        }
        let end = now() + milliseconds
        while now() < end {}
    }

    @Test func theFastestWins() {
        #expect(KernelTrial().fastest([8.0, 2, 6], work) == 1)
    }

    /// What is as fast as the first, or nearly, does not take its place.
    @Test func theFirstIsKept() {
        #expect(KernelTrial().fastest([4.0, 4, 4], work) == 0)
    }

    /// The first run of each does not count: weights are laid out in it.
    @Test func theFirstRunsDoNotCount() {
        var runs = [0, 0]
        let best = KernelTrial().fastest([0, 1]) { way in
            runs[way] += 1
            work(way == 0 ? 6 : runs[way] == 1 ? 40 : 2)
        }
        #expect(best == 1)
    }

    /// A run that the machine disturbed is not what decides.
    @Test func oneSlowRunDoesNotDecide() {
        var runs = [0, 0]
        let best = KernelTrial().fastest([0, 1]) { way in
            runs[way] += 1
            work(way == 0 ? 8 : runs[way] == 2 ? 60 : 2)
        }
        #expect(best == 1)
    }
}
