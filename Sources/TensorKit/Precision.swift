import COneDNN

/// How exactly a network computes.
public enum Precision: String, Sendable, CaseIterable {
    /// Float32 throughout; within the tolerances of the tests against diffusers.
    case f32
    /// Where the processor multiplies half-precision numbers fastest: large weights kept in half precision, products of such numbers, summed in
    /// half precision over at most `PanelProduct.step` of them and in float32 beyond. Where it multiplies bfloat16 numbers fastest: weights kept in
    /// bfloat16, products of bfloat16 numbers summed in float32. Attention and Winograd's filtering likewise. Norms and residual sums stay in
    /// float32. Where it has bfloat16 products but none that are fast: weights kept in bfloat16 and widened, products of float32 numbers.
    /// Elsewhere the same as `f32`.
    case fast

    /// Whether the processor has instructions for products of bfloat16 numbers (AVX512_BF16, AMX).
    public static let hasBrainFloat = ComputeEnvironment.hasInstructions(dnnl_cpu_isa_avx512_core_bf16)

    /// Whether the processor has instructions for half-precision numbers (IEEE 754 binary16) in vectors of 32 lanes (AVX512_FP16), and this program
    /// was compiled for it.
    public static let hasHalfProducts = w2w_has_half_products != 0

    /// Whether the processor multiplies pairs of bfloat16 numbers (AVX512_BF16), and this program was compiled for it.
    static let hasBrainProducts = w2w_has_brain_products != 0
    /// Whether this build holds sixteen floats in a register, and 32 of those, which our own products count on.
    public static let hasWideVectors = w2w_has_wide_vectors != 0

    /// What `fast` means on this machine, in words for people.
    public static var meaningOfFast: String {
        hasHalfProducts
            ? "weights in half precision, products in half precision or float32 by trial, Winograd"
            : hasBrainFloat
                ? "weights in bfloat16, products in bfloat16 or float32 by trial, Winograd"
                : "float32 with Winograd (w2w has neither bfloat16 nor half-precision products for this processor)"
    }
}
