import Checkpoints

/// The samplers by the names of the command line. Each is `Class.from_config` of diffusers over the model folder's configuration, whichever
/// class wrote that.
public enum SchedulerKind: String, Sendable, CaseIterable {
    /// `DDIMScheduler.from_config(folder, clip_sample=False, set_alpha_to_one=False)`
    case ddim
    /// `PNDMScheduler.from_config(folder)`
    case pndm
    /// `DPMSolverMultistepScheduler.from_config(folder, use_karras_sigmas=True)`
    case dpmpp2M = "dpmpp-2m"
    /// `DPMSolverMultistepScheduler.from_config(folder, use_karras_sigmas=False)`
    case dpmpp2MPlain = "dpmpp-2m-plain"
    /// `EulerDiscreteScheduler.from_config(folder)`
    case euler
    /// `EulerAncestralDiscreteScheduler.from_config(folder)`
    case eulerAncestral = "euler-a"
    /// `LCMScheduler.from_config(folder)`
    case lcm

    /// The sampler that a model folder asks for; nil for a class without a counterpart here.
    /// - Parameter configuration: `scheduler_config.json`; its `_class_name` decides (the Flax classes are named as the others), and
    ///   `use_karras_sigmas` between the two DPM-Solvers.
    /// - Throws: `CheckpointError` when one of the two is of another kind.
    public init?(configuration: JSONConfiguration) throws {
        guard let name: String = try configuration.optional("_class_name") else { return nil }
        switch name.hasPrefix("Flax") ? String(name.dropFirst("Flax".count)) : name {
        case "DDIMScheduler": self = .ddim
        case "PNDMScheduler": self = .pndm
        case "DPMSolverMultistepScheduler":
            self = try configuration.value("use_karras_sigmas", default: false) ? .dpmpp2M : .dpmpp2MPlain
        case "EulerDiscreteScheduler": self = .euler
        case "EulerAncestralDiscreteScheduler": self = .eulerAncestral
        case "LCMScheduler": self = .lcm
        default: return nil
        }
    }

    /// A sampler at the start of a run.
    /// - Parameters:
    ///   - configuration: the model folder's `scheduler_config.json`, whichever class wrote it.
    ///   - steps: number of steps.
    /// - Returns: a sampler whose `stepIndex` is 0.
    /// - Throws: `CheckpointError` for a configuration that cannot be honoured, `StableDiffusionError` for an impossible number of steps.
    public func makeScheduler(configuration: JSONConfiguration, steps: Int) throws -> any Scheduler {
        switch self {
        case .ddim: try DDIMScheduler(configuration: configuration, inferenceSteps: steps)
        case .pndm: try PNDMScheduler(configuration: configuration, inferenceSteps: steps)
        case .dpmpp2M: try DPMSolverMultistepScheduler(configuration: configuration, inferenceSteps: steps, useKarrasSigmas: true)
        case .dpmpp2MPlain:
            try DPMSolverMultistepScheduler(configuration: configuration, inferenceSteps: steps, useKarrasSigmas: false)
        case .euler: try EulerDiscreteScheduler(configuration: configuration, inferenceSteps: steps)
        case .eulerAncestral: try EulerAncestralDiscreteScheduler(configuration: configuration, inferenceSteps: steps)
        case .lcm: try LCMScheduler(configuration: configuration, inferenceSteps: steps)
        }
    }
}
