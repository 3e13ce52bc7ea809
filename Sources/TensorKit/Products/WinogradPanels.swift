import COneDNN

/// Weights of 3x3 convolutions as `Winograd` multiplies with them: G w Gᵀ, 36 or sixteen numbers for each nine, each place a matrix of its own.
struct WinogradPanels: Equatable {
    /// The matrices as positions of a kernel.
    let panels: WeightPanels
    let turns: WinogradTurns
    private let outputs, channels: Int

    /// nil where the outputs do not fill panels or the channels no vectors.
    init?(_ number: PanelNumber, outputs: Int, channels: Int, turns: WinogradTurns) {
        guard channels % 16 == 0,
            let panels = WeightPanels(number, outputs: outputs, channels: channels, height: turns.side, columns: turns.side)
        else { return nil }
        (self.panels, self.turns, self.outputs, self.channels) = (panels, turns, outputs, channels)
    }

    /// How these panels are named among oneDNN's layouts.
    var descriptor: DNN.Descriptor {
        DNN.descriptor([outputs, channels, turns.results, panels.number.rawValue], dnnl_abcd, dnnl_f16)
    }

    /// nil for other layouts.
    init?(_ descriptor: DNN.Descriptor) {
        let d = descriptor.dims
        guard descriptor.data_type == dnnl_f16, descriptor.ndims == 4, let turns = WinogradTurns(rawValue: Int(d.2)),
            let number = PanelNumber(rawValue: Int(d.3))
        else { return nil }
        self.init(number, outputs: Int(d.0), channels: Int(d.1), turns: turns)
    }

    /// Of the panels and their factors.
    var bytes: Int { panels.bytes }

    /// Fills all panels, on all threads.
    /// - Parameters:
    ///   - target: `bytes` bytes.
    ///   - read: gives elements of the weight [out, in, 3, 3] by their numbers; called from several threads at once.
    func fill(
        _ target: UnsafeMutableRawPointer, read: @escaping (_ range: Range<Int>, _ into: UnsafeMutablePointer<Float>) -> Void
    ) {
        let count = outputs / WeightPanels.width
        // Rows are padded apart, or all would fall on the same lines of the cache.
        let chunk = min(channels, 64)
        let stride = 9 * chunk + 16
        let parts = min(count, Parallel.threads)
        let scratch = Tensor(uninitialized: [parts, WeightPanels.width * stride + WinogradTurns.scratch])
        Parallel.run(parts) { part in
            let rows = scratch.pointer + part * (WeightPanels.width * stride + WinogradTurns.scratch)
            let turned = rows + WeightPanels.width * stride
            for panel in count * part / parts..<count * (part + 1) / parts {
                /// Calls `body` with each channel, the first of sixteen outputs and where their numbers lie.
                func eachSixteen(_ body: (_ channel: Int, _ output: Int) -> Void) {
                    for first in Swift.stride(from: 0, to: channels, by: chunk) {
                        let inputs = min(chunk, channels - first)
                        for row in 0..<WeightPanels.width {
                            let start = ((panel * WeightPanels.width + row) * channels + first) * 9
                            read(start..<start + inputs * 9, rows + row * stride)
                        }
                        for channel in 0..<inputs {
                            for output in Swift.stride(from: 0, to: WeightPanels.width, by: 16) {
                                turns.turnWeights(rows + output * stride + channel * 9, stride, into: turned)
                                body(first + channel, output)
                            }
                        }
                    }
                }
                let to = panels.panel(panel, in: target)
                var scale: Float = 1
                switch panels.number {
                case .binary16:
                    var tops = Lanes.zero
                    eachSixteen { _, _ in
                        for place in 0..<turns.places {
                            let numbers = turned.lanes(place * 16)
                            tops = VectorMath.maximum(tops, numbers.replacing(with: -numbers, where: numbers .< 0))
                        }
                    }
                    scale = HalfMath.scale(largest: VectorMath.maximum(of: tops), below: 2)
                    eachSixteen { channel, output in
                        for place in 0..<turns.places {
                            let half = HalfMath.narrow(turned.lanes(place * 16) * scale)
                            (to + 2 * ((place * channels + channel) * WeightPanels.width + output))
                                .storeBytes(of: half, as: SIMD16<Float16>.self)
                        }
                    }
                case .float32:
                    eachSixteen { channel, output in
                        for place in 0..<turns.places {
                            (to + 4 * ((place * channels + channel) * WeightPanels.width + output))
                                .storeBytes(of: turned.lanes(place * 16), as: Lanes.self)
                        }
                    }
                case .bfloat16:
                    eachSixteen { channel, output in
                        for place in 0..<turns.places {
                            let at = to + 4 * ((place * channels + channel) / 2 * WeightPanels.width + output)
                            let words = BrainMath.words(turned.lanes(place * 16))
                            // The even channel's numbers are there already.
                            at.storeBytes(
                                of: channel % 2 == 0 ? words : at.loadUnaligned(as: Words.self) | words &<< 16,
                                as: Words.self)
                        }
                    }
                }
                panels.setFactor(panel, 1 / scale, in: target)
            }
        }
        withExtendedLifetime(scratch) {}
    }
}
