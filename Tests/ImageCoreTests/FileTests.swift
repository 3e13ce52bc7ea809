import Foundation
import Testing

@testable import ImageCore

@Suite struct FileTests {
    @Test func writesWholeFilesByEnding() throws {
        let folder = try TemporaryFolder()
        let image = TestPictures.gradient(width: 20, height: 10)
        for name in ["a.png", "b.JPG", "c.jpeg"] {
            try image.write(to: "\(folder.path)/\(name)")
            let back = try RGBImage(contentsOfFile: "\(folder.path)/\(name)")
            #expect(try #require(back.psnr(to: image)) > 30)
        }
        let animation = try Animation(frames: [image, image.blended(with: (0, 0, 0), amount: 0.5)])
        for name in ["d.gif", "e.apng", "f.png"] { try animation.write(to: "\(folder.path)/\(name)") }
        #expect(folder.contents.sorted() == ["a.png", "b.JPG", "c.jpeg", "d.gif", "e.apng", "f.png"])
    }

    @Test func errorsNameTheFileAndTheReason() throws {
        let folder = try TemporaryFolder()
        func message(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "no error"
            } catch {
                return "\(error)".replacingOccurrences(of: folder.path, with: "DIR")
            }
        }
        let image = RGBImage(width: 2, height: 2)
        #expect(
            message { _ = try RGBImage(contentsOfFile: folder.path + "/no.png") }
                == "DIR/no.png: cannot be opened: No such file or directory")
        #expect(message { _ = try RGBImage(contentsOfFile: folder.path) } == "DIR: not a regular file")
        try WholeFile.write([], to: folder.path + "/empty.png")
        #expect(message { _ = try RGBImage(contentsOfFile: folder.path + "/empty.png") } == "DIR/empty.png: an empty file")
        try WholeFile.write(Array("hello".utf8), to: folder.path + "/text.png")
        #expect(message { _ = try RGBImage(contentsOfFile: folder.path + "/text.png") } == "DIR/text.png: not a PNG or JPEG file")
        #expect(message { try image.write(to: folder.path + "/a.bmp") } == "DIR/a.bmp: the name must end in .png or .jpg")
        #expect(
            message { try image.write(to: folder.path + "/no/a.png") }
                == "DIR/no/a.png: cannot be written: No such file or directory")
        #expect(
            message { _ = try WholeFile.read(folder.path + "/text.png", limit: 3) } == "DIR/text.png: 5 bytes; at most 3 are read"
        )
        let png = try image.pngData()
        try WholeFile.write(Array(png.prefix(png.count - 20)), to: folder.path + "/cut.png")
        #expect(
            message { _ = try RGBImage(contentsOfFile: folder.path + "/cut.png") }.hasPrefix(
                "DIR/cut.png: damaged or cut off PNG file: "))
    }

    @Test func aPipeIsNotWaitedFor() throws {
        let folder = try TemporaryFolder()
        let pipe = folder.path + "/pipe.png"
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(throws: ImageFileError.self) { try RGBImage(contentsOfFile: pipe) }
    }

    @Test func aFailedWriteKeepsTheOldFileAndLeavesNothing() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/picture.png"
        // A folder of that name cannot be replaced by a file.
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        #expect(throws: ImageFileError.self) { try RGBImage(width: 1, height: 1).writePNG(to: path) }
        #expect(folder.contents == ["picture.png"])
    }
}
