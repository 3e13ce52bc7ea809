import Foundation

/// Finds the fastest of several ways to calculate the same, on a machine that may be doing other things.
struct KernelTrial {
    /// Floats that are read before each run: in a network other layers' weights go through the caches between two calls of a layer.
    private static let swept = 10 << 20
    /// Runs in turns at least and at most, and seconds after which the least is enough.
    private static let (fewest, most, patience) = (3, 12, 0.1)

    /// Runs something and says how long it took, and whether the machine left it alone meanwhile.
    let measure: (_ run: () -> Void) -> (seconds: Double, isCalm: Bool)

    /// Measures with cold caches.
    init() {
        let sweep = Tensor(zeros: [Self.swept])
        self.init { run in
            Self.clearCaches(sweep)
            let before = Self.interruptions
            let seconds = Profile.seconds(run)
            return (seconds, Self.interruptions == before)
        }
    }

    init(measure: @escaping (_ run: () -> Void) -> (seconds: Double, isCalm: Bool)) { self.measure = measure }

    /// Runs all in turns, so that a busy moment meets all of them. The first turn, in which weights are laid out and memory is new, does not count;
    /// turns go on until each has had some runs in which the system took no processor away, or patience ends. What is far behind drops out.
    /// - Parameters:
    ///   - plans: the ways, the most trusted first.
    ///   - run: runs one once.
    /// - Returns: the number of the first, unless another is faster by a twelfth.
    func fastest<Plan>(_ plans: [Plan], _ run: (Plan) -> Void) -> Int {
        for plan in plans { run(plan) }
        var shortest = plans.map { _ in Double.infinity }
        var calm = plans.map { _ in 0 }
        var left = Array(plans.indices)
        var spent = 0.0
        for turn in 1...Self.most where left.count > 1 {
            for index in left {
                let (seconds, isCalm) = measure { run(plans[index]) }
                shortest[index] = min(shortest[index], seconds)
                if isCalm { calm[index] += 1 }
                spent += seconds
            }
            if turn >= 2 {
                let limit = 1.7 * (left.map { shortest[$0] }.min() ?? 0)
                left.removeAll { shortest[$0] > limit && calm[$0] > 0 }
            }
            if turn >= Self.fewest && (left.allSatisfy { calm[$0] >= Self.fewest } || spent > Self.patience) { break }
        }
        var best = left.first ?? 0
        for index in left where shortest[index] < shortest[best] * 0.92 { best = index }
        return best
    }

    private static func clearCaches(_ sweep: Tensor) {
        let numbers = sweep.pointer
        Parallel.ranges(swept / 16, grain: 1 << 12) { range in
            var sum = Lanes.zero
            for line in range { sum += numbers.lanes(line * 16) }
            // Never so; without a use nothing would be read.
            if VectorMath.sum(sum) > 0 { numbers[0] = 0 }
        }
    }

    /// How often the system has taken a processor away from this process.
    private static var interruptions: Int {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        return usage.ru_nivcsw
    }
}
