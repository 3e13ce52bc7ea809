import TensorKit

/// Features `range` of the last dimension, copied: [..., C] -> [..., range.count].
public func features(_ range: Range<Int>, of x: Tensor, tape: Tape? = nil) -> Tensor {
    let y = Kernels.channels(range, of: x)
    if let tape, tape.tracks(x) {
        tape.record(y) { [unowned tape] gradient in
            let (width, part) = (x.shape[x.shape.count - 1], range.count)
            let whole = Tensor(zeros: x.shape)
            for row in 0..<x.count / max(1, width) {
                (whole.pointer + row * width + range.lowerBound).update(from: gradient.pointer + row * part, count: part)
            }
            tape.accumulate(whole, for: x)
        }
    }
    return y
}

/// Joins along the last dimension: [N, C1], [N, C2], … -> [N, C1 + C2 + …] (`torch.cat`).
/// - Parameters:
///   - parts: at least one, with equally many rows.
///   - tape: records the backward pass.
/// - Returns: all features of a row together.
public func joinFeatures(_ parts: [Tensor], tape: Tape? = nil) -> Tensor {
    let rows = parts.first?.shape.first ?? 0
    precondition(parts.allSatisfy { $0.shape.count == 2 && $0.shape[0] == rows }, "cannot join \(parts.map(\.shape))")
    let widths = parts.map { $0.shape[1] }
    let width = widths.reduce(0, +)
    let y = Tensor(uninitialized: [rows, width])
    var start = 0
    for (part, own) in zip(parts, widths) {
        for row in 0..<rows { (y.pointer + row * width + start).update(from: part.pointer + row * own, count: own) }
        start += own
    }
    if let tape, parts.contains(where: tape.tracks) {
        tape.record(y) { [unowned tape] gradient in
            var start = 0
            for (part, own) in zip(parts, widths) {
                tape.accumulate(Kernels.channels(start..<(start + own), of: gradient), for: part)
                start += own
            }
        }
    }
    return y
}
