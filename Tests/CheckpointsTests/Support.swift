import Checkpoints
import Foundation
import Testing

/// A file that lies beside the tests.
func fixture(_ name: String) throws -> URL {
    try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures").appendingPathComponent(name)
}

/// Runs `body` with a new empty folder and removes it afterwards.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-checkpoints-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// Writes a file without waiting for the disk, as Foundation does: thousands of small ones take a moment.
func put(_ data: Data, at url: URL) throws {
    let file = try #require(fopen(url.path, "wb"))
    defer { fclose(file) }
    try #require(data.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) } == data.count)
}

/// The bytes of a safetensors file with a given header and data.
func container(_ header: String, data: [UInt8] = [], length: UInt64? = nil) -> Data {
    var bytes = Data()
    withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: header.utf8)
    bytes.append(contentsOf: data)
    return bytes
}

/// The error that opening these bytes gives.
func problem(opening data: Data) throws -> CheckpointError.Problem? {
    try withTemporaryFolder { folder in
        let url = folder.appendingPathComponent("hostile.safetensors")
        try data.write(to: url)
        do {
            _ = try StateDictionary(safetensors: url)
            return nil
        } catch let error as CheckpointError {
            #expect(error.file == url.path)
            #expect(error.description.contains("hostile.safetensors"))
            return error.problem
        }
    }
}
