import Foundation

/// libgomp and OpenBLAS read their variables before `main`, so the process starts itself once more with the values that suit it. What the
/// user has set stays as it is.
enum Reexecution {
    /// Says that the variables are in place; it also keeps a second start from becoming a third.
    static let marker = "W2W_ENVIRONMENT"

    /// Replaces this process by itself with more variables, unless that has happened or nothing is missing.
    static func runOnce() {
        guard getenv(marker) == nil else { return }
        let missing = wanted.filter { getenv($0.name) == nil }
        setenv(marker, "set", 1)
        guard !missing.isEmpty else { return }
        for variable in missing { setenv(variable.name, variable.value, 1) }
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        // Returns only if it fails; then the process goes on, slower but right.
        execv("/proc/self/exe", arguments)
        for argument in arguments { free(argument) }
    }

    /// Names and values, in the order in which they are set.
    static var wanted: [(name: String, value: String)] {
        [("OMP_WAIT_POLICY", "passive")]
    }
}
