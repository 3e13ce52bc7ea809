import Foundation
import Testing

/// Tests that start the program take turns: no more of them at a time than there are processors. Each of these programs computes on all processors;
/// two dozen at once would take many times as long as one after the other, and run into the patience of the tests.
struct TakesTurns: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        await Turns.shared.take()
        do { try await function() } catch {
            await Turns.shared.give()
            throw error
        }
        await Turns.shared.give()
    }
}

extension Trait where Self == TakesTurns {
    /// Waits until few enough other programs run.
    static var takesTurns: Self { Self() }
}

/// As many turns as there are processors, given in the order in which they are asked for.
actor Turns {
    static let shared = Turns(ProcessInfo.processInfo.activeProcessorCount)

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = max(1, count) }

    func take() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func give() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}

@Suite struct TurnsTests {
    private actor Counter {
        private(set) var most = 0
        private(set) var ended = 0
        private var running = 0

        func begin() {
            running += 1
            most = max(most, running)
        }

        func end() {
            running -= 1
            ended += 1
        }
    }

    @Test func soManyAndNoMoreAtATime() async {
        let (turns, counter) = (Turns(3), Counter())
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    await turns.take()
                    await counter.begin()
                    try? await Task.sleep(for: .milliseconds(5))
                    await counter.end()
                    await turns.give()
                }
            }
        }
        #expect(await counter.ended == 20)
        #expect(await counter.most == 3)
    }
}
