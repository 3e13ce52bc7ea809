/// How a terminal answers.
public struct Behaviour: Sendable {
    /// Question (without ESC) to answer (with it).
    public var answers: [String: String]
    /// Time between a question and its answer, in seconds; infinite: until the test lets it answer.
    public var delay = 0.0
    /// Pieces in which an answer arrives: bytes of each, and the pause between them in seconds. Nil for all at once.
    public var pieces: (bytes: Int, pause: Double)?
    /// How fast the terminal takes what is written to it; nil for at once.
    public var bytesPerSecond: Int?
    /// Whether the window size that the kernel knows has pixels.
    public var tellsPixels = true
    /// Whether the pixels of pictures are wanted, or only their places.
    public var decodesPictures = true
    /// Environment of the program, beyond TERM and the locale.
    public var environment: [String: String] = [:]

    public init(answers: [String: String]) {
        self.answers = answers
    }

    /// As xterm with sixel.
    public static let sixel = Behaviour(answers: [
        "[>0q": "\u{1b}P>|XTerm(379)\u{1b}\\", "[16t": "\u{1b}[6;16;8t", "[14t": "\u{1b}[4;480;640t",
        "[?1;1;0S": "\u{1b}[?1;0;256S", "[?2;1;0S": "\u{1b}[?2;0;1000;1000S", "[?2026$p": "\u{1b}[?2026;0$y",
        "]11;?": "\u{1b}]11;rgb:0000/0000/0000\u{1b}\\", "[c": "\u{1b}[?63;1;2;4;6;9;15;16;22;28c", "[5n": "\u{1b}[0n",
        "[6n": "\u{1b}[1;1R",
    ])

    /// The same with synchronised output.
    public static var synchronised: Behaviour {
        var behaviour = sixel
        behaviour.answers["[?2026$p"] = "\u{1b}[?2026;2$y"
        return behaviour
    }

    /// A terminal without pictures.
    public static let noSixel = Behaviour(answers: ["[c": "\u{1b}[?1;2c", "[5n": "\u{1b}[0n", "[6n": "\u{1b}[1;1R"])

    /// One that never answers.
    public static let silent = Behaviour(answers: [:])

    /// Sixel behind a link with a long way.
    public static func late(_ seconds: Double) -> Behaviour {
        var behaviour = sixel
        behaviour.delay = seconds
        return behaviour
    }

    /// Sixel, with answers in pieces of a few bytes.
    public static var fragmented: Behaviour {
        var behaviour = sixel
        behaviour.pieces = (3, 0.03)
        return behaviour
    }

    /// Sixel over a narrow link.
    public static func slow(_ bytesPerSecond: Int) -> Behaviour {
        var behaviour = sixel
        behaviour.bytesPerSecond = bytesPerSecond
        return behaviour
    }
}
