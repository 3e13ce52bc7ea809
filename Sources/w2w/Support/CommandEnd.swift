import ArgumentParser
import EngineAPI
import Foundation

/// How a command ended, as the shell sees it.
enum ExitStatus: Int32, Sendable {
    case done = 0
    case failed = 1
    case wrongUsage = 2
    case cancelled = 130
}

/// Why a command stops, with the facts a person needs: what is wrong and where, and what to do next.
struct CommandFailure: Error, CustomStringConvertible {
    var message: String
    /// What to do next, or empty.
    var advice: String
    var status: ExitStatus

    init(_ message: String, advice: String = "", status: ExitStatus = .failed) {
        self.message = message
        self.advice = advice
        self.status = status
    }

    var description: String { advice.isEmpty ? message : "\(message)\n\(advice)" }
}

/// The command was stopped by Ctrl-C; `kept` says what it leaves behind.
struct Cancelled: Error {
    var kept: String = ""
}

/// The only place that turns an error into words and an exit code.
struct CommandEnd {
    var status: ExitStatus
    /// One or two lines for an error, help for a request of help.
    var text: String

    /// - Parameters:
    ///   - error: What a command or the parser threw.
    ///   - arguments: The command line, for the name of the command in the text.
    init(of error: any Error, arguments: [String]) {
        let command = CommandEnd.commandName(arguments)
        switch error {
        case let failure as CommandFailure:
            status = failure.status
            text = "\(command): \(failure.description)"
        case let cancelled as Cancelled:
            status = .cancelled
            text = cancelled.kept.isEmpty ? "\(command): stopped" : "\(command): stopped; \(cancelled.kept)"
        case let failure as EngineFailure:
            status = .failed
            text = "\(command): \(failure.description)"
        default:
            let code = W2W.exitCode(for: error)
            if code == .success {
                status = .done
                text = W2W.fullMessage(for: error)
            } else if code == .validationFailure {
                status = .wrongUsage
                let message = CommandEnd.unknownCommand(arguments) ?? W2W.message(for: error)
                text = CommandEnd.usageText(message, command: command)
            } else {
                status = .failed
                text = "\(command): \(CommandEnd.sentence(of: error))"
            }
        }
    }

    /// "w2w render" for a command line that names a command, else "w2w".
    static func commandName(_ arguments: [String]) -> String {
        let names = W2W.configuration.subcommands.compactMap { $0.configuration.commandName }
        guard let first = arguments.first, names.contains(first) else { return "w2w" }
        return "w2w \(first)"
    }

    /// What to say of a first word that is no command, with the nearest one if it looks like a slip of the finger.
    private static func unknownCommand(_ arguments: [String]) -> String? {
        guard let word = arguments.first, !word.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
        let names = W2W.configuration.subcommands.compactMap { $0.configuration.commandName }
        guard !names.contains(word) else { return nil }
        let near = names.map { (name: $0, distance: distance(word, $0)) }.min { $0.distance < $1.distance }
        guard let near, near.distance <= 2 else { return "there is no command '\(word)'." }
        return "there is no command '\(word)'. Did you mean '\(near.name)'?"
    }

    /// Levenshtein's distance of two words.
    private static func distance(_ first: String, _ second: String) -> Int {
        let (a, b) = (Array(first.unicodeScalars), Array(second.unicodeScalars))
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }

    /// The parser's sentence, and where to read more.
    private static func usageText(_ message: String, command: String) -> String {
        let first = message.split(separator: "\n", omittingEmptySubsequences: true).first.map(String.init) ?? "wrong usage"
        return "\(command): \(first)\n`\(command) --help` explains the options with examples."
    }

    /// An error of a system call or of a library in one line.
    static func sentence(of error: any Error) -> String {
        if let system = error as? CocoaError {
            let path = system.filePath ?? ""
            let reason = (system.underlying as? POSIXError).map { String(cString: strerror($0.code.rawValue)) }
            let words = [path, reason ?? system.localizedDescription].filter { !$0.isEmpty }.joined(separator: ": ")
            let isForbidden = system.code == .fileWriteNoPermission || system.code == .fileWriteVolumeReadOnly
            return isForbidden ? words + "; choose a folder that can be written" : words
        }
        return String(describing: error)
    }
}
