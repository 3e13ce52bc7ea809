/// How the weight of the KL term changes over a run, as a share of its level beta.
public enum KLSchedule: String, Sendable, CaseIterable {
    /// The published run's shape in fractions of the run: 0 for 5/12, then a ramp from 0.2 to 1 up to 9/12, then 1. Reconstruction comes
    /// first, so that the codes carry something before the KL term squeezes them.
    case annealed
    /// Four times a ramp from 0 to 1 over half a cycle, then 1 (Fu et al. 2019).
    case cyclical
    /// 1 from the beginning.
    case constant

    /// The share of beta at a step.
    /// - Parameters:
    ///   - step: from 0.
    ///   - total: steps of the whole run.
    /// - Returns: 0...1
    public func share(at step: Int, of total: Int) -> Float {
        let position = Double(step) / Double(max(1, total))
        switch self {
        case .constant: return 1
        case .annealed:
            if position < 5.0 / 12 { return 0 }
            return Float(min(1, 0.2 + 0.8 * (position - 5.0 / 12) / (4.0 / 12)))
        case .cyclical:
            let within = (position * 4).truncatingRemainder(dividingBy: 1)
            return Float(min(1, within / 0.5))
        }
    }
}
