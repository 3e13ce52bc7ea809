import Foundation
import TensorKit

/// Every row scaled to length 1 (`torch.nn.functional.normalize`).
/// - Parameters:
///   - x: [N, d]
///   - tape: records the backward pass.
/// - Returns: [N, d]
public func normalizeRows(_ x: Tensor, tape: Tape? = nil) -> Tensor {
    let (rows, width) = (x.shape[0], x.shape[1])
    let y = Tensor(uninitialized: x.shape)
    var lengths = [Float](repeating: 0, count: rows)
    for row in 0..<rows {
        let (from, to) = (x.pointer + row * width, y.pointer + row * width)
        var sum = 0.0
        for i in 0..<width { sum += Double(from[i]) * Double(from[i]) }
        lengths[row] = max(Float(sum.squareRoot()), 1e-12)
        for i in 0..<width { to[i] = from[i] / lengths[row] }
    }
    if let tape, tape.tracks(x) {
        tape.record(y) { [unowned tape] gradient in
            // d(x/|x|) = (g - y (y·g)) / |x|
            let back = Tensor(uninitialized: x.shape)
            for row in 0..<rows {
                let (g, unit, to) = (gradient.pointer + row * width, y.pointer + row * width, back.pointer + row * width)
                var dot = 0.0
                for i in 0..<width { dot += Double(g[i]) * Double(unit[i]) }
                for i in 0..<width { to[i] = (g[i] - unit[i] * Float(dot)) / lengths[row] }
            }
            tape.accumulate(back, for: x)
        }
    }
    return y
}

/// The cross entropy of the right class, averaged over the rows, as a tensor [1] (`torch.nn.functional.cross_entropy`).
/// - Parameters:
///   - logits: [N, classes]
///   - classes: the right class of each row.
///   - smoothing: share of the answer that is spread over all classes (`label_smoothing`).
///   - tape: records the backward pass.
/// - Returns: [1]
public func crossEntropy(logits: Tensor, classes: [Int], smoothing: Float = 0, tape: Tape? = nil) -> Tensor {
    let (rows, width) = (logits.shape[0], logits.shape[1])
    precondition(classes.count == rows && classes.allSatisfy { (0..<width).contains($0) }, "a class for each of \(rows) rows")
    let shares = Tensor(uninitialized: logits.shape)
    let (even, own) = (Double(smoothing) / Double(width), Double(1 - smoothing))
    var sum = 0.0
    for row in 0..<rows {
        let (from, to) = (logits.pointer + row * width, shares.pointer + row * width)
        let top = (0..<width).reduce(-Float.infinity) { max($0, from[$1]) }
        var total = 0.0
        for i in 0..<width {
            to[i] = exp(from[i] - top)
            total += Double(to[i])
        }
        let logTotal = log(total) + Double(top)
        for i in 0..<width {
            to[i] /= Float(total)
            if even > 0 { sum += even * (logTotal - Double(from[i])) }
        }
        sum += own * (logTotal - Double(from[classes[row]]))
    }
    let loss = Tensor([1], [Float(sum / Double(max(1, rows)))])
    if let tape, tape.tracks(logits) {
        tape.record(loss) { [unowned tape] gradient in
            let factor = gradient.pointer[0] / Float(max(1, rows))
            let back = Tensor(uninitialized: logits.shape)
            for row in 0..<rows {
                for i in 0..<width {
                    let target = Float(even) + (i == classes[row] ? Float(own) : 0)
                    back.pointer[row * width + i] = factor * (shares.pointer[row * width + i] - target)
                }
            }
            tape.accumulate(back, for: logits)
        }
    }
    return loss
}

/// Cosines of rows with classes, made harder and scaled to logits (CosFace, Wang et al. 2018, with a margin for look-alikes besides).
///
/// logit = scale * (cosine - margin) for the right class, scale * (cosine + likenessMargin) for classes that look alike, scale * cosine for
/// the others: a row must come nearer to its own class by the margin, and by more where it would be easily mistaken.
/// - Parameters:
///   - cosines: [N, classes]
///   - classes: the right class of each row.
///   - margin: of the right class.
///   - likenessMargin: of classes in the same group as the right one.
///   - groups: of each class, or empty when none look alike.
///   - factor: the scale.
///   - tape: records the backward pass.
/// - Returns: [N, classes]
public func marginLogits(
    cosines: Tensor, classes: [Int], margin: Float, likenessMargin: Float = 0, groups: [Int] = [], scale factor: Float,
    tape: Tape? = nil
) -> Tensor {
    let (rows, width) = (cosines.shape[0], cosines.shape[1])
    precondition(classes.count == rows && (groups.isEmpty || groups.count == width), "a class for each of \(rows) rows")
    let y = Tensor(uninitialized: cosines.shape)
    for row in 0..<rows {
        let (from, to, own) = (cosines.pointer + row * width, y.pointer + row * width, classes[row])
        for i in 0..<width {
            let isAlike = i != own && !groups.isEmpty && groups[i] == groups[own]
            to[i] = factor * (from[i] - (i == own ? margin : 0) + (isAlike ? likenessMargin : 0))
        }
    }
    if let tape, tape.tracks(cosines) {
        tape.record(y) { [unowned tape] in tape.accumulate(Kernels.scale($0, by: factor), for: cosines) }
    }
    return y
}

/// The products of all rows of one matrix with all rows of another, x yᵀ.
/// - Parameters:
///   - x: [N, d]
///   - y: [M, d]
///   - tape: records the backward pass.
/// - Returns: [N, M]
public func rowProducts(_ x: Tensor, _ y: Tensor, tape: Tape? = nil) -> Tensor {
    let products = Kernels.product(x, y, transposeB: true)
    if let tape, tape.tracks(x) || tape.tracks(y) {
        tape.record(products) { [unowned tape] gradient in
            if tape.tracks(x) { tape.accumulate(Kernels.product(gradient, y), for: x) }
            if tape.tracks(y) { tape.accumulate(Kernels.product(gradient, x, transposeA: true), for: y) }
        }
    }
    return products
}
