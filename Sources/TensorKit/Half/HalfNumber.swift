/// The kinds of sixteen-bit numbers that products are made of.
enum HalfNumber: Int {
    /// IEEE 754 binary16: eleven bits of digits, up to 65504.
    case binary16 = 1
    /// bfloat16: eight bits of digits, float32's range.
    case brain = 2
}
