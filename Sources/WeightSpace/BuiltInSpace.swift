import Foundation

/// The space that w2w carries with it: a small world of synthetic people.
public enum BuiltInSpace {
    /// The folder of the built-in space, or nil when the resources are not beside the executable.
    public static var folder: URL? {
        Bundle.module.resourceURL?.appendingPathComponent("BuiltInSpace", isDirectory: true)
    }
}
