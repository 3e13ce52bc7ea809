import Dispatch
import ImageCore
import Synchronization

/// Scales and encodes pictures on one serial queue, away from the loop; finished ones wait to be fetched.
final class PictureEncoder: Sendable {
    /// Names an encoded picture.
    struct Key: Hashable, Sendable {
        var image: UInt64
        var pixels: PixelSize
        var medium: PictureMedium
        var effort: PictureEffort
    }

    private let queue = DispatchQueue(label: "w2w.pictures", qos: .userInitiated)
    private let finished = Mutex<[(Key, PictureBlob?)]>([])
    private let notify: @Sendable () -> Void

    /// - Parameter notify: called on the queue when something can be fetched.
    init(notify: @escaping @Sendable () -> Void) {
        self.notify = notify
    }

    func submit(_ image: RGBImage, as key: Key) {
        queue.async { [self] in
            let blob = Self.encode(image, as: key)
            finished.withLock { $0.append((key, blob)) }
            notify()
        }
    }

    /// What has been finished since the last call; nil for a picture that could not be encoded.
    func fetch() -> [(Key, PictureBlob?)] {
        finished.withLock { list in
            defer { list = [] }
            return list
        }
    }

    /// Scales a picture to its size on the screen and encodes it. Not for two threads at once.
    static func encode(_ image: RGBImage, as key: Key) -> PictureBlob? {
        let scaled =
            image.width == key.pixels.width && image.height == key.pixels.height
            ? image : image.resized(width: key.pixels.width, height: key.pixels.height)
        switch key.medium {
        case .sixel: return (try? SixelEncoder.encode(scaled, effort: key.effort)).map(PictureBlob.sixel)
        case .blocks(let colour): return .rows(BlockEncoder.encode(scaled, colour: colour))
        }
    }
}
