import Foundation
import ImageCore

/// Pictures that tests are made of: smooth gradients with an edge, and noise.
enum TestPictures {
    static func gradient(width: Int, height: Int) -> RGBImage {
        var image = RGBImage(width: width, height: height)
        for y in 0..<height {
            for x in 0..<width {
                let at = (y * width + x) * 3
                image.pixels[at] = UInt8(x * 255 / max(1, width - 1))
                image.pixels[at + 1] = UInt8(y * 255 / max(1, height - 1))
                image.pixels[at + 2] = x > y ? 200 : 40
            }
        }
        return image
    }

    /// A linear congruential generator: the same bytes on every run.
    static func noise(width: Int, height: Int, seed: UInt32 = 1) -> RGBImage {
        var state = seed
        let pixels = (0..<(width * height * 3)).map { _ -> UInt8 in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }
}

/// A folder of its own that goes away with the test.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/w2w-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var contents: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }
}

/// The bytes of a text in base 64, for small fixtures that a test carries itself.
func bytes(base64: String) throws -> [UInt8] {
    guard let data = Data(base64Encoded: base64) else { throw ImageFileError(reason: "a fixture is not base 64") }
    return [UInt8](data)
}
