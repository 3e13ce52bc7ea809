import TensorKit

/// A weight of a layer, under PyTorch's name and in PyTorch's layout.
public final class Parameter {
    public let shape: [Int]
    /// The weight; trap when it is read before it was loaded or initialised.
    public var value: Tensor {
        get {
            if let stored { return stored }
            guard let file else { preconditionFailure("a parameter of shape \(shape) was used before it was loaded") }
            let tensor = WeightSource(shape: shape, version: version, stored: file).tensor()
            file.release()
            stored = tensor
            return tensor
        }
        set {
            precondition(newValue.shape == shape, "a parameter of shape \(shape) cannot hold \(newValue.shape)")
            stored = newValue
            file = nil
            version += 1
        }
    }

    /// Sum of the gradients of the backward passes since it was last cleared, or nil.
    public var gradient: Tensor?
    /// Takes the gradient of a linear layer's weight while the backward pass is under way, so that it never lies in memory as a whole. Only for a
    /// weight that a backward pass meets once.
    public internal(set) weak var absorber: (any GradientAbsorber)?
    /// Whether its layer hands the gradient to an absorber if there is one.
    let canBeAbsorbed: Bool
    /// Grows with every change of the value: caches of derived layouts compare it.
    public private(set) var version = 0
    /// Whether a tape records gradients for it; never for a buffer.
    public var isTrainable: Bool {
        get { wantsGradient && !isBuffer }
        set { wantsGradient = newValue }
    }
    /// Numbers that a layer remembers and that no optimiser changes (`register_buffer`).
    public let isBuffer: Bool
    private var wantsGradient = true
    private var stored: Tensor?
    private var file: WeightSource.Stored?

    /// - Parameters:
    ///   - shape: of the value.
    ///   - isBuffer: the layer itself changes it.
    public convenience init(shape: [Int], isBuffer: Bool = false) {
        self.init(shape: shape, isBuffer: isBuffer, canBeAbsorbed: false)
    }

    init(shape: [Int], isBuffer: Bool, canBeAbsorbed: Bool) {
        self.shape = shape
        self.isBuffer = isBuffer
        self.canBeAbsorbed = canBeAbsorbed
    }

    /// Takes its elements from a file, where they stay until `value` is asked for. Not for parameters that several threads read through `value`.
    public func load(_ file: WeightSource.Stored) {
        stored = nil
        self.file = file
        version += 1
    }

    /// The weight as kernels take it: without bringing what lies in a file into memory.
    public var source: WeightSource {
        if stored == nil, let file { return WeightSource(shape: shape, version: version, stored: file) }
        return WeightSource(value, version: version)
    }

    /// Whether its elements lie in a file as half-precision numbers (IEEE 754 binary16).
    public var isHalf: Bool { stored == nil && file?.isHalf == true }

    /// Says that the elements of `value` were changed in place.
    public func markChanged() { version += 1 }

    /// Adds to `gradient`. A tensor that was given first may be changed by later additions.
    public func accumulateGradient(_ addition: Tensor) {
        precondition(addition.count == shape.reduce(1, *), "gradient \(addition.shape) of a parameter \(shape)")
        if let gradient {
            Kernels.accumulate(addition, into: gradient)
        } else {
            gradient = addition.reshaped(shape)
        }
    }
}

/// An optimiser that uses the gradient of a linear layer's weight as it arises.
public protocol GradientAbsorber: AnyObject {
    /// Changes the weight by the gradient `gradient`ᵀ `x`.
    /// - Parameters:
    ///   - parameter: the weight, [out, in].
    ///   - gradient: of the layer's output, [N, out].
    ///   - x: the layer's input, [N, in].
    func absorb(_ parameter: Parameter, gradient: Tensor, x: Tensor)
}

/// A layer with a choice of arithmetic, which keeps its weight in layouts for it.
public protocol PrecisionAdjustable: AnyObject {
    var precision: Precision { get set }
    /// Forgets the layouts of the weight; the next call makes them anew.
    func releaseLayouts()
    /// Bytes of the layouts that are kept now.
    var layoutBytes: Int { get }
}

/// A part of a network, named as in PyTorch so that state dictionaries fit.
public protocol Module: AnyObject {
    /// Own parameters, in PyTorch's order.
    var parameters: [(name: String, parameter: Parameter)] { get }
    /// Parts, in PyTorch's order.
    var children: [(name: String, module: any Module)] { get }
}

extension Module {
    public var parameters: [(name: String, parameter: Parameter)] { [] }
    public var children: [(name: String, module: any Module)] { [] }

    /// All parameters with their full names ("mid_block.resnets.0.conv1.weight"), in PyTorch's order.
    public func namedParameters(prefix: String = "") -> [(name: String, parameter: Parameter)] {
        parameters.map { (prefix + $0.name, $0.parameter) }
            + children.flatMap { $0.module.namedParameters(prefix: prefix + $0.name + ".") }
    }

    /// Number of all parameters' elements.
    public var parameterCount: Int { namedParameters().reduce(0) { $0 + $1.parameter.shape.reduce(1, *) } }

    /// Whether all large weights lie in files as half-precision numbers.
    public var hasHalfWeights: Bool {
        namedParameters().allSatisfy { $0.parameter.isHalf || $0.parameter.shape.reduce(1, *) < 1 << 20 }
    }

    /// Sets the precision of all layers; training needs `f32`.
    public func setPrecision(_ precision: Precision) {
        if let layer = self as? any PrecisionAdjustable { layer.precision = precision }
        for (_, child) in children { child.setPrecision(precision) }
    }

    /// Lets go of the memory in which layers keep their weights for calculating; the next call fills it anew, from the weights or their file.
    public func releaseLayouts() {
        (self as? any PrecisionAdjustable)?.releaseLayouts()
        for (_, child) in children { child.releaseLayouts() }
    }

    /// Bytes in which layers keep their weights for calculating.
    public var layoutBytes: Int {
        children.reduce((self as? any PrecisionAdjustable)?.layoutBytes ?? 0) { $0 + $1.module.layoutBytes }
    }

    /// Sets `isTrainable` of all parameters.
    public func setTrainable(_ trainable: Bool) {
        for (_, parameter) in namedParameters() { parameter.isTrainable = trainable }
    }

    /// Forgets the gradients of all parameters.
    public func clearGradients() {
        for (_, parameter) in namedParameters() { parameter.gradient = nil }
    }
}
