import EngineAPI

/// Says how far a job is and how long it may still take, from the time that its pieces took so far.
struct ProgressEstimator {
    let activity: String
    let total: Int
    private(set) var done = 0
    private var spent = 0.0
    private var counted = 0

    init(activity: String, total: Int) {
        self.activity = activity
        self.total = total
    }

    /// Notes finished units and the time that went into them; time in which other jobs ran is not part of it.
    /// - Parameters:
    ///   - units: How many units are done since the last call.
    ///   - seconds: Working time since the last call.
    ///   - counts: Whether these units say something of the others; one from a cache does not.
    mutating func add(units: Int, seconds: Double, counts: Bool = true) {
        done += units
        if counts {
            spent += seconds
            counted += units
        }
    }

    var progress: Progress { progress(inHand: 0) }

    /// - Parameter inHand: Units' worth of work on those that are not finished yet.
    /// - Returns: with an estimate as soon as anything was worked on.
    func progress(inHand: Double) -> Progress {
        let worked = Double(counted) + inHand
        let left = worked > 0 ? spent / worked * max(0, Double(total - done) - inHand) : nil
        return Progress(activity: activity, done: done, total: total, secondsLeft: left)
    }
}
