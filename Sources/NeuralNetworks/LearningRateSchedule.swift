import Foundation

/// How the learning rate changes over a run.
public enum LearningRateSchedule: Codable, Equatable, Sendable {
    case constant
    /// Linear rise from 0 over `warmup` steps, then linear fall to `final` (a fraction of the base rate) at step `total`.
    case linear(warmup: Int, total: Int, final: Float)
    /// Linear rise from 0 over `warmup` steps, then half a cosine down to `final` (a fraction of the base rate) at step `total`.
    case cosine(warmup: Int, total: Int, final: Float)

    /// The factor of the base learning rate at a step, counted from 0.
    public func factor(at step: Int) -> Float {
        switch self {
        case .constant: return 1
        case .linear(let warmup, let total, let final):
            return Self.rise(step, warmup) ?? 1 - (1 - final) * Self.progress(step, warmup, total)
        case .cosine(let warmup, let total, let final):
            return Self.rise(step, warmup)
                ?? final + (1 - final) * 0.5 * (1 + cos(.pi * Self.progress(step, warmup, total)))
        }
    }

    private static func rise(_ step: Int, _ warmup: Int) -> Float? {
        step < warmup ? Float(step + 1) / Float(warmup + 1) : nil
    }

    private static func progress(_ step: Int, _ warmup: Int, _ total: Int) -> Float {
        min(1, Float(step - warmup) / Float(max(1, total - warmup)))
    }
}
