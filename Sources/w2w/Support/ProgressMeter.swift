import EngineAPI

/// Counts units of a long command and estimates what is left from the time since it began.
struct ProgressMeter {
    private let activity: String
    private let total: Int
    private var done = 0
    private let began = ContinuousClock.now

    init(activity: String, total: Int) {
        self.activity = activity
        self.total = total
    }

    mutating func advance(by units: Int = 1) {
        done += units
    }

    var progress: Progress {
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        let left = done > 0 ? seconds / Double(done) * Double(total - done) : nil
        return Progress(activity: activity, done: done, total: total, secondsLeft: left)
    }
}
