import Foundation

/// How much memory this process can still take.
public enum AvailableMemory {
    /// The least of what the system has free or can free (with swap), what the process's control group leaves, and what its address space limit
    /// leaves; nil where none of it is known.
    public static var bytes: Int? { [system, group, addressSpace].compactMap { $0 }.min() }

    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    private static func number(_ path: String) -> Int? {
        text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    /// `/proc/meminfo` counts in kB.
    private static var system: Int? {
        guard let lines = text("/proc/meminfo")?.split(separator: "\n") else { return nil }
        func value(_ name: String) -> Int? {
            lines.first { $0.hasPrefix(name + ":") }?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        }
        return value("MemAvailable").map { ($0 + (value("SwapFree") ?? 0)) << 10 }
    }

    private static var group: Int? {
        text("/proc/self/cgroup").flatMap { group(membership: $0, mount: "/sys/fs/cgroup") }
    }

    /// What the control groups of a process leave it: its own and those above, of either version. Pages of files count as used there but are given up
    /// when memory is short.
    /// - Parameters:
    ///   - membership: text of `/proc/self/cgroup`.
    ///   - mount: where the groups lie.
    /// - Returns: bytes; nil without a limit.
    static func group(membership: String, mount: String) -> Int? {
        var least: Int?
        for line in membership.split(separator: "\n") {
            // "0::/path" of version 2, "9:memory:/path" of version 1.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isFirst = parts[1].split(separator: ",").contains("memory")
            guard isFirst || parts[0] == "0" && parts[1].isEmpty else { continue }
            let files =
                isFirst ? ["limit_in_bytes", "usage_in_bytes", "total_inactive_file "] : ["max", "current", "inactive_file "]
            var names = parts[2].split(separator: "/")
            while true {
                let folder = ([isFirst ? mount + "/memory" : mount] + names.map(String.init)).joined(separator: "/") + "/memory."
                if let limit = number(folder + files[0]), let used = number(folder + files[1]) {
                    let cached = text(folder + "stat")?.split(separator: "\n").first { $0.hasPrefix(files[2]) }
                    let left = limit - used + (cached.flatMap { Int($0.dropFirst(files[2].count)) } ?? 0)
                    least = min(least ?? .max, max(0, left))
                }
                if names.popLast() == nil { break }
            }
        }
        return least
    }

    private static var addressSpace: Int? {
        #if os(Linux)
            var limit = rlimit()
            guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur < 1 << 60,
                let pages = text("/proc/self/statm")?.split(separator: " ").first.flatMap({ Int($0) })
            else { return nil }
            return max(0, Int(limit.rlim_cur) - pages * Int(sysconf(Int32(_SC_PAGESIZE))))
        #else
            return nil
        #endif
    }
}
