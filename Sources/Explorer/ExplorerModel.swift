import EngineAPI
import ImageCore
import ScreenModel

/// The whole explorer as a value: what happened goes in through `update`, what shall be done comes out as effects, `view` draws.
/// Nothing here touches the terminal, a file, a clock or a model.
///
/// The loop around it: send `.start`; then for every event call `update`, carry out the effects in order, and draw `view` at most once
/// per round; when `nextTick` has passed, send `.tick`.
public struct ExplorerModel: Sendable {
    public let options: ExplorerOptions

    public init(options: ExplorerOptions) {
        self.options = options
    }

    /// When the explorer wants a `.tick`, in the seconds of `update`'s clock; nil when nothing moves.
    public var nextTick: Double? { nil }

    /// Takes in what happened.
    /// - Parameters:
    ///   - message: what happened.
    ///   - now: seconds since 1970.
    /// - Returns: what shall be done, in order.
    public mutating func update(_ message: ExplorerMessage, at now: Double) -> [ExplorerEffect] {
        switch message {
        case .start: [.submit(.open(options.space), as: JobID(1)), .library(.list)]
        case .input(.terminate): [.quit]
        case .input(.key(let event)) where event == KeyEvent(.character("q")): [.quit]
        default: []
        }
    }

    /// Draws the screen at a size. Pictures are named by keys; `image(for:)` has their pixels.
    public func view(size: Size) -> Frame {
        var grid = CellGrid(size: size)
        grid.put("loading the space", x: 1, y: 0)
        return Frame(grid: grid)
    }

    /// The pixels of a picture that a frame of this model places; nil when it has been dropped since.
    public func image(for key: ImageKey) -> RGBImage? { nil }
}
