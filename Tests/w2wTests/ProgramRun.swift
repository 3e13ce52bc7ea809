import BuiltPrograms
import Foundation

/// One run of `w2w` without a terminal, from its start to its end.
struct ProgramRun {
    let status: Int32
    let output: String
    let error: String

    /// - Parameters:
    ///   - arguments: of the command line.
    ///   - home: where w2w keeps its things.
    ///   - folder: where the program is started.
    /// - Throws: when it cannot be started or its output not be read.
    init(_ arguments: [String], home: ExplorerProgram.Home, in folder: URL) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: BuiltPrograms.path(of: "w2w"))
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(home.environment, uniquingKeysWith: { $1 })
        // Files rather than pipes: nothing has to be emptied while the program runs.
        let places = ["out", "err"].map { FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).\($0)") }
        defer { for place in places { try? FileManager.default.removeItem(at: place) } }
        for place in places { try Data().write(to: place) }
        process.standardOutput = try FileHandle(forWritingTo: places[0])
        process.standardError = try FileHandle(forWritingTo: places[1])
        process.standardInput = FileHandle.nullDevice
        try process.run()
        while process.isRunning { try await Task.sleep(for: .milliseconds(5)) }
        status = process.terminationStatus
        output = String(decoding: try Data(contentsOf: places[0]), as: UTF8.self)
        error = String(decoding: try Data(contentsOf: places[1]), as: UTF8.self)
    }

    /// Lines of the error.
    var errorLines: [String] { error.split(separator: "\n").map(String.init) }
}
