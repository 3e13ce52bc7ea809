/// Traps with a sentence when a caller broke a shape or range rule. The kernels are compiled with `-Ounchecked`, where `precondition` is an
/// assumption instead of a check; this one always looks.
@inline(__always)
func require(_ condition: @autoclosure () -> Bool, _ message: @autoclosure () -> String) {
    if !condition() { brokenRule(message()) }
}

@inline(never)
private func brokenRule(_ message: String) -> Never {
    fatalError("TensorKit: " + message)
}
