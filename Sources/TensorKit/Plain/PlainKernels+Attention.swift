import Foundation

extension PlainKernels {
    /// Softmax over the last dimension.
    public static func softmax(_ x: Tensor) -> Tensor {
        let width = x.shape[x.shape.count - 1]
        let y = Tensor(uninitialized: x.shape)
        for row in 0..<x.count / max(1, width) {
            let (source, target) = (x.pointer + row * width, y.pointer + row * width)
            let top = (0..<width).map { source[$0] }.max() ?? 0
            let powers = (0..<width).map { exp(Double(source[$0] - top)) }
            let sum = powers.reduce(0, +)
            for i in 0..<width { target[i] = Float(powers[i] / sum) }
        }
        return y
    }

    /// The weights [N, heads, T, S] of `attention`.
    static func attentionWeights(query: Tensor, key: Tensor, heads: Int, causal: Bool) -> Tensor {
        let (n, t, s, width) = (query.shape[0], query.shape[1], key.shape[1], query.shape[2])
        let d = width / heads
        let scale = 1 / Double(d).squareRoot()
        let scores = Tensor(uninitialized: [n, heads, t, s])
        for b in 0..<n {
            for h in 0..<heads {
                for i in 0..<t {
                    for j in 0..<s {
                        let (q, k) = (query.pointer + (b * t + i) * width + h * d, key.pointer + (b * s + j) * width + h * d)
                        var dot = 0.0
                        for c in 0..<d { dot += Double(q[c]) * Double(k[c]) }
                        scores.pointer[((b * heads + h) * t + i) * s + j] = causal && j > i ? -.infinity : Float(dot * scale)
                    }
                }
            }
        }
        return softmax(scores)
    }

    /// softmax(q kᵀ / sqrt(d)) v for every head (`torch.nn.functional.scaled_dot_product_attention`).
    /// - Parameters:
    ///   - query: [N, T, heads * d]
    ///   - key: [N, S, heads * d]
    ///   - value: [N, S, heads * d]
    ///   - heads: number of heads; the features of a head lie together.
    ///   - causal: position i sees positions up to i only.
    /// - Returns: [N, T, heads * d]
    public static func attention(query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool) -> Tensor {
        let (n, t, s, width) = (query.shape[0], query.shape[1], key.shape[1], query.shape[2])
        let d = width / heads
        let weights = attentionWeights(query: query, key: key, heads: heads, causal: causal)
        let result = Tensor(uninitialized: query.shape)
        for b in 0..<n {
            for h in 0..<heads {
                for i in 0..<t {
                    let row = weights.pointer + ((b * heads + h) * t + i) * s
                    for c in 0..<d {
                        var sum = 0.0
                        for j in 0..<s { sum += Double(row[j]) * Double(value.pointer[(b * s + j) * width + h * d + c]) }
                        result.pointer[(b * t + i) * width + h * d + c] = Float(sum)
                    }
                }
            }
        }
        return result
    }

    /// Gradients of query, key and value of `attention`.
    public static func attentionGradient(
        _ gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool
    ) -> (query: Tensor, key: Tensor, value: Tensor) {
        let (n, t, s, width) = (query.shape[0], query.shape[1], key.shape[1], query.shape[2])
        let d = width / heads
        let scale = 1 / Float(d).squareRoot()
        let weights = attentionWeights(query: query, key: key, heads: heads, causal: causal)
        let (dq, dk, dv) = (Tensor(zeros: query.shape), Tensor(zeros: key.shape), Tensor(zeros: value.shape))
        for b in 0..<n {
            for h in 0..<heads {
                for i in 0..<t {
                    let row = weights.pointer + ((b * heads + h) * t + i) * s
                    let at = (b * t + i) * width + h * d
                    var weightGradients = [Double](repeating: 0, count: s)
                    for j in 0..<s {
                        let from = (b * s + j) * width + h * d
                        for c in 0..<d {
                            weightGradients[j] += Double(gradient.pointer[at + c]) * Double(value.pointer[from + c])
                            dv.pointer[from + c] += row[j] * gradient.pointer[at + c]
                        }
                    }
                    let average = (0..<s).reduce(0.0) { $0 + Double(row[$1]) * weightGradients[$1] }
                    for j in 0..<s {
                        let from = (b * s + j) * width + h * d
                        let g = Float(Double(row[j]) * (weightGradients[j] - average)) * scale
                        for c in 0..<d {
                            dq.pointer[at + c] += g * key.pointer[from + c]
                            dk.pointer[from + c] += g * query.pointer[at + c]
                        }
                    }
                }
            }
        }
        return (dq, dk, dv)
    }
}
