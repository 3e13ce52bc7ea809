import Foundation
import TensorKit

/// libgomp and OpenBLAS read their variables before `main`, so the process starts itself once more with the values that suit it. What the
/// user has set stays as it is.
enum Reexecution {
    /// Says that the variables are in place; it also keeps a second start from becoming a third.
    static let marker = "W2W_ENVIRONMENT"

    /// Replaces this process by itself with more variables, unless that has happened or nothing is missing.
    static func runOnce() {
        guard getenv(marker) == nil else { return }
        let missing = ComputeEnvironment.missingVariables()
        setenv(marker, "set", 1)
        guard !missing.isEmpty else { return }
        for (name, value) in missing { setenv(name, value, 1) }
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        // Returns only if it fails; then the process goes on, slower but right.
        execv("/proc/self/exe", arguments)
        for argument in arguments { free(argument) }
    }
}
