import ArgumentParser
import Foundation
import Library
import TensorKit

/// Where the process begins: the re-exec, the arguments, the command, and the one place that words its end.
@main
enum EntryPoint {
    static func main() {
        Reexecution.runOnce()
        let status = run(Array(CommandLine.arguments.dropFirst()))
        // Not exit(): it takes the libraries' globals down, with which the engine's thread may still be computing.
        fflush(nil)
        _exit(status.rawValue)
    }

    /// Parses and runs one command line.
    /// - Parameter arguments: Without the name of the program.
    /// - Returns: 0 done, 1 failed, 2 wrong usage, 130 cancelled.
    static func run(_ arguments: [String]) -> ExitStatus {
        do {
            var command = try W2W.parseAsRoot(arguments)
            // Kept beyond the process, so that the same command gives the same numbers the next time.
            KernelLedger.shared.file = URL(fileURLWithPath: Directories().cache + "/kernels.tsv")
            LogFile.note("w2w \(arguments.joined(separator: " "))")
            try command.run()
            return .done
        } catch {
            let end = CommandEnd(of: error, arguments: arguments)
            ProgressLine.clear()
            if !end.text.isEmpty {
                StandardStream.write(end.text + "\n", to: end.status == .done ? STDOUT_FILENO : STDERR_FILENO)
            }
            if end.status == .failed { LogFile.note("failed: \(end.text)") }
            return end.status
        }
    }
}
