/// How long something is waited for: time in which this process had the chance to see it. Where it was stopped meanwhile, or the machine is
/// too busy for it, the clock alone would call the program under test slow.
struct Patience {
    private var left: Duration
    private var last = ContinuousClock.now

    init(_ time: Duration) {
        left = time
    }

    /// To be asked every few milliseconds.
    mutating func isOver() -> Bool {
        let now = ContinuousClock.now
        left -= min(now - last, .milliseconds(50))
        last = now
        return left <= .zero
    }
}
