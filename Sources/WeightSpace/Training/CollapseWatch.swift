import Foundation
import TensorKit

/// What beta means for the data at hand, known before a run starts.
public struct BetaProposal: Sendable, Equatable {
    /// Weight of the KL term, both terms averaged over their elements.
    public let beta: Double
    /// s² = n beta / (2 latentDim): the variance of a number that the decoder takes for noise, times n, in the spectrum's units.
    public let decoderVariance: Double
    /// Eigenvalues of the scaled training vectors above s²: so many axes should stay active.
    public let expectedActiveAxes: Int
    /// Above the first some axis dies, above the second all do.
    public let firstAxisDies, allAxesDie: Double
    private let latentDim: Int

    /// By the theory of the linear VAE (Lucas et al. 2019): an axis is worth its KL as long as the variance that it explains, an eigenvalue of
    /// the data, is above the variance that the decoder takes for noise.
    /// - Parameters:
    ///   - wanted: a level, or a share of the smallest eigenvalue that an axis is wanted for.
    ///   - spectrum: of the scaled training vectors.
    ///   - length: n
    ///   - latentDim: numbers in a code.
    init(_ wanted: TrainingPlan.Beta, spectrum: Spectrum, length: Int, latentDim: Int) {
        let perVariance = 2 * Double(latentDim) / Double(length)
        let count = max(1, min(latentDim, spectrum.components.shape[0]))
        let smallest = spectrum.eigenvalues[count - 1]
        switch wanted {
        case .level(let level): beta = level
        case .automatic(let share): beta = share * smallest * perVariance
        }
        decoderVariance = beta / perVariance
        let variance = decoderVariance
        expectedActiveAxes = min(count, spectrum.eigenvalues.prefix { $0 > variance }.count)
        firstAxisDies = smallest * perVariance
        allAxesDie = (spectrum.eigenvalues.first ?? 0) * perVariance
        self.latentDim = latentDim
    }

    /// The reasons in two sentences.
    public var explanation: String {
        let number = { (value: Double) in String(format: "%.3g", value) }
        return """
            beta \(number(beta)): the decoder takes a variance of \(number(decoderVariance)) for noise, and an axis stays active while it explains \
            more, so \(expectedActiveAxes) of \(latentDim) axes should.
            From beta \(number(firstAxisDies)) on axes die, above \(number(allAxesDie)) the whole code collapses.
            """
    }
}

/// Watches whether the codes of a run still say something, and names it in words.
public enum CollapseWatch: Equatable, Sendable {
    /// As many axes are active as the spectrum promises, or nearly.
    case healthy(active: Int, of: Int)
    /// The KL term has not set in yet.
    case freed(active: Int, of: Int)
    /// Fewer axes than expected.
    case thinning(active: Int, expected: Int)
    /// Nearly all codes are alike.
    case collapsed(active: Int, expected: Int)
    /// The loss is no number any more.
    case diverged

    /// - Parameters:
    ///   - active: axes along which the posterior means vary by more than 0.01.
    ///   - latentDim: all axes.
    ///   - proposal: what was expected before the run.
    ///   - beta: the weight of the KL term now.
    ///   - loss: of the last step.
    init(active: Int, latentDim: Int, proposal: BetaProposal, beta: Double, loss: Float) {
        let expected = proposal.expectedActiveAxes
        if !loss.isFinite {
            self = .diverged
        } else if beta == 0 {
            self = .freed(active: active, of: latentDim)
        } else if Double(active) < max(1, 0.1 * Double(expected)) {
            self = .collapsed(active: active, expected: expected)
        } else if Double(active) < 0.8 * Double(expected) {
            self = .thinning(active: active, expected: expected)
        } else {
            self = .healthy(active: active, of: latentDim)
        }
    }

    /// The state without its figures, to tell when it changes.
    public var kind: String {
        switch self {
        case .healthy: "healthy"
        case .freed: "free of the KL term"
        case .thinning: "thinning"
        case .collapsed: "collapsed"
        case .diverged: "diverged"
        }
    }

    /// What is seen and, where something is wrong, what to do.
    public var words: String {
        switch self {
        case .healthy(let active, let count): "healthy: \(active) of \(count) axes active"
        case .freed(let active, let count):
            "reconstruction alone: \(active) of \(count) axes active, the KL term has not set in yet"
        case .thinning(let active, let expected):
            "thinning: \(active) axes active where the spectrum promises \(expected); the code is not filled yet, or beta is too high for it. "
                + "If it stays so: a lower --beta, --schedule cyclical or --free-bits 0.1"
        case .collapsed(let active, let expected):
            "collapsed: \(active) axes active where the spectrum promises \(expected); the codes of all people are nearly alike. "
                + "Lower --beta, or use --schedule annealed or cyclical, or --free-bits 0.1"
        case .diverged:
            "the run diverged: its loss is not finite; start anew with a lower --learning-rate"
        }
    }
}
