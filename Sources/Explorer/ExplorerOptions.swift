import EngineAPI
import ScreenModel

/// What the explorer is told when it starts. Clock and chance come from outside, so that a session can be played again.
public struct ExplorerOptions: Sendable {
    /// The space to open.
    public var space: SpaceSource
    /// The model whose coordinates count; nil for the weight VAE where the space has one.
    public var weightModel: WeightModel?
    /// Window at the start; later sizes come as `InputEvent.resized`.
    public var size: Size
    /// What the terminal can show: `.ascii` where there is no UTF-8.
    public var glyphs: GlyphSet
    /// Height of a cell divided by its width, in pixels; decides how many columns a square picture takes.
    public var cellAspect: Double
    /// Themes that can be chosen, the one to begin with first. Never empty: the built-in default stands in.
    public var themes: [Theme]
    /// What the keys mean.
    public var keys: KeyTable
    /// Start of the sequence that new seeds are drawn from.
    public var randomSeed: UInt64
    /// Whether nobody has been here before: a short hint says how to begin.
    public var isFirstRun: Bool
    /// Whether what is saved is there the next time; not where the library cannot be written.
    public var keepsFaces: Bool
    /// Whether the walk of the last session is taken up again.
    public var resumesLastWalk: Bool
    /// Difference of the local clock to UTC in seconds, for dates.
    public var secondsFromUTC: Int
    /// Where the walk begins, out of a file; nil for the last walk or the space's first person.
    public var start: CodeRecord?
    /// A sentence for the status line at the start (a theme that could not be read, a library that is read-only).
    public var notice: String?

    public init(
        space: SpaceSource = .builtIn, weightModel: WeightModel? = nil, size: Size = Size(columns: 80, rows: 24),
        glyphs: GlyphSet = .unicode,
        cellAspect: Double = 2,
        themes: [Theme] = Theme.builtIn, keys: KeyTable = .standard, randomSeed: UInt64 = 0, isFirstRun: Bool = false,
        keepsFaces: Bool = true, resumesLastWalk: Bool = true,
        secondsFromUTC: Int = 0, start: CodeRecord? = nil, notice: String? = nil
    ) {
        self.space = space
        self.weightModel = weightModel
        self.size = size
        self.glyphs = glyphs
        self.cellAspect = cellAspect
        self.themes = themes.isEmpty ? Theme.builtIn : themes
        self.keys = keys
        self.randomSeed = randomSeed
        self.isFirstRun = isFirstRun
        self.keepsFaces = keepsFaces
        self.resumesLastWalk = resumesLastWalk
        self.secondsFromUTC = secondsFromUTC
        self.start = start
        self.notice = notice
    }
}
