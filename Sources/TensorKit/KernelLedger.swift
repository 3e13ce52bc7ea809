import COneDNN
import Foundation
import Synchronization

/// Which way of calculating a layer was found fastest for a shape, by trial, once: kept for the process, and in a file for the next ones, so
/// that the same machine calculates the same picture in the same way every time.
public final class KernelLedger: Sendable {
    public static let shared = KernelLedger()

    private struct State {
        var choices: [String: String] = [:]
        var file: URL?
        var isRead = false
    }
    private let state = Mutex(State())

    /// Where choices are kept beyond the process; nil keeps none. Set it before the first layer runs.
    public var file: URL? {
        get { state.withLock { $0.file } }
        set {
            state.withLock {
                $0.file = newValue
                $0.isRead = false
            }
        }
    }

    /// What the trials depend on; a file of another machine or version is not used.
    private static let machine: String = {
        let environment = ComputeEnvironment.current
        return "w2w 10, oneDNN \(environment.oneDNNVersion), \(environment.instructionSet), "
            + "\(environment.threads) threads, \(environment.processor)"
    }()

    /// The choice for a layer and shape; tried when nobody has yet. The first candidate is kept unless another is faster by a twelfth.
    /// - Parameters:
    ///   - key: names layer, shape and mode.
    ///   - candidates: names of the ways, at least one.
    ///   - make: prepares one of them; nil when it cannot be done.
    ///   - run: runs one once.
    /// - Returns: one of the candidates.
    func choice<Plan>(
        _ key: String, among candidates: [String], make: (String) -> Plan?, run: (Plan) -> Void
    ) -> String {
        state.withLock { state in
            read(&state)
            if let known = state.choices[key], candidates.contains(known) { return known }
            let plans = candidates.compactMap { name in make(name).map { (name: name, plan: $0) } }
            let best =
                plans.count > 1 ? plans[KernelTrial().fastest(plans) { run($0.plan) }].name : plans.first?.name ?? candidates[0]
            state.choices[key] = best
            append(key, best, state)
            return best
        }
    }

    private func read(_ state: inout State) {
        guard !state.isRead else { return }
        state.isRead = true
        guard let file = state.file, let text = try? String(contentsOf: file, encoding: .utf8) else { return }
        let lines = text.split(separator: "\n")
        guard lines.first.map(String.init) == Self.machine else {
            try? FileManager.default.removeItem(at: file)
            return
        }
        for line in lines.dropFirst() {
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            if parts.count == 2, state.choices[String(parts[0])] == nil { state.choices[String(parts[0])] = String(parts[1]) }
        }
    }

    /// Adds a line; that the file cannot be written costs the next process a trial and nothing else.
    private func append(_ key: String, _ choice: String, _ state: State) {
        guard let file = state.file else { return }
        let isNew = !FileManager.default.fileExists(atPath: file.path)
        if isNew {
            try? FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        }
        let line = (isNew ? Self.machine + "\n" : "") + "\(key)\t\(choice)\n"
        let descriptor = open(file.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        _ = line.withCString { write(descriptor, $0, strlen($0)) }
    }
}
