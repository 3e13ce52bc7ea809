import Foundation

/// Text to standard output or error that nobody may be reading any more: a terminal that is gone, or takes nothing, must not end or hold up
/// a run that was told to keep its work.
enum StandardStream {
    /// Terminals through open descriptions of our own, so that a write which finds no room returns. (O_NONBLOCK on the descriptors we were
    /// given would reach the shell's, too.)
    private static let terminals: [Int32: Int32] = [STDOUT_FILENO, STDERR_FILENO].reduce(into: [:]) { found, descriptor in
        guard isatty(descriptor) == 1, let name = ttyname(descriptor) else { return }
        let terminal = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        if terminal >= 0 { found[descriptor] = terminal }
    }

    static func write(_ text: String, to descriptor: Int32 = STDERR_FILENO) {
        let terminal = terminals[descriptor] ?? descriptor
        var (text, taken) = (text, ContinuousClock.now)
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while let base = rest.baseAddress, rest.count > 0 {
                let written = Foundation.write(terminal, base, rest.count)
                if written < 0, errno == EINTR { continue }
                if written < 0, errno == EAGAIN {
                    // Half a second is enough for a terminal that is only slow.
                    if Interruption.shared.isRequested, ContinuousClock.now - taken > .milliseconds(500) { return }
                    var polls = pollfd(fd: terminal, events: Int16(POLLOUT), revents: 0)
                    // There may be room for one byte where the end of a line takes two: then this returns at once.
                    if poll(&polls, 1, 100) > 0 { usleep(5_000) }
                    continue
                }
                guard written > 0 else { return }
                (rest, taken) = (UnsafeRawBufferPointer(rebasing: rest[written...]), .now)
            }
        }
    }
}
