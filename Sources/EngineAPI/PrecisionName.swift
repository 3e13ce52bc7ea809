/// How exactly large models compute; raw values are the names of the command line. Small models, such as the built-in space's, know no difference.
public enum PrecisionName: String, Sendable, Hashable, Codable, CaseIterable {
    /// Float32: what diffusers draws.
    case f32
    /// Weights in half the memory, and bfloat16 products where the processor has them and is faster with them.
    case fast
}
