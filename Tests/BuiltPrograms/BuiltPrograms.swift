import Foundation

/// Executables of this package, as the tests find them beside themselves.
public enum BuiltPrograms {
    /// The path of a product that was built together with the running tests.
    public static func path(of name: String) -> String {
        // `xctest` bundles on Linux are executables in the products folder.
        let own = URL(fileURLWithPath: CommandLine.arguments.first ?? "").resolvingSymlinksInPath().deletingLastPathComponent()
        let beside = own.appendingPathComponent(name).path
        if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        // Swift Testing may run in a helper: look for the bundle among the arguments.
        for argument in CommandLine.arguments where argument.contains(".xctest") {
            let folder = URL(fileURLWithPath: argument).deletingLastPathComponent()
            let path = folder.appendingPathComponent(name).path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        return beside
    }
}
