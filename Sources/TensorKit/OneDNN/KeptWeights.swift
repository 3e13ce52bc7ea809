import COneDNN

/// How a plan's weight is kept, and how it comes to the primitive: as it is kept, or widened from bfloat16 for each call.
struct KeptWeights {
    /// The layout in which `PackedWeights` keeps it.
    let layout: DNN.Descriptor
    /// The layout that the primitive takes.
    private let taken: DNN.Descriptor
    private let widening: PanelWidening?

    var isWidened: Bool { widening != nil }

    /// Kept as the primitive takes it.
    init(_ layout: DNN.Descriptor) { (self.layout, taken, widening) = (layout, layout, nil) }

    /// Kept in bfloat16 and widened; nil when the two layouts do not lie in the same order.
    init?(widening half: DNN.Descriptor, to full: DNN.Descriptor) {
        guard let widening = PanelWidening(from: half, to: full) else { return nil }
        (layout, taken, self.widening) = (half, full, widening)
    }

    /// Calls `body` with the weight as the primitive takes it.
    func withPointer(
        _ packed: PackedWeights, _ weight: WeightSource, plain: DNN.Descriptor, _ body: (UnsafeMutableRawPointer) -> Void
    ) {
        packed.withPointer(weight, plain: plain, as: layout) { stored in
            guard let widening else { return body(stored) }
            let full = DNN.tensor(for: taken)
            widening.run(stored, into: full.pointer)
            withExtendedLifetime(full) { body(UnsafeMutableRawPointer(full.pointer)) }
        }
    }
}
