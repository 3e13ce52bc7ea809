import TensorKit

/// What the evaluations of a run leave out: for drafts, whose picture is drawn again in full.
///
/// What each of them loses against full runs is measured by `w2w bench shortcuts` and stands in `.readme/drawing.md`.
public struct StepShortcuts: Hashable, Sendable {
    /// Evaluations, counted from 0, that compute the whole U-Net; the others reuse the last whole one's deep features (DeepCache,
    /// 2312.00858). nil is all of them. The first is always whole.
    public var whole: Set<Int>?
    /// How many layers of the last up block follow the latents in the other evaluations, at least 1.
    public var layers: Int
    /// Evaluations, counted from 0, that ask the negative prompt too; the others add what guidance added last. nil is all of them. The first
    /// one with guidance always asks.
    public var guided: Set<Int>?

    public init(whole: Set<Int>? = nil, layers: Int = 1, guided: Set<Int>? = nil) {
        self.whole = whole
        self.layers = layers
        self.guided = guided
    }
}

/// What the evaluations of a run take over from the ones before.
struct StepMemory {
    var deep: DeepFeatures?
    /// (guidance - 1) * (conditional - unconditional), [N, H, W, C].
    var push: Tensor?
}
