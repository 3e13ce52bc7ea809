/// How a convolution is calculated.
public enum ConvolutionAlgorithm: String, Sendable {
    /// Sums of products, as written.
    case direct
    /// Winograd's minimal filtering (Lavin and Gray 2016), sixteen results (of four by four) at a time: fewer products, a less exact sum, four times
    /// the memory (`Winograd`).
    case winograd
    /// The same with four results at a time: less fast, less memory.
    case winograd2
    /// Directly, products of bfloat16 numbers summed in float32.
    case bfloat16
    /// Directly, with weights that are kept in bfloat16 and widened in registers (`PanelLayout`).
    case halfStored
    /// Directly in float32, with weights that are kept in bfloat16 and widened into memory for the call: for large images, where that is little
    /// beside the products.
    case widened
    /// Directly in float32, with weights fetched ahead of their use (`PanelProduct`).
    case panels
    /// Directly, products of half-precision numbers with short sums in half precision (`PanelProduct`).
    case half
    /// `winograd` with such products.
    case halfWinograd
    /// `winograd2` with such products.
    case halfWinograd2
    /// `half` with products of bfloat16 numbers, summed in float32.
    case brain
    /// `winograd` with such products.
    case brainWinograd
    /// `winograd2` with such products.
    case brainWinograd2
    /// `winograd` with weights that are kept as the model has them and turned at use (`KernelPanels`).
    case turning
    /// `winograd2` with such weights.
    case turning2
    /// `turning` with products made where the weights are turned: for few tiles (`TurningTile`).
    case turningInRegisters
    /// `brainWinograd` with such weights.
    case brainTurning
    /// `brainWinograd2` with such weights.
    case brainTurning2

    /// The numbers that our own direct products are made of.
    var direct: PanelNumber? {
        switch self {
        case .half: .binary16
        case .brain: .bfloat16
        case .panels: .float32
        default: nil
        }
    }
    /// The numbers that are multiplied after Winograd's turns, and the turns.
    var winograd: (number: PanelNumber, turns: WinogradTurns)? {
        switch self {
        case .halfWinograd: (.binary16, .four)
        case .halfWinograd2: (.binary16, .two)
        case .brainWinograd, .brainTurning: (.bfloat16, .four)
        case .brainWinograd2, .brainTurning2: (.bfloat16, .two)
        case .winograd, .turning, .turningInRegisters: (.float32, .four)
        case .winograd2, .turning2: (.float32, .two)
        default: nil
        }
    }
    /// Whether the weights of Winograd's filtering are turned at use.
    var turnsKernels: Bool {
        switch self {
        case .turning, .turning2, .turningInRegisters, .brainTurning, .brainTurning2: true
        default: false
        }
    }
}

/// A convolution layer's arithmetic: one geometry and one weight that stays the same over many calls.
public final class ConvolutionKernel {
    public let geometry: ConvolutionGeometry
    /// Overrides the choice between the algorithms.
    public var algorithm: ConvolutionAlgorithm?
    /// What may be chosen.
    public var precision = Precision.f32 {
        didSet {
            pointwise?.precision = precision
            if precision != oldValue { packed.removeAll() }
        }
    }
    /// Positions of a batch's images from which on layouts of the weight that Winograd turned are worth their memory.
    public var winogradFrom = fewestPositions
    /// By slot: a plan runs on one thread at a time.
    private let plans = (0..<Parallel.slots).map { _ in PlanCache<ConvolutionPlan.Key, ConvolutionPlan?>() }
    private let gradientPlans = PlanCache<ConvolutionGradientPlan.Key, ConvolutionGradientPlan?>()
    private let packed = PackedWeights()
    private let packedForGradient = PackedWeights()
    /// On channels-last data a 1x1 convolution is a product of matrices.
    private let pointwise: LinearKernel?

    /// Bytes in which the weight is kept for calculating.
    public var layoutBytes: Int { packed.bytes + packedForGradient.bytes + (pointwise?.layoutBytes ?? 0) }

    /// Forgets the layouts of the weight; the next call makes them anew.
    public func releaseLayouts() {
        packed.removeAll()
        packedForGradient.removeAll()
        pointwise?.releaseLayouts()
    }

    public init(_ geometry: ConvolutionGeometry) {
        self.geometry = geometry
        let isPointwise =
            geometry.kernelHeight == 1 && geometry.kernelWidth == 1 && geometry.stride == 1 && geometry.padding == Padding(0)
        pointwise = isPointwise ? LinearKernel(inFeatures: geometry.inChannels, outFeatures: geometry.outChannels) : nil
    }

    /// `forward` with a weight in memory, [out, in, kh, kw].
    public func forward(
        _ x: Tensor, weight: Tensor, version: Int, bias: Tensor? = nil, addingPerSample channelVector: Tensor? = nil,
        adding residual: Tensor? = nil, activation: Activation = .identity
    ) -> Tensor {
        forward(
            x, weight: WeightSource(weight, version: version), bias: bias, addingPerSample: channelVector, adding: residual,
            activation: activation)
    }

    /// activation(conv(x) + bias + channelVector + residual)
    /// - Parameters:
    ///   - x: [N, H, W, in]
    ///   - weight: [out, in, kh, kw]
    ///   - bias: [out]
    ///   - channelVector: [N, out], added at every position of a sample.
    ///   - residual: added to the result, [N, H', W', out].
    ///   - activation: applied last.
    /// - Returns: [N, H', W', out]
    public func forward(
        _ x: Tensor, weight: WeightSource, bias: Tensor? = nil, addingPerSample channelVector: Tensor? = nil,
        adding residual: Tensor? = nil, activation: Activation = .identity
    ) -> Tensor {
        let output = geometry.outputShape(of: x.shape)
        let outputs = geometry.outChannels
        require(weight.shape == geometry.weightShape, "a weight \(weight.shape) for a convolution \(geometry.weightShape)")
        require(bias.map { $0.count == outputs } ?? true, "a bias of \(bias?.shape ?? []) for \(outputs) channels")
        require(residual.map { $0.shape == output } ?? true, "a residual \(residual?.shape ?? []) for a result \(output)")
        require(
            channelVector.map { $0.count == output[0] * outputs } ?? true,
            "a channel vector \(channelVector?.shape ?? []) for a result \(output)")
        guard x.count > 0 else { return Tensor(zeros: output) }
        // Where all samples share the vector (one time step for the whole batch), it is part of the bias.
        var (bias, perSample) = (bias, channelVector)
        if let vector = channelVector, Self.rowsAreEqual(vector, width: outputs) {
            let shared = Tensor(shape: [outputs], storage: vector.storage, offset: vector.offset)
            bias = bias.map { Kernels.add(shared, $0.reshaped([outputs])) } ?? shared
            perSample = nil
        }
        let fusing = perSample == nil
        if let pointwise, fusing {
            return pointwise.forward(
                x, weight: weight.reshaped([outputs, geometry.inChannels]), bias: bias, adding: residual, activation: activation)
        }
        let y = Tensor(uninitialized: output)
        guard
            let plan = plan(
                x.shape, isHalf: weight.isHalf, hasBias: bias != nil,
                hasResidual: fusing && residual != nil,
                activation: fusing ? activation : .identity,
                trial: { $0.run(x, self.packed, weight, bias: bias, residual: fusing ? residual : nil, into: y) })
        else {
            let plain = PlainKernels.convolution(x, weight: weight.tensor(), bias: bias, geometry: geometry)
            Kernels.finish(plain, adding: residual, addingPerSample: perSample, activation: activation)
            return plain
        }
        let inside = fusing && plan.isFused
        Profile.measure(
            "convolution",
            "\(geometry.kernelHeight)x\(geometry.kernelWidth)/\(geometry.stride) \(x.shape) to \(outputs), \(plan.implementation)",
            operations: geometry.operations(of: x.shape)
        ) {
            plan.run(x, packed, weight, bias: bias, residual: inside ? residual : nil, into: y)
        }
        if !inside { Kernels.finish(y, adding: residual, addingPerSample: perSample, activation: activation) }
        return y
    }

    private func plan(
        _ input: [Int], isHalf: Bool, hasBias: Bool, hasResidual: Bool, activation: Activation,
        trial: (ConvolutionPlan) -> Void
    ) -> ConvolutionPlan? {
        var key = ConvolutionPlan.Key(
            input: input, hasBias: hasBias, hasResidual: hasResidual, activation: activation, algorithm: algorithm ?? .direct)
        let plans = plans[Parallel.slot]
        func made(_ algorithm: ConvolutionAlgorithm) -> ConvolutionPlan? {
            key.algorithm = algorithm
            key.keepsHalf = isHalf || (algorithm.turnsKernels && precision == .fast)
            return plans.plan(for: key) { ConvolutionPlan(geometry, key) }
        }
        if let algorithm { return made(algorithm) ?? made(.direct) }
        let candidates = candidates(input)
        guard candidates.count > 1 else {
            return made(candidates[0]) ?? made(candidates[0] == .widened ? .halfStored : .direct) ?? made(.direct)
        }
        let choice = choices[Parallel.slot].algorithm(for: input, precision) {
            var name = candidates[0].rawValue
            // Tried on what is to be calculated now: no numbers of their own.
            packed.trying {
                name = KernelLedger.shared.choice(
                    "conv \(geometry.inChannels)>\(geometry.outChannels) \(geometry.kernelHeight)x\(geometry.kernelWidth)/\(geometry.stride) "
                        + "\(input[0])x\(input[1])x\(input[2]) \(precision.rawValue)\(isHalf ? " of half" : "")",
                    among: candidates.map(\.rawValue),
                    make: { ConvolutionAlgorithm(rawValue: $0).flatMap(made) }, run: trial)
                return ConvolutionAlgorithm(rawValue: name).flatMap(made)?.kept.layout
            }
            return name
        }
        return made(choice) ?? made(.direct)
    }

    private let choices = (0..<Parallel.slots).map { _ in ConvolutionChoices() }

    /// The ways worth a trial, the most trusted first. Small layers have one, so that no clock decides about them.
    private func candidates(_ input: [Int]) -> [ConvolutionAlgorithm] {
        let (weights, smaller) = (geometry.weightShape.reduce(1, *), min(geometry.inChannels, geometry.outChannels))
        let operations = geometry.operations(of: input)
        let number = precision == .fast ? LinearKernel.halfNumber(geometry.outChannels, weights: weights) : nil
        let hasHalfProducts = number != nil
        let half: ConvolutionAlgorithm = number == .bfloat16 ? .brain : .half
        let isHalf =
            precision == .fast && !hasHalfProducts
            && Self.isWorthHalving(
                weights, numbers: input[0] * input[1] * input[2] * (geometry.inChannels + geometry.outChannels))
        guard smaller >= 128, operations >= 2e8 else { return [hasHalfProducts ? half : isHalf ? .bfloat16 : .direct] }
        let positions = input[0] * input[1] * input[2]
        let hasManyRows = positions >= Self.manyRows
        var list: [ConvolutionAlgorithm] =
            hasHalfProducts
            ? [half]
            : !isHalf
                ? [.direct]
                : !hasManyRows ? [.bfloat16, .halfStored] : [LinearKernel.fastestProducts == .bfloat16 ? .bfloat16 : .widened]
        if !isHalf && !hasHalfProducts && !hasManyRows && weights >= Self.largeCount { list.append(.panels) }
        if geometry.isWinogradable && positions >= Self.tilePositions {
            let products = number ?? (isHalf && !hasManyRows ? nil : .float32)
            if let products, let filtering = winograd(input, products, weights: weights, isHalf: isHalf) {
                list.append(filtering)
            }
        }
        return list
    }

    /// Winograd's filtering as it is fastest for products of these numbers; nil where its layout of the weight is not worth its memory.
    private func winograd(_ input: [Int], _ products: PanelNumber, weights: Int, isHalf: Bool) -> ConvolutionAlgorithm? {
        let positions = input[0] * input[1] * input[2]
        // Turned weights take 4 or 1.8 times the memory of direct ones: only where there is much to multiply with them.
        let most =
            products != .float32
            ? (input[1] * input[2] < 1024 ? 8 << 20 : 16 << 20) : positions < 1024 ? 4 << 20 : isHalf ? 6 << 20 : 8 << 20
        let isFour = positions >= Self.manyRows && positions >= winogradFrom && weights <= most
        let tiles = input[0] * ((input[1] + 3) / 4) * ((input[2] + 3) / 4)
        // Turning weights at use costs what a few tiles cost; up to some number of tiles that is less than turned ones cost from memory. F(2 x 2)
        // turns with less work: for the fewest.
        let turnsAtUse = tiles <= (products == .float32 ? 160 : 24) || !isFour
        // Of bfloat16 numbers only where one tile waits for memory anyway: their products are too fast for it.
        let mostInRegisters =
            switch products {
            case .float32: 4
            case .bfloat16: 1
            case .binary16: 0
            }
        if Precision.hasWideVectors && tiles <= mostInRegisters { return .turningInRegisters }
        guard positions >= Self.fewestPositions else { return nil }
        switch products {
        case .binary16: return positions < winogradFrom ? nil : isFour ? .halfWinograd : .halfWinograd2
        case .bfloat16: return !turnsAtUse ? .brainWinograd : tiles < 16 ? .brainTurning2 : .brainTurning
        case .float32: return !turnsAtUse ? .winograd : tiles < 4 ? .turning2 : .turning
        }
    }

    /// From this number of weights on it matters how they come from memory.
    static let largeCount = 1 << 20
    /// From this number of rows on it is the products that take time, not bringing the weight from memory.
    public static let manyRows = 256
    /// From this number of positions on Winograd's algorithms can be faster than direct products.
    public static let fewestPositions = 64
    /// Results of a tile: with fewer positions there is nothing to filter.
    private static let tilePositions = 16
    /// Whether a weight is kept in bfloat16 where that is allowed: large ones, unless the numbers that go through the layer are many times more.
    static func isWorthHalving(_ weights: Int, numbers: Int) -> Bool {
        Precision.hasBrainFloat && weights >= 1 << 16 && numbers < 4 * weights
    }

    private static func rowsAreEqual(_ vector: Tensor, width: Int) -> Bool {
        let p = vector.pointer
        for i in width..<max(width, vector.count) where p[i] != p[i - width] { return false }
        return true
    }

    /// Gradient of the input of `inputShape` from the gradient of the output [N, H', W', out].
    public func inputGradient(_ gradient: Tensor, weight: Tensor, version: Int, inputShape: [Int]) -> Tensor {
        require(gradient.shape == geometry.outputShape(of: inputShape), "gradient \(gradient.shape) for an input \(inputShape)")
        let key = ConvolutionGradientPlan.Key(input: inputShape, isForWeight: false)
        guard let plan = gradientPlans.plan(for: key, make: { ConvolutionGradientPlan(geometry, key) }) else {
            return PlainKernels.convolutionInputGradient(gradient, weight: weight, inputShape: inputShape, geometry: geometry)
        }
        let result = Tensor(uninitialized: inputShape)
        plan.runForInput(gradient, packedForGradient, WeightSource(weight, version: version), into: result)
        return result
    }

    /// Gradient of the weight, [out, in, kh, kw].
    public func weightGradient(_ gradient: Tensor, x: Tensor) -> Tensor {
        require(gradient.shape == geometry.outputShape(of: x.shape), "gradient \(gradient.shape) for an input \(x.shape)")
        let key = ConvolutionGradientPlan.Key(input: x.shape, isForWeight: true)
        guard let plan = gradientPlans.plan(for: key, make: { ConvolutionGradientPlan(geometry, key) }) else {
            return PlainKernels.convolutionWeightGradient(gradient, x: x, geometry: geometry)
        }
        let result = Tensor(uninitialized: geometry.weightShape)
        plan.runForWeight(gradient, x, into: result)
        return result
    }
}

/// What the ledger said, by shape: asking it is not free.
private final class ConvolutionChoices {
    private var entries: [(input: [Int], precision: Precision, algorithm: ConvolutionAlgorithm)] = []

    func algorithm(for input: [Int], _ precision: Precision, choose: () -> String) -> ConvolutionAlgorithm {
        if let known = entries.first(where: { $0.input == input && $0.precision == precision }) { return known.algorithm }
        let algorithm = ConvolutionAlgorithm(rawValue: choose()) ?? .direct
        if entries.count >= 64 { entries.removeFirst() }
        entries.append((input, precision, algorithm))
        return algorithm
    }
}
