import Foundation

/// What can go wrong between a request and a picture, apart from damaged files (`CheckpointError`, `StateDictionaryMismatch`).
public enum StableDiffusionError: Error, Equatable {
    /// A number of steps outside 1...limit.
    case steps(Int, limit: Int)
    /// A width or height that is no multiple of what the model's latents need, or too large.
    case size(width: Int, height: Int, multiple: Int)
    /// A model folder lacks a file.
    case missingFile(path: String, role: String)
    /// A file or folder that is another kind of model; `name` says which, `advice` what to do.
    case otherModel(file: String, name: String, advice: String)
    /// A checkpoint in one file has no tokenizer, and none lies in the places where it is sought.
    case missingTokenizer(file: String, places: [String])
    /// A model folder of another kind.
    case unsupportedClass(file: String, found: String, expected: String)
    /// A picture takes more memory than there is, in bytes.
    case memory(needed: Int, available: Int, width: Int, height: Int)
    /// Two parts of a model folder that do not belong together.
    case incompatible(file: String, reason: String)
}

extension StableDiffusionError: CustomStringConvertible, LocalizedError {
    public var description: String {
        switch self {
        case .steps(let steps, let limit):
            "\(steps) steps cannot be done; choose a number between 1 and \(limit)"
        case .size(let width, let height, let multiple):
            "a picture of \(width) x \(height) pixels cannot be drawn; choose multiples of \(multiple) between \(multiple) and 4096"
        case .missingFile(let path, let role):
            "\(path): \(role) is missing; a model is a complete folder in diffusers layout"
        case .otherModel(let file, let name, let advice):
            "\(file): is \(name), which cannot be opened; \(advice)"
        case .missingTokenizer(let file, let places):
            "\(file): a checkpoint in one file carries no tokenizer; put CLIP's merges.txt (or tokenizer.json) of any Stable Diffusion 1.x "
                + "model into \(places.joined(separator: " or "))"
        case .unsupportedClass(let file, let found, let expected):
            "\(file): \(found) is not supported; choose a model of class \(expected) (Stable Diffusion 1.x or 2.x)"
        case .memory(let needed, let available, let width, let height):
            "drawing \(width) x \(height) pixels takes about \(Self.gigabytes(needed)) more memory, \(Self.gigabytes(available)) can be had; "
                + "choose a smaller size or --precision fast, or close other programs"
        case .incompatible(let file, let reason):
            "\(file): \(reason); check that the parts of the model folder belong together"
        }
    }

    private static func gigabytes(_ bytes: Int) -> String { String(format: "%.1f GB", Double(bytes) / 1e9) }

    public var errorDescription: String? { description }
}
