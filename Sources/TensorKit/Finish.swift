extension Kernels {
    /// What follows a product that could not do it itself, in place: activation(y + channelVector + residual).
    /// - Parameters:
    ///   - y: [N, ..., C]
    ///   - residual: the shape of `y`.
    ///   - channelVector: [N, C]
    ///   - activation: applied last.
    static func finish(_ y: Tensor, adding residual: Tensor?, addingPerSample channelVector: Tensor?, activation: Activation) {
        if residual == nil && channelVector == nil && activation == .identity { return }
        Profile.measure("finish", "\(y.shape)") { finishing(y, residual, channelVector, activation) }
    }

    private static func finishing(_ y: Tensor, _ residual: Tensor?, _ channelVector: Tensor?, _ activation: Activation) {
        if let channelVector {
            let (samples, channels) = (y.shape[0], y.shape[y.shape.count - 1])
            let positions = y.count / max(1, samples * channels)
            for n in 0..<samples {
                let vector = channelVector.pointer + n * channels
                let image = y.pointer + n * positions * channels
                Parallel.ranges(positions, grain: max(1, (1 << 15) / channels)) { range in
                    for position in range {
                        let row = image + position * channels
                        for c in 0..<channels { row[c] += vector[c] }
                    }
                }
            }
        }
        if let residual { accumulate(residual, into: y) }
        if activation != .identity { apply(activation, y, into: y) }
    }
}
