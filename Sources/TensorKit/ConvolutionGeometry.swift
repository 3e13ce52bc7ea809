/// Rows and columns of zeros around an image.
public struct Padding: Equatable, Hashable, Sendable {
    public var top, bottom, left, right: Int

    public init(top: Int, bottom: Int, left: Int, right: Int) {
        (self.top, self.bottom, self.left, self.right) = (top, bottom, left, right)
    }

    /// The same number on all sides.
    public init(_ all: Int) { self.init(top: all, bottom: all, left: all, right: all) }
}

/// What a two-dimensional convolution is, apart from its weights and the size of its input.
public struct ConvolutionGeometry: Equatable, Hashable, Sendable {
    public let inChannels, outChannels: Int
    public let kernelHeight, kernelWidth: Int
    /// Distance of neighbouring outputs in the input, both ways.
    public let stride: Int
    public let padding: Padding

    /// - Precondition: all counts and the stride are positive, padding is not negative.
    public init(inChannels: Int, outChannels: Int, kernelHeight: Int, kernelWidth: Int, stride: Int = 1, padding: Padding) {
        require(
            inChannels > 0 && outChannels > 0 && kernelHeight > 0 && kernelWidth > 0 && stride > 0,
            "a convolution needs positive channels, kernel and stride")
        require(
            min(padding.top, padding.bottom, padding.left, padding.right) >= 0, "a convolution cannot have negative padding")
        self.inChannels = inChannels
        self.outChannels = outChannels
        self.kernelHeight = kernelHeight
        self.kernelWidth = kernelWidth
        self.stride = stride
        self.padding = padding
    }

    /// Whether Winograd's algorithms here know it: 3x3, every position, zeros around.
    var isWinogradable: Bool { kernelHeight == 3 && kernelWidth == 3 && stride == 1 && padding == Padding(1) }

    /// Whether padding reaches so far that some positions of the result see nothing of the input.
    var hasPositionsOutside: Bool {
        max(padding.top, padding.bottom) >= kernelHeight || max(padding.left, padding.right) >= kernelWidth
    }

    /// PyTorch's layout of the weight: [out, in, kernel height, kernel width].
    public var weightShape: [Int] { [outChannels, inChannels, kernelHeight, kernelWidth] }

    /// Floating-point operations of the plain algorithm for an input [N, H, W, in].
    public func operations(of input: [Int]) -> Double {
        2 * Double(outputShape(of: input).reduce(1, *)) * Double(inChannels * kernelHeight * kernelWidth)
    }

    /// Shape of the result, [N, H', W', out], of an input [N, H, W, in].
    public func outputShape(of input: [Int]) -> [Int] {
        require(input.count == 4 && input[3] == inChannels, "a convolution of \(inChannels) channels was given \(input)")
        let height = input[1] + padding.top + padding.bottom - kernelHeight
        let width = input[2] + padding.left + padding.right - kernelWidth
        require(height >= 0 && width >= 0, "an image \(input) is smaller than a kernel of \(kernelHeight)x\(kernelWidth)")
        return [input[0], height / stride + 1, width / stride + 1, outChannels]
    }
}
