/// Which w2w this is.
public enum Release {
    /// As `w2w --version` says it.
    public static let version = "0.1.0"
}
