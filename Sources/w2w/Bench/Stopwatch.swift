import Foundation

/// Repeats a piece of work and notes how long it takes.
struct Stopwatch {
    /// Measured repeats, at least 1.
    var repeats: Int
    /// Repeats before them that do not count: caches fill, kernels are set up.
    var warmUp = 2

    /// Milliseconds of each repeat.
    /// - Parameters:
    ///   - scale: Divides the time, for work done several times in one repeat.
    ///   - work: What is measured; gets the number of the repeat, counted from 0 with the warm-up.
    /// - Returns: One value a repeat.
    /// - Throws: What the work throws, or `Cancelled` after Ctrl-C.
    func milliseconds(scale: Double = 1, _ work: (Int) throws -> Void) throws -> [Double] {
        var samples: [Double] = []
        for number in 0..<(warmUp + repeats) {
            try Interruption.shared.check()
            let began = ContinuousClock.now
            try work(number)
            let spent = (ContinuousClock.now - began) / .milliseconds(1)
            if number >= warmUp { samples.append(spent / scale) }
        }
        return samples
    }
}
