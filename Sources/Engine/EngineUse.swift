/// What an engine is used for, which decides what it makes ready and what it keeps.
public enum EngineUse: Sendable {
    /// Somebody sits at the keys: kernels are set up before the first one, and everything stays for the next picture.
    case exploring
    /// A command that draws several pictures one after the other: everything stays, nothing is drawn to warm up a large model.
    case drawingMany
    /// A command that draws one picture: what a large model's U-Net holds is let go before the decoder needs room.
    case drawingOne
}
