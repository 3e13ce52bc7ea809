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

    /// Version 2 of control groups. Pages of files count as used there but are given up when memory is short.
    private static var group: Int? {
        let name = text("/proc/self/cgroup")?.split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3) ?? ""
        for folder in ["/sys/fs/cgroup\(name)", "/sys/fs/cgroup"] {
            guard let limit = number(folder + "/memory.max"), let used = number(folder + "/memory.current") else { continue }
            let files = text(folder + "/memory.stat")?.split(separator: "\n").first { $0.hasPrefix("inactive_file ") }
            return max(0, limit - used + (files.flatMap { Int($0.dropFirst("inactive_file ".count)) } ?? 0))
        }
        return nil
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
