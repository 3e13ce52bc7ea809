import Explorer
import Synchronization

/// Where other threads leave messages for the explorer: the engine's queue, a thread that writes a file. Order is kept.
final class MessageBox: Sendable {
    private let messages = Mutex<[ExplorerMessage]>([])
    private let wake: @Sendable () -> Void

    /// - Parameter wake: makes the explorer's loop look here; called from any thread.
    init(wake: @escaping @Sendable () -> Void) {
        self.wake = wake
    }

    func post(_ message: ExplorerMessage) {
        let wasEmpty = messages.withLock { messages in
            messages.append(message)
            return messages.count == 1
        }
        // Whoever posted the first one has woken the loop already.
        if wasEmpty { wake() }
    }

    func takeAll() -> [ExplorerMessage] {
        messages.withLock { messages in
            defer { messages = [] }
            return messages
        }
    }
}
