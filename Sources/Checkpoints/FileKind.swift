import Foundation

/// What stands at a path.
public enum FileKind: Sendable {
    case file, folder
}

extension URL {
    /// What stands here, behind symbolic links; nil for nothing.
    public var fileKind: FileKind? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return nil }
        return isFolder.boolValue ? .folder : .file
    }
}
