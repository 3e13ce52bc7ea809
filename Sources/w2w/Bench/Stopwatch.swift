import Foundation
import TensorKit

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
        try measured(scale: scale, work).samples
    }

    /// Milliseconds of each repeat, and of the very first call, in which layers choose their kernels and lay out their weights.
    /// - Parameters:
    ///   - scale: Divides the time, for work done several times in one repeat.
    ///   - work: What is measured; gets the number of the repeat, counted from 0 with the warm-up.
    /// - Returns: The first call and one value a repeat.
    /// - Throws: What the work throws, or `Cancelled` after Ctrl-C.
    func measured(scale: Double = 1, _ work: (Int) throws -> Void) throws -> (first: Double, samples: [Double]) {
        var samples: [Double] = []
        var first = 0.0
        for number in 0..<(warmUp + repeats) {
            try Interruption.shared.check()
            if number == warmUp { Profile.reset() }
            let began = ContinuousClock.now
            try work(number)
            let spent = (ContinuousClock.now - began) / .milliseconds(1)
            if number == 0 { first = spent / scale }
            if number >= warmUp { samples.append(spent / scale) }
        }
        return (first, samples)
    }
}
