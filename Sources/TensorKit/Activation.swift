/// An elementwise function behind a layer.
public enum Activation: Equatable, Sendable {
    case identity
    /// max(x, 0)
    case relu
    /// x for x > 0, slope * x otherwise (`torch.nn.LeakyReLU`).
    case leakyReLU(slope: Float)
    case tanh
    /// 1 / (1 + exp(-x))
    case sigmoid
    /// x * sigmoid(x) (`torch.nn.SiLU`)
    case silu
    /// x * Φ(x) with the exact error function (`torch.nn.GELU(approximate="none")`)
    case gelu
    /// x * sigmoid(1.702 x) (`transformers` "quick_gelu")
    case quickGELU
}
