import ArgumentParser
import EngineAPI

extension SchedulerName: ExpressibleByArgument {}

/// Prompt, seed, sampler and size; what is not given comes from the space.
struct GenerationOptions: ParsableArguments {
    @Option(help: ArgumentHelp("What to draw; a space names its person in its own words (\"sks person\").", valueName: "text"))
    var prompt: String?

    @Option(help: ArgumentHelp("What to keep out of the picture.", valueName: "text"))
    var negativePrompt: String?

    @Option(help: ArgumentHelp("Seed of the first noise, as for torch.manual_seed.", valueName: "n"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("Denoising steps, \(GenerationSettings.stepsInWords).", valueName: "n"))
    var steps: Int?

    @Option(
        help: ArgumentHelp(
            "Classifier-free guidance scale, \(GenerationSettings.guidanceInWords); 1 means none and is twice as fast.",
            valueName: "x"))
    var guidance: Float?

    @Option(help: "Sampler.")
    var scheduler: SchedulerName?

    @Option(help: ArgumentHelp("Width in pixels, divisible by 8.", valueName: "pixels"))
    var width: Int?

    @Option(help: ArgumentHelp("Height in pixels, divisible by 8.", valueName: "pixels"))
    var height: Int?

    func validate() throws {
        if let steps, !GenerationSettings.stepRange.contains(steps) {
            throw ValidationError("'--steps \(steps)' is outside \(GenerationSettings.stepsInWords).")
        }
        if let guidance, !GenerationSettings.guidanceRange.contains(guidance) {
            throw ValidationError("'--guidance \(guidance)' is outside \(GenerationSettings.guidanceInWords).")
        }
        for (name, side) in [("width", width), ("height", height)] {
            guard let side else { continue }
            guard GenerationSettings.allows(side: side) else {
                throw ValidationError("'--\(name) \(side)' is not a size: \(GenerationSettings.sidesInWords).")
            }
        }
    }

    /// The space's settings with what was given on the command line.
    func settings(over defaults: GenerationSettings) -> GenerationSettings {
        var settings = defaults
        if let prompt { settings.prompt = prompt }
        if let negativePrompt { settings.negativePrompt = negativePrompt }
        if let seed { settings.seed = seed }
        if let steps { settings.steps = steps }
        if let guidance { settings.guidance = guidance }
        if let scheduler { settings.scheduler = scheduler }
        if let width { settings.width = width }
        if let height { settings.height = height }
        return settings
    }
}
