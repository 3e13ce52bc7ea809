import Foundation
import ImageCore
import Terminal

/// Draws pictures into the terminal of a command.
enum TerminalPicture {
    /// - Throws: `CommandFailure` when standard output is no terminal.
    static func show(_ image: RGBImage) throws {
        do {
            let bytes = try InlinePicture.bytes(of: image, environment: ProcessInfo.processInfo.environment)
            FileHandle.standardOutput.write(Data(bytes))
        } catch {
            throw CommandFailure(
                "--show draws into a terminal, and standard output is none.", advice: "Give --out FILE.png instead.")
        }
    }
}
