/// A sequence of pictures of one size that loops for ever.
public struct Animation: Sendable {
    /// At least one picture, all of one size.
    public let frames: [RGBImage]
    /// How long each picture stands, in seconds; one number a frame.
    public let durations: [Double]
    /// Lines of text to carry along: PNG text chunks, or a comment in a GIF file.
    public var text: [PNGText]

    /// - Parameters:
    ///   - frames: the pictures.
    ///   - secondsPerFrame: how long each stands.
    ///   - text: lines of text to carry along.
    /// - Throws: `ImageFileError` when there is no picture or their sizes differ.
    public init(frames: [RGBImage], secondsPerFrame: Double = 0.1, text: [PNGText] = []) throws {
        try self.init(
            frames: frames, durations: [Double](repeating: secondsPerFrame, count: frames.count), text: text)
    }

    /// - Parameters:
    ///   - frames: the pictures.
    ///   - durations: how long each stands, in seconds; as many as pictures.
    ///   - text: lines of text to carry along.
    /// - Throws: `ImageFileError` when there is no picture, their sizes differ or a duration is missing.
    public init(frames: [RGBImage], durations: [Double], text: [PNGText] = []) throws {
        guard let first = frames.first else { throw ImageFileError(reason: "an animation needs at least one picture") }
        for (index, frame) in frames.enumerated() where frame.width != first.width || frame.height != first.height {
            throw ImageFileError(
                reason:
                    "frame \(index) of an animation is \(frame.width)x\(frame.height), the first \(first.width)x\(first.height)")
        }
        guard durations.count == frames.count, durations.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
            throw ImageFileError(
                reason: "an animation of \(frames.count) frames needs as many durations, none negative")
        }
        self.frames = frames
        self.durations = durations
        self.text = text
    }

    /// The same animation, forth and back: the frames between the ends appear again in reverse.
    public var mirrored: Animation {
        var result = self
        if frames.count > 2 {
            let order = Array(frames.indices) + frames.indices.dropFirst().dropLast().reversed()
            result = Animation(unchecked: order.map { frames[$0] }, durations: order.map { durations[$0] }, text: text)
        }
        return result
    }

    private init(unchecked frames: [RGBImage], durations: [Double], text: [PNGText]) {
        self.frames = frames
        self.durations = durations
        self.text = text
    }

    /// Writes a file of the kind that the name's ending tells: `.gif`, or `.apng` and `.png` for an animated PNG.
    /// - Parameter path: the file; written whole or not at all.
    /// - Throws: `ImageFileError` with the path.
    public func write(to path: String) throws {
        do {
            switch fileExtension(of: path) {
            case "gif": try WholeFile.write(gifData(), to: path)
            case "apng", "png": try WholeFile.write(apngData(), to: path)
            default: throw ImageFileError(reason: "the name must end in .gif, .apng or .png")
            }
        } catch let error as ImageFileError {
            throw error.at(path)
        }
    }
}
