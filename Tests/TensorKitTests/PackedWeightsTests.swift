import COneDNN
import Testing

@testable import TensorKit

/// Which layouts of a large weight stay.
@Suite struct PackedWeightsTests {
    private let weight = WeightSource(Tensor(zeros: [1024, 1024]), version: 0)
    private let plain = DNN.descriptor([1024, 1024], dnnl_ba)
    private let layouts = [PanelNumber.binary16, .bfloat16, .float32].compactMap {
        WeightPanels($0, outputs: 1024, channels: 1024)
    }

    private func use(_ packed: PackedWeights, _ panels: WeightPanels) {
        packed.withPointer(weight, plain: plain, as: panels.descriptor) { _ in }
    }

    private func bytes(_ layouts: [WeightPanels]) -> Int { layouts.reduce(0) { $0 + ($1.bytes + 3) / 4 * 4 } }

    @Test func twoLayoutsStay() {
        let packed = PackedWeights()
        for panels in layouts { use(packed, panels) }
        #expect(packed.bytes == bytes(Array(layouts.suffix(2))))
    }

    /// Else each run of a trial of three ways would lay the weight out anew, and what was measured would be that.
    @Test func aTrialKeepsAllUntilOneIsChosen() {
        let packed = PackedWeights()
        packed.trying {
            for panels in layouts { use(packed, panels) }
            #expect(packed.bytes == bytes(layouts))
            return layouts[1].descriptor
        }
        #expect(packed.bytes == bytes([layouts[1]]))
    }

    @Test func whatWasThereBeforeATrialStays() {
        let packed = PackedWeights()
        use(packed, layouts[0])
        packed.trying {
            use(packed, layouts[1])
            use(packed, layouts[2])
            return layouts[2].descriptor
        }
        #expect(packed.bytes == bytes([layouts[0], layouts[2]]))
    }
}
