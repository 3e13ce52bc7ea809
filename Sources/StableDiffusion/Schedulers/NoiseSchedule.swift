import Checkpoints
import Foundation

/// What the model's output means.
public enum PredictionType: String, Sendable, CaseIterable {
    /// The noise in the sample.
    case epsilon
    /// The clean sample.
    case sample
    /// v = sqrt(alpha) noise - sqrt(1 - alpha) sample (Salimans and Ho, 2202.00512).
    case vPrediction = "v_prediction"
}

/// How the time steps of a run are spread over those of the training (table 2 of 2305.08891).
public enum TimestepSpacing: String, Sendable, CaseIterable {
    case linspace
    case leading
    case trailing

    /// Time steps as DDIM, PNDM and Euler's method spread them, the noisiest first.
    /// - Parameters:
    ///   - train: number of the training's time steps.
    ///   - count: number of the run's.
    ///   - offset: `steps_offset`, which counts for `leading` alone.
    ///   - rounds: whether `linspace` is rounded to whole time steps, ties to even.
    /// - Returns: `count` of them; `trailing` may give one more where the division does not come out even.
    func timesteps(train: Int, count: Int, offset: Int, rounds: Bool) -> [Float] {
        switch self {
        case .linspace:
            let steps = StableDiffusion.linspace(0, Double(train - 1), count).reversed()
            return steps.map { Float(rounds ? $0.rounded(.toNearestOrEven) : $0) }
        case .leading:
            let stride = train / count
            return (0..<count).reversed().map { Float($0 * stride + offset) }
        case .trailing:
            return descend(from: Double(train), step: Double(train) / Double(count))
                .map { Float($0.rounded(.toNearestOrEven) - 1) }
        }
    }
}

/// The variances that a model was trained with: the part that all schedulers of diffusers share.
public struct NoiseSchedule: Sendable {
    /// The cumulated products of 1 - beta, one for each training time step.
    public let alphasCumprod: [Float]
    public let predictionType: PredictionType
    /// `beta_schedule` is "squaredcos_cap_v2", for which time steps are not rounded.
    let isCosine: Bool

    /// Number of time steps of the training.
    public var trainTimesteps: Int { alphasCumprod.count }

    /// What a class of diffusers takes where `scheduler_config.json` does not say.
    struct Defaults {
        var betaStart = 0.0001
        var betaEnd = 0.02
        var betaSchedule = "linear"
        /// The class honours `rescale_betas_zero_snr`.
        var rescales = true
    }

    /// Reads `num_train_timesteps`, `beta_start`, `beta_end`, `beta_schedule`, `trained_betas`, `rescale_betas_zero_snr` and
    /// `prediction_type` of a `scheduler_config.json`, with the defaults that most schedulers of diffusers share.
    /// - Throws: `CheckpointError` that names the key at fault.
    public init(_ file: JSONConfiguration) throws {
        try self.init(file, defaults: Defaults())
    }

    /// As above, with the defaults of one class.
    init(_ file: JSONConfiguration, defaults: Defaults) throws {
        let count = try file.count("num_train_timesteps", default: 1000, limit: 100_000)
        let start: Double = try file.value("beta_start", default: defaults.betaStart)
        let end: Double = try file.value("beta_end", default: defaults.betaEnd)
        let kind = try file.value("beta_schedule", default: defaults.betaSchedule)
        var betas: [Float]
        if let trained: [Float] = try file.optional("trained_betas") {
            betas = trained
        } else {
            switch kind {
            case "linear": betas = Self.linspace(Float(start), Float(end), count)
            case "scaled_linear":
                betas = Self.linspace(Float(start.squareRoot()), Float(end.squareRoot()), count).map { $0 * $0 }
            case "squaredcos_cap_v2": betas = Self.cosine(count)
            default: throw file.wrong("beta_schedule", expected: "linear, scaled_linear or squaredcos_cap_v2")
            }
        }
        guard betas.count > 1, betas.allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
            throw file.wrong("trained_betas", expected: "at least two variances between 0 and 1 (or set beta_start and beta_end)")
        }
        if try defaults.rescales && file.value("rescale_betas_zero_snr", default: false) {
            betas = Self.rescaledToZeroTerminalSNR(betas)
        }
        alphasCumprod = Self.cumulativeProduct(betas.map { 1 - $0 })
        predictionType = try file.choice("prediction_type", default: .epsilon)
        isCosine = kind == "squaredcos_cap_v2"
    }

    /// `torch.linspace` in float32: from both ends to the middle.
    private static func linspace(_ start: Float, _ end: Float, _ count: Int) -> [Float] {
        guard count > 1 else { return [start] }
        let step = (end - start) / Float(count - 1)
        return (0..<count).map { index in
            let isNearStart = index < count / 2
            return isNearStart ? start + step * Float(index) : end - step * Float(count - 1 - index)
        }
    }

    /// The schedule of 2102.09672: alpha_bar(t) = cos²((t + 0.008) / 1.008 · π / 2), betas at most 0.999.
    private static func cosine(_ count: Int) -> [Float] {
        func alphaBar(_ t: Double) -> Double {
            let value = cos((t + 0.008) / 1.008 * .pi / 2)
            return value * value
        }
        return (0..<count).map { index in
            let (t1, t2) = (Double(index) / Double(count), Double(index + 1) / Double(count))
            return Float(min(1 - alphaBar(t2) / alphaBar(t1), 0.999))
        }
    }

    /// `torch.cumprod` of float32 on a CPU, which accumulates in float64.
    private static func cumulativeProduct(_ values: [Float]) -> [Float] {
        var product = 1.0
        return values.map { value in
            product *= Double(value)
            return Float(product)
        }
    }

    /// Algorithm 1 of 2305.08891: shifts and scales so that the last time step is pure noise.
    private static func rescaledToZeroTerminalSNR(_ betas: [Float]) -> [Float] {
        let roots = cumulativeProduct(betas.map { 1 - $0 }).map { $0.squareRoot() }
        guard let first = roots.first, let last = roots.last, first > last else { return betas }
        let alphaBars = roots.map { root in
            let rescaled = (root - last) * (first / (first - last))
            return rescaled * rescaled
        }
        let alphas = [alphaBars[0]] + zip(alphaBars.dropFirst(), alphaBars).map { $0 / $1 }
        return alphas.map { 1 - $0 }
    }
}

extension NoiseSchedule {
    /// Noise levels sigma = sqrt((1 - α) / α) of all training time steps, for samplers that count in them.
    /// - Parameter isRescaled: `rescale_betas_zero_snr`: the last step, pure noise, would have an infinite level without a floor.
    /// - Returns: one for each time step of the training, rising.
    func sigmas(isRescaled: Bool) -> [Float] {
        var alphas = alphasCumprod.map(Double.init)
        if isRescaled { alphas[alphas.count - 1] = 0x1p-24 }
        return alphas.map { Float(((1 - $0) / $0).squareRoot()) }
    }

    /// Noise level of a whole time step; infinite for pure noise.
    func sigma(at timestep: Float) -> Double {
        let alpha = Double(alphasCumprod[Int(timestep)])
        return ((1 - alpha) / alpha).squareRoot()
    }

    /// The (fractional) training time step of a noise level, linear in its logarithm (`_sigma_to_t`).
    /// - Parameters:
    ///   - sigma: a noise level.
    ///   - logSigmas: logarithms of the levels of all training time steps.
    /// - Returns: from 0 to the last time step, levels outside clipped.
    static func timestep(of sigma: Double, logSigmas: [Double]) -> Double {
        let logSigma = log(max(sigma, 1e-10))
        let atOrBelow = logSigmas.count { $0 <= logSigma }
        let low = min(max(0, atOrBelow - 1), logSigmas.count - 2)
        let weight = (logSigmas[low] - logSigma) / (logSigmas[low] - logSigmas[low + 1])
        return Double(low) + min(max(weight, 0), 1)
    }

    /// Formula (5) of 2206.00364 with rho = 7, from the largest level down.
    static func karras(minimum: Double, maximum: Double, count: Int) -> [Double] {
        let (low, high) = (pow(minimum, 1 / 7), pow(maximum, 1 / 7))
        return StableDiffusion.linspace(0, 1, count).map { pow(high + $0 * (low - high), 7) }
    }

    /// Refuses a run that would start at pure noise with a model that predicts the noise: nothing could be said of the sample.
    /// - Throws: `CheckpointError` that names `prediction_type`.
    func requireSignal(at timesteps: [Float], _ file: JSONConfiguration) throws {
        guard predictionType != .vPrediction, timesteps.contains(where: { alphasCumprod[Int($0)] == 0 }) else { return }
        throw file.wrong("prediction_type", expected: "v_prediction, because rescale_betas_zero_snr starts at pure noise")
    }
}

extension JSONConfiguration {
    /// `steps_offset`, 0 where it is not said.
    /// - Throws: `CheckpointError` when it is larger than the training.
    func stepsOffset(train: Int) throws -> Int {
        let offset = try value("steps_offset", default: 0)
        guard (-train...train).contains(offset) else { throw wrong("steps_offset", expected: "at most \(train)") }
        return offset
    }

    /// Refuses a number of steps that no run can have.
    /// - Throws: `CheckpointError` when time steps lie outside the training's.
    func check(_ timesteps: [Float], train: Int) throws {
        guard timesteps.allSatisfy({ $0 >= 0 && $0 <= Float(train - 1) }) else {
            throw wrong("steps_offset", expected: "less, so that \(timesteps.count) steps stay below \(train)")
        }
    }

    /// One of the words of an enumeration.
    /// - Throws: `CheckpointError` that lists the words there are.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, default fallback: Choice
    ) throws -> Choice where Choice.RawValue == String {
        guard let word: String = try optional(key) else { return fallback }
        guard let choice = Choice(rawValue: word) else {
            throw wrong(key, expected: Choice.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return choice
    }

    /// Refuses a setting that would change the result and is not supported.
    /// - Throws: `CheckpointError` when the key is true.
    func refuse(_ keys: String..., because reason: String) throws {
        for key in keys where try value(key, default: false) { throw wrong(key, expected: "false, because \(reason)") }
    }
}
