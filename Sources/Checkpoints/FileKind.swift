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

    /// Bytes of the file that stands here, or of all files in the folder, behind symbolic links; nil for nothing.
    public var byteCount: Int? {
        let place = resolvingSymlinksInPath()
        func size(_ path: String) -> Int {
            (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        }
        switch fileKind {
        case nil: return nil
        case .file: return size(place.path)
        case .folder:
            let names = (try? FileManager.default.subpathsOfDirectory(atPath: place.path)) ?? []
            return names.reduce(0) { sum, name in
                let file = place.appendingPathComponent(name)
                return sum + (file.fileKind == .file ? size(file.resolvingSymlinksInPath().path) : 0)
            }
        }
    }
}
