import Foundation
import Testing

@testable import TensorKit

@Suite struct AvailableMemoryTests {
    /// A tree of control groups: contents of files by their paths.
    private func left(_ files: [String: String], membership: String) throws -> Int? {
        let mount = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-groups-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: mount) }
        for (path, text) in files {
            let file = mount.appendingPathComponent(path)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return AvailableMemory.group(membership: membership, mount: mount.path)
    }

    /// Its own group, or the one above it, where the limit of a user's session or of a container stands.
    @Test func theTightestGroupCounts() throws {
        var files = [
            "user/memory.max": "1000\n", "user/memory.current": "700\n", "user/memory.stat": "anon 5\ninactive_file 50\n",
            "user/session/memory.max": "max\n", "user/session/memory.current": "600\n",
        ]
        #expect(try left(files, membership: "0::/user/session\n") == 350)
        files["user/session/memory.max"] = "800\n"
        #expect(try left(files, membership: "0::/user/session\n") == 200)
        // Within a container the path may be that of the host.
        #expect(try left(["memory.max": "900", "memory.current": "1000"], membership: "0::/docker/abc\n") == 0)
        #expect(try left(files, membership: "0::/other\n") == nil)
    }

    @Test func theFirstVersionIsKnown() throws {
        let files = [
            "memory/job/memory.limit_in_bytes": "1000\n", "memory/job/memory.usage_in_bytes": "900\n",
            "memory/job/memory.stat": "inactive_file 1\ntotal_inactive_file 40\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n", "memory/memory.usage_in_bytes": "5000\n",
        ]
        #expect(try left(files, membership: "9:cpu,cpuacct:/\n4:memory:/job\n0::/\n") == 140)
    }
}
