import Foundation

/// The space that w2w carries with it: a small world of synthetic people.
public enum BuiltInSpace {
    /// The folder that the build puts beside the executable.
    static let bundleName = "w2w_WeightSpace.resources"

    /// The folder of the built-in space, or nil when it does not lie beside the executable.
    public static var folder: URL? {
        let name = "BuiltInSpace"
        var candidates = [URL]()
        // Wherever the executable was moved to; `Bundle.module` would trap when it finds nothing.
        if let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
            candidates.append(URL(fileURLWithPath: executable).deletingLastPathComponent())
        }
        candidates.append(Bundle.main.bundleURL)
        for folder in candidates {
            let url = folder.appendingPathComponent(bundleName).appendingPathComponent(name, isDirectory: true)
            if FileManager.default.fileExists(atPath: url.appendingPathComponent("space.json").path) { return url }
        }
        return nil
    }
}
