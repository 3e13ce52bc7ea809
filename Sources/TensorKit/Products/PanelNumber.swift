/// The kinds of numbers that our own products (`PanelProduct`, `Winograd`) are made of.
enum PanelNumber: Int {
    /// IEEE 754 binary16: eleven bits of digits, up to 65504.
    case binary16 = 1
    /// bfloat16: eight bits of digits, float32's range.
    case bfloat16 = 2
    case float32 = 3

    var bytes: Int { self == .float32 ? 4 : 2 }
}
