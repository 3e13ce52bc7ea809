/// Everything that decides the training of a face embedder besides the photographs.
public struct FaceEmbedderPlan: Sendable, Equatable {
    public var configuration: FaceEmbedderConfiguration
    public var steps: Int
    /// Pictures in a step.
    public var batch: Int
    /// AdamW's, at its highest; falls along half a cosine.
    public var learningRate: Float
    public var weightDecay: Float
    /// By how much a picture must be nearer to its own person than to another, as a cosine.
    public var margin: Float
    /// The same besides, towards people of equal skin and hair.
    public var likenessMargin: Float
    /// Factor between cosines and logits.
    public var logitScale: Float
    /// Of the split, the initial weights, the batches and the changes of the pictures.
    public var seed: UInt64

    public init(
        configuration: FaceEmbedderConfiguration = .init(), steps: Int = 1000, batch: Int = 64, learningRate: Float = 2e-3,
        weightDecay: Float = 1e-3, margin: Float = 0.3, likenessMargin: Float = 0.1, logitScale: Float = 16, seed: UInt64 = 0
    ) {
        self.configuration = configuration
        self.steps = steps
        self.batch = batch
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.margin = margin
        self.likenessMargin = likenessMargin
        self.logitScale = logitScale
        self.seed = seed
    }

    /// - Throws: `SpaceError` with the first number that cannot be.
    func validate() throws {
        try configuration.validate()
        guard steps >= 1, (1...4096).contains(batch) else {
            throw SpaceError("\(steps) steps of \(batch) pictures make no run", advice: "Both should be at least 1.")
        }
        guard learningRate > 0, learningRate < 1 else {
            throw SpaceError("a learning rate of \(learningRate) cannot be", advice: "Try 0.002.")
        }
    }
}
