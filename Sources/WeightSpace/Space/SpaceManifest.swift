import Checkpoints
import Foundation
import StableDiffusion

/// What `space.json` says: where the parts of a space lie and how its pictures are drawn by default.
public struct SpaceManifest: Sendable, Equatable {
    /// Prompt, sampler and size that the space asks for.
    public struct Defaults: Sendable, Equatable {
        public var prompt: String
        public var negativePrompt: String
        public var scheduler: SchedulerKind
        public var steps: Int
        public var guidance: Float
        /// Pixels, divisible by 8.
        public var width: Int
        public var height: Int
        public var seed: UInt64

        public init(
            prompt: String = "sks person", negativePrompt: String = "", scheduler: SchedulerKind = .dpmpp2M, steps: Int = 20,
            guidance: Float = 3, width: Int = 512, height: Int = 512, seed: UInt64 = 5
        ) {
            self.prompt = prompt
            self.negativePrompt = negativePrompt
            self.scheduler = scheduler
            self.steps = steps
            self.guidance = guidance
            self.width = width
            self.height = height
            self.seed = seed
        }
    }

    /// The parts that a space may have, in the order in which `space.json` lists them; all but `base` and `layout` are optional.
    public enum Part: String, Sendable, CaseIterable {
        case base, layout, weights, identities, vae, codes, axes, flow, pca, embedder, photos, directions
        /// The linear map from image latents to colours that `w2w fit-preview` fits.
        case latentPreview = "latent_preview"
        /// An `AutoencoderTiny` for looks in between: a file or a diffusers folder.
        case tinyDecoder = "tiny_decoder"
    }

    public var name: String
    /// Paths as they stand in the file, relative to the space's folder or absolute.
    public var paths: [Part: String]
    public var defaults: Defaults
    /// SHA-256 by path, 64 hexadecimal digits each.
    public var digests: [String: String]

    public init(name: String, paths: [Part: String], defaults: Defaults, digests: [String: String] = [:]) {
        self.name = name
        self.paths = paths
        self.defaults = defaults
        self.digests = digests
    }

    /// Reads a `space.json`.
    /// - Throws: `CheckpointError` with the key that is missing, unknown or wrong.
    public init(contentsOf url: URL) throws {
        let json = try JSONConfiguration(contentsOf: url)
        let format = try json.require("format", as: Int.self)
        guard format == 1 else {
            throw json.wrong("format", expected: "1 (a space of another format needs another version of w2w)")
        }
        try json.refuseKeys(besides: Set(["format", "name", "defaults", "sha256"] + Part.allCases.map(\.rawValue)))
        name = try json.require("name")
        paths = [:]
        for part in Part.allCases { paths[part] = try json.optional(part.rawValue, as: String.self) }
        for part in [Part.base, .layout] where paths[part] == nil { paths[part] = try json.require(part.rawValue) }
        defaults = try Defaults(json.object("defaults"))
        digests = [:]
        if json["sha256"] != nil {
            let sums = try json.object("sha256")
            for member in sums.members {
                let sum = try sums.require(member.key, as: String.self).lowercased()
                guard sum.utf8.count == 64, sum.allSatisfy(\.isHexDigit) else {
                    throw sums.wrong(member.key, expected: "64 hexadecimal digits")
                }
                digests[member.key] = sum
            }
        }
    }

    /// The text of `space.json`.
    public var json: String {
        var members: [JSONValue.Member] = [.init("format", .integer(1)), .init("name", .string(name))]
        members += Part.allCases.compactMap { part in paths[part].map { .init(part.rawValue, .string($0)) } }
        members.append(.init("defaults", defaults.json))
        if !digests.isEmpty {
            members.append(
                .init("sha256", .object(digests.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })))
        }
        return JSONValue.object(members).text() + "\n"
    }
}

extension SpaceManifest.Defaults {
    /// Reads the `defaults` of a `space.json`; what is missing gets the usual value.
    /// - Throws: `CheckpointError` with the key that is unknown or wrong.
    init(_ json: JSONConfiguration) throws {
        try json.refuseKeys(besides: [
            "prompt", "negative_prompt", "scheduler", "steps", "guidance", "width", "height", "seed",
        ])
        self.init()
        prompt = try json.value("prompt", default: prompt)
        negativePrompt = try json.value("negative_prompt", default: negativePrompt)
        let sampler = try json.value("scheduler", default: scheduler.rawValue)
        guard let sampler = SchedulerKind(rawValue: sampler) else {
            throw json.wrong("scheduler", expected: "one of \(SchedulerKind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        scheduler = sampler
        steps = try json.count("steps", default: steps, limit: 1000)
        guidance = try json.value("guidance", default: guidance)
        guard guidance.isFinite, guidance >= 0 else { throw json.wrong("guidance", expected: "a number from 0 on") }
        width = try json.count("width", default: width, limit: 4096)
        height = try json.count("height", default: height, limit: 4096)
        for (key, value) in [("width", width), ("height", height)] where value % 8 != 0 {
            throw json.wrong(key, expected: "divisible by 8")
        }
        let seed = try json.value("seed", default: Int(self.seed))
        guard seed >= 0 else { throw json.wrong("seed", expected: "a whole number from 0 on") }
        self.seed = UInt64(seed)
    }

    var json: JSONValue {
        .object([
            .init("prompt", .string(prompt)), .init("negative_prompt", .string(negativePrompt)),
            .init("scheduler", .string(scheduler.rawValue)), .init("steps", .integer(steps)), .init("guidance", .float(guidance)),
            .init("width", .integer(width)), .init("height", .integer(height)),
            .init("seed", .integer(Int(truncatingIfNeeded: seed))),
        ])
    }
}
