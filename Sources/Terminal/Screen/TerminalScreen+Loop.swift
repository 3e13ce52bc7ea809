import CNcursesw
import Glibc
import ScreenModel

extension TerminalScreen {
    /// Waits for a person, for `wake`, or for the time, drawing and sending meanwhile.
    /// - Parameters:
    ///   - deadline: when to return at the latest; nil for no limit.
    ///   - descriptors: further descriptors; when one can be read, `wait` returns.
    /// - Returns: what happened, in order; empty after `wake`, at the deadline, or when one of `descriptors` can be read.
    public func wait(until deadline: ContinuousClock.Instant? = nil, reading descriptors: [Int32] = []) -> [InputEvent] {
        while isOpen {
            service()
            if !events.isEmpty || isGone { break }
            var polls = [
                poll(0, for: POLLIN), poll(wakePipe.read, for: POLLIN), poll(ProcessSignals.readEnd, for: POLLIN),
                poll(pictures.descriptorToWatch, for: POLLOUT),
            ]
            polls += descriptors.map { poll($0, for: POLLIN) }
            let limit = timeout(until: deadline)
            let count = Glibc.poll(&polls, nfds_t(polls.count), limit)
            if count < 0, errno != EINTR { break }
            // What was typed before a signal came is done before it ends the program.
            readInput(polls[0].revents)
            if polls[2].revents != 0 { takeSignals() }
            expire()
            let woken = polls[1].revents != 0 && drainWakePipe()
            let others = polls.dropFirst(4).contains { $0.revents != 0 }
            if !events.isEmpty || woken || others { break }
            if let deadline, ContinuousClock.now >= deadline { break }
        }
        defer { events = [] }
        return events
    }

    private func poll(_ descriptor: Int32, for condition: Int32) -> pollfd {
        pollfd(fd: descriptor, events: Int16(condition), revents: 0)
    }

    /// Milliseconds until something is due; -1 for never.
    private func timeout(until deadline: ContinuousClock.Instant?) -> Int32 {
        let now = monotonicMilliseconds()
        var left = Double.infinity
        if let deadline {
            let duration = ContinuousClock.now.duration(to: deadline).components
            left = Double(duration.seconds) * 1000 + Double(duration.attoseconds) / 1e15
        }
        for due in [decoder.deadline, drawingDeadline, probeDeadline].compactMap({ $0 }) { left = min(left, due - now) }
        return left.isFinite ? Int32(min(86_400_000, max(0, left.rounded(.up)))) : -1
    }

    private func drainWakePipe() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 256)
        var woken = false
        while true {
            let count = read(wakePipe.read, &buffer, buffer.count)
            if count <= 0 { return woken }
            woken = woken || buffer.prefix(count).contains(UInt8(ascii: "w"))
            if count < buffer.count { return woken }
        }
    }

    private func readInput(_ conditions: Int16) {
        guard conditions != 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = conditions & Int16(POLLIN) != 0 ? read(0, &buffer, buffer.count) : 0
        if count > 0 {
            take(decoder.feed(buffer.prefix(count), at: monotonicMilliseconds()))
        } else if count == 0 || errno != EINTR {
            lose()
        }
    }

    private func expire() {
        let now = monotonicMilliseconds()
        take(decoder.expire(at: now))
        if let probeDeadline, now >= probeDeadline {
            probe = .silent
            decideGraphics()
        }
    }

    private func take(_ tokens: [InputDecoder.Token]) {
        for token in tokens {
            switch token {
            case .key(let key):
                inputSinceFlush = true
                events.append(.key(key))
                if key == KeyEvent(.character("l"), control: true) { redraw() }
            case .mouse(let event):
                inputSinceFlush = true
                events.append(.mouse(event))
            case .answer(let sequence): absorb(sequence)
            }
        }
        decoder.expectsAnswer = isProbing || probe == .silent || pictures.openConfirmations > 0
    }

    private func absorb(_ sequence: InputDecoder.ControlSequence) {
        let now = monotonicMilliseconds()
        if sequence.kind == .csi, sequence.text == "0n" {
            pictures.confirmed(now)
            return
        }
        let before = answers
        guard answers.absorb(sequence), answers != before else { return }
        if before.deviceAttributes == nil, answers.deviceAttributes != nil {
            if case .asked(let began) = probe { pictures.answered(after: now - began) }
            probe = .answered
        }
        // DA1 ends the round: one decision instead of six.
        if probe == .answered { decideGraphics() }
    }

    private func takeSignals() {
        for signal in ProcessSignals.take() {
            switch signal {
            case SIGWINCH: adoptWindowSize()
            case SIGTSTP: suspend()
            case SIGCONT:
                // Stopped from outside: whoever had the terminal meanwhile may have changed anything.
                curses.enter()
                tell(Self.mouseOn(options))
                adoptWindowSize()
                redraw()
            case SIGINT: events.append(.key(KeyEvent(.character("c"), control: true)))
            default: events.append(.terminate)
            }
        }
    }

    /// Asks the window for its size. Signals of a resize can be missed or doubled: what counts is what the kernel says now.
    func adoptWindowSize() {
        let window = Self.windowSize().cells
        guard window.columns > 0, window.rows > 0 else { return }
        pictures.stop(within: 500)
        curses.resize(to: window)
        // A font change changes the cell: both are asked for again.
        answers.cell = nil
        answers.textArea = nil
        answers.largestPicture = nil
        asksAfterFlush = asksQuestions && probe == .answered && graphics == .sixel
        shownGrid = nil
        if size != curses.size {
            size = curses.size
            // The old places are worth nothing; the screen is cleared with the next frame.
            pictures.clear()
            events.append(.resized(size))
        } else if pending == nil {
            pending = current
        }
    }
}
