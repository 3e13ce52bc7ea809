import Checkpoints
import NeuralNetworks
import TensorKit

/// Predicts the noise in image latents, given a time step and a prompt (diffusers `UNet2DConditionModel`).
///
/// Everything that stays the same over the steps of a run is computed once: the prompt's keys and values (`prepare`, `conditioning`) and
/// the projected time embeddings of each time step.
public final class UNet2DConditionModel: Module {
    public let configuration: UNet2DConditionConfiguration
    private let convIn, convOut: Conv2d
    private let convNormOut: GroupNorm
    private let timeLinear1, timeLinear2: Linear
    private let downBlocks: [DownBlock2D]
    private let midBlock: UNetMidBlock2DCrossAttn
    private let upBlocks: [UpBlock2D]
    private let resnets: [ResnetBlock2D]
    private let transformerBlocks: [BasicTransformerBlock]
    /// Whether the weights fit the processor's caches. Then threads take samples each; a large network is bound by its weights, which
    /// all samples should use while they are there.
    private let isSmall: Bool
    private var timeCache = TimeVectorCache()
    /// Told during evaluations of a large network how many of its weights took part in a layer just done: the first evaluation, which lays them
    /// out, takes a while.
    public var progress: ((Int) -> Void)?

    /// A network whose weights are still to be loaded.
    public init(_ configuration: UNet2DConditionConfiguration) {
        self.configuration = configuration
        let levels = configuration.levels
        let top = levels[0].channels
        let (first, last) = (levels[0], levels[levels.count - 1])
        let groups = configuration.normNumGroups
        convIn = Conv2d(
            inChannels: configuration.inChannels, outChannels: first.channels, kernelSize: configuration.convInKernel,
            padding: (configuration.convInKernel - 1) / 2)
        timeLinear1 = Linear(inFeatures: top, outFeatures: configuration.timeEmbeddingDim)
        timeLinear2 = Linear(inFeatures: configuration.timeEmbeddingDim, outFeatures: configuration.timeEmbeddingDim)

        func shape(_ path: String, _ level: UNet2DConditionConfiguration.Level, attends: Bool) -> UNetBlockShape {
            UNetBlockShape(
                path: path, outChannels: level.channels, layers: level.layers,
                transformerLayers: attends ? level.transformerLayers : 0, heads: level.heads,
                timeChannels: configuration.timeEmbeddingDim, crossAttentionDim: configuration.crossAttentionDim, groups: groups,
                epsilon: configuration.normEps, useLinearProjection: configuration.useLinearProjection)
        }
        downBlocks = levels.enumerated().map { index, level in
            DownBlock2D(
                shape("down_blocks.\(index)", level, attends: level.hasDownAttention),
                inChannels: index == 0 ? first.channels : levels[index - 1].channels,
                downsamplePadding: index == levels.count - 1 ? nil : configuration.downsamplePadding)
        }
        midBlock = UNetMidBlock2DCrossAttn(shape("mid_block", last, attends: true))
        upBlocks = levels.indices.map { index in
            let at = levels.count - 1 - index
            let level = levels[at]
            // The last thing that a level reads was left by the level above (or by conv_in).
            let above = levels[max(0, at - 1)].channels
            return UpBlock2D(
                shape("up_blocks.\(index)", level, attends: level.hasUpAttention),
                previousChannels: index == 0 ? last.channels : levels[at + 1].channels,
                skipChannels: [Int](repeating: level.channels, count: level.layers) + [above], isLast: at == 0)
        }
        convNormOut = GroupNorm(groups: groups, channels: first.channels, epsilon: configuration.normEps)
        convOut = Conv2d(
            inChannels: first.channels, outChannels: configuration.outChannels, kernelSize: configuration.convOutKernel,
            padding: (configuration.convOutKernel - 1) / 2)
        resnets = downBlocks.flatMap(\.resnets) + midBlock.resnets + upBlocks.flatMap(\.resnets)
        // The lowest level has the fewest positions and half of all convolution weights.
        let lowest = Self.winogradPositions(level: levels.count - 1, of: levels.count)
        for block in downBlocks[levels.count - 1].resnets + midBlock.resnets + upBlocks[0].resnets {
            block.setWinograd(from: lowest)
        }
        let transformers = downBlocks.flatMap(\.attentions) + midBlock.attentions + upBlocks.flatMap(\.attentions)
        transformerBlocks = transformers.flatMap(\.transformerBlocks)
        let parts: [any Module] = downBlocks + [midBlock] + upBlocks
        isSmall = parts.reduce(0) { $0 + $1.parameterCount } < 1 << 26
    }

    /// From how many positions of a batch on the residual blocks of a level hold their weights for Winograd's filtering.
    static func winogradPositions(level: Int, of count: Int) -> Int {
        level == count - 1 ? ConvolutionKernel.manyRows : ConvolutionKernel.fewestPositions
    }

    public var children: [(name: String, module: any Module)] {
        [("conv_in", convIn), ("time_embedding.linear_1", timeLinear1), ("time_embedding.linear_2", timeLinear2)]
            + numbered("down_blocks", downBlocks) + numbered("up_blocks", upBlocks) + [("mid_block", midBlock)]
            + [("conv_norm_out", convNormOut), ("conv_out", convOut)]
    }

    /// Widths [out, in] of the linear layers that an adapter may change, by path.
    public var adaptableShapes: [String: [Int]] {
        Dictionary(
            transformerBlocks.flatMap(\.adaptable).map { ($0.path, $0.layer.weight.shape) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Checks that every layer of an adapter is here and fits.
    /// - Parameters:
    ///   - adapter: the adapter.
    ///   - file: where it came from, for the message.
    /// - Throws: `StateDictionaryMismatch` with all layers that do not fit.
    public func check(_ adapter: LoRAAdapter, file: String) throws {
        let shapes = adaptableShapes
        var unexpected = [StateDictionaryMismatch.Item]()
        var wrong = [StateDictionaryMismatch.Difference]()
        for (path, factors) in adapter.factors.sorted(by: { $0.key < $1.key }) {
            let found = [factors.b.shape[0], factors.a.shape[1]]
            guard let expected = shapes[path] else {
                unexpected.append(.init(key: path, shape: found))
                continue
            }
            if expected != found { wrong.append(.init(key: path, expected: expected, found: found)) }
        }
        if !unexpected.isEmpty || !wrong.isEmpty {
            throw StateDictionaryMismatch(file: file, missing: [], unexpected: unexpected, wrongShape: wrong)
        }
    }

    /// Does for a prompt what need not be done at every step: its keys and values in every attention.
    /// - Parameter states: text states [1, T, crossAttentionDim].
    /// - Returns: what `conditioning` takes, for this U-Net only.
    public func prepare(_ states: Tensor) -> PromptConditioning {
        precondition(states.shape.count == 3 && states.shape[0] == 1 && states.shape[2] == configuration.crossAttentionDim)
        return PromptConditioning(states: states, keysValues: transformerBlocks.map { $0.attn2.keysValues(states) })
    }

    /// Lets go of the memory that only `prepare` needs; it comes back with the next prompt.
    func releasePromptLayouts() {
        for block in transformerBlocks { block.attn2.releaseContextLayouts() }
    }

    /// The prompts of a batch under its adapters.
    /// - Parameters:
    ///   - prompts: one for each sample, prepared by this network, of one length.
    ///   - adapters: one for each sample.
    /// - Returns: good for any number of evaluations.
    public func conditioning(_ prompts: [PromptConditioning], adapters: LoRABatch? = nil) -> UNetConditioning {
        let contexts = stack(prompts.map(\.states))
        let pairs = transformerBlocks.enumerated().map { index, block in
            let base = prompts.map { $0.keysValues[index] }
            return (
                ObjectIdentifier(block.attn2), block.attn2.keysValues(stacking: base, contexts: contexts, adapters: adapters)
            )
        }
        return UNetConditioning(
            samples: prompts.count, pairs: Dictionary(uniqueKeysWithValues: pairs), adapters: adapters, usesLanes: isSmall)
    }

    /// The same from text states directly, recorded on a tape.
    /// - Parameters:
    ///   - states: [N, T, crossAttentionDim]
    ///   - adapters: one for each sample.
    ///   - tape: records the backward pass.
    /// - Returns: for evaluations on the same tape.
    public func conditioning(states: Tensor, adapters: LoRABatch?, tape: Tape) -> UNetConditioning {
        let pairs = transformerBlocks.map {
            (ObjectIdentifier($0.attn2), $0.attn2.keysValues(states, adapters: adapters, tape: tape))
        }
        return UNetConditioning(samples: states.shape[0], pairs: Dictionary(uniqueKeysWithValues: pairs), adapters: adapters)
    }

    /// One evaluation.
    /// - Parameters:
    ///   - sample: image latents, channels last, [N, H, W, inChannels].
    ///   - timesteps: N training time steps, whole or between two.
    ///   - conditioning: prompts and adapters of the N samples.
    ///   - tape: records the backward pass.
    /// - Returns: what `prediction_type` says, [N, H, W, outChannels].
    public func callAsFunction(
        _ sample: Tensor, timesteps: [Float], conditioning: UNetConditioning, tape: Tape? = nil
    ) -> Tensor {
        check(sample, timesteps, conditioning)
        guard let tape else {
            var nothing: DeepFeatures?
            return self(sample, timesteps: timesteps, conditioning: conditioning, deep: &nothing)
        }
        let vectors = timeVectors(timesteps, tape: tape)
        var nothing: DeepFeatures?
        return evaluate(
            sample, UNetContext(timeVectors: vectors, prompts: conditioning.pairs, adapters: conditioning.adapters, tape: tape),
            deep: &nothing)
    }

    /// One evaluation that keeps what the deep part of the network says, or goes without it (DeepCache, 2312.00858).
    /// - Parameters:
    ///   - sample: image latents, channels last, [N, H, W, inChannels].
    ///   - timesteps: N training time steps, whole or between two.
    ///   - conditioning: prompts and adapters of the N samples.
    ///   - deep: nil for a whole evaluation. Without features: a whole evaluation that leaves them. With features, of N samples of the
    ///     same size: only the layers above them are computed.
    /// - Returns: what `prediction_type` says, [N, H, W, outChannels].
    public func callAsFunction(
        _ sample: Tensor, timesteps: [Float], conditioning: UNetConditioning, deep: inout DeepFeatures?
    ) -> Tensor {
        check(sample, timesteps, conditioning)
        let vectors = timeVectors(timesteps, tape: nil)
        guard conditioning.lanes.count > 1 else {
            let context = UNetContext(
                timeVectors: vectors, prompts: conditioning.pairs, adapters: conditioning.adapters, tape: nil, progress: progress)
            return evaluate(sample, context, deep: &deep)
        }
        // Samples do not see each other: each thread takes its share through the whole network.
        let result = Tensor(uninitialized: Array(sample.shape.dropLast()) + [configuration.outChannels])
        let known = deep?.features
        let kept = deep.map { known ?? Tensor(uninitialized: Array(sample.shape.dropLast()) + [channels(above: $0)]) }
        let layers = deep?.layers
        Parallel.lanes(conditioning.lanes.count) { index in
            let lane = conditioning.lanes[index]
            let context = UNetContext(
                timeVectors: vectors.mapValues { $0.rows(lane.samples) }, prompts: lane.pairs, adapters: lane.adapters, tape: nil)
            var share = layers.map { DeepFeatures(layers: $0, features: known?.rows(lane.samples)) }
            let part = evaluate(sample.rows(lane.samples), context, deep: &share)
            result.rows(lane.samples).pointer.update(from: part.pointer, count: part.count)
            if known == nil, let kept, let features = share?.features {
                kept.rows(lane.samples).pointer.update(from: features.pointer, count: features.count)
            }
        }
        if let kept { deep?.features = kept }
        return result
    }

    private func check(_ sample: Tensor, _ timesteps: [Float], _ conditioning: UNetConditioning) {
        precondition(
            sample.shape.count == 4 && sample.shape[0] == timesteps.count && timesteps.count == conditioning.samples,
            "latents \(sample.shape), \(timesteps.count) time steps and \(conditioning.samples) prompts do not make a batch")
    }

    /// Width of what is kept.
    private func channels(above deep: DeepFeatures) -> Int {
        let levels = configuration.levels
        return deep.firstLayer(of: levels[0].layers + 1) == 0 ? levels[min(1, levels.count - 1)].channels : levels[0].channels
    }

    private func evaluate(_ sample: Tensor, _ context: UNetContext, deep: inout DeepFeatures?) -> Tensor {
        let tape = context.tape
        let top = upBlocks[upBlocks.count - 1]
        let count = top.resnets.count
        let first = deep?.firstLayer(of: count) ?? 0
        var hidden = convIn(sample, tape: tape)
        var skips = [hidden]
        if let features = deep?.features {
            // The layers that are left read what conv_in and the first layers on the way down leave.
            if count - first > 1 { _ = downBlocks[0](hidden, skips: &skips, context: context, layers: count - first - 1) }
            hidden = features
        } else {
            for block in downBlocks { hidden = block(hidden, skips: &skips, context: context) }
            hidden = midBlock(hidden, context: context)
            for block in upBlocks.dropLast() { hidden = block(hidden, skips: &skips, context: context) }
            if first > 0 { hidden = top(hidden, skips: &skips, context: context, layers: 0..<first) }
            deep?.features = hidden
        }
        hidden = top(hidden, skips: &skips, context: context, layers: first..<count)
        return convOut(convNormOut(hidden, activation: .silu, tape: tape), tape: tape)
    }

    /// The time embedding, through its two layers and each residual block's projection.
    private func timeVectors(_ timesteps: [Float], tape: Tape?) -> [ObjectIdentifier: Tensor] {
        let version = timeLinear1.weight.version + timeLinear2.weight.version
        if tape == nil, let known = timeCache.vectors(for: timesteps, version: version) { return known }
        let embedding = Kernels.timestepEmbedding(
            timesteps, channels: configuration.levels[0].channels, flipSineToCosine: configuration.flipSinToCos,
            frequencyShift: configuration.freqShift)
        let hidden = timeLinear1(embedding, activation: .silu, tape: tape)
        // Every block starts with the activation of the embedding, so it is applied once.
        let activated = timeLinear2(hidden, activation: .silu, tape: tape)
        var vectors = [ObjectIdentifier: Tensor]()
        for resnet in resnets {
            if let projection = resnet.timeEmbProj { vectors[ObjectIdentifier(resnet)] = projection(activated, tape: tape) }
        }
        if tape == nil { timeCache.store(vectors, for: timesteps, version: version) }
        return vectors
    }
}

/// What the deep part of a U-Net said in one evaluation, for the next ones (DeepCache, Ma et al., 2312.00858): from one step of a sampler to
/// the next it changes little, while the layers at full resolution follow the latents.
public struct DeepFeatures {
    /// How many layers of the last up block are computed in every evaluation; a block has one more than `layers_per_block`, and larger
    /// numbers mean all of it.
    public let layers: Int
    /// What goes into the first of these layers, [N, H, W, C]; nil before a whole evaluation.
    public var features: Tensor?

    /// - Parameters:
    ///   - layers: at least 1.
    ///   - features: nil to have the next evaluation leave them.
    public init(layers: Int, features: Tensor? = nil) {
        precondition(layers > 0, "the last layer reads the latents and cannot be left out")
        self.layers = layers
        self.features = features
    }

    func firstLayer(of count: Int) -> Int { max(0, count - layers) }
}

/// A prompt's keys and values in every attention of one U-Net, without adapters.
public struct PromptConditioning {
    /// [1, T, crossAttentionDim]
    public let states: Tensor
    let keysValues: [KeysValues]
}

/// Prompts and adapters of a batch, ready for many evaluations.
public struct UNetConditioning {
    /// Size of the batch.
    public let samples: Int
    let pairs: [ObjectIdentifier: KeysValues]
    let adapters: LoRABatch?
    /// The shares of the threads.
    let lanes: [Lane]

    /// Some samples of the batch and what belongs to them, sharing memory.
    struct Lane {
        let samples: Range<Int>
        let pairs: [ObjectIdentifier: KeysValues]
        let adapters: LoRABatch?
    }

    init(samples: Int, pairs: [ObjectIdentifier: KeysValues], adapters: LoRABatch?, usesLanes: Bool = false) {
        self.samples = samples
        self.pairs = pairs
        self.adapters = adapters
        let count = usesLanes ? min(samples, Parallel.threads) : 1
        lanes = (0..<count).map { index in
            let range = samples * index / count..<samples * (index + 1) / count
            return Lane(
                samples: range,
                pairs: pairs.mapValues { KeysValues(key: $0.key.rows(range), value: $0.value.rows(range)) },
                adapters: adapters?.rows(range))
        }
    }
}

/// The projected time embeddings of the last time steps: every picture of a sampler with so many steps asks for the same ones.
private struct TimeVectorCache {
    private static let limit = 128
    private var entries: [[Float]: [ObjectIdentifier: Tensor]] = [:]
    private var version = -1

    func vectors(for timesteps: [Float], version: Int) -> [ObjectIdentifier: Tensor]? {
        version == self.version ? entries[timesteps] : nil
    }

    mutating func store(_ vectors: [ObjectIdentifier: Tensor], for timesteps: [Float], version: Int) {
        if version != self.version || entries.count >= Self.limit { entries.removeAll() }
        self.version = version
        entries[timesteps] = vectors
    }
}
