import Foundation
import ImageCore

/// The photographs of a space's identities: `photos/NAME.jpg` or `.png`, square pictures side by side.
public struct PhotoAlbum: Sendable {
    /// Who is in the album, in the order of the space's rows.
    public let names: [String]
    /// Row of each in the space.
    public let rows: [Int]
    /// The pictures of each, at least two; all of one size.
    public let photos: [[RGBImage]]
    /// A number for each person; equal ones have skin and hair of the same kind. Empty when the labels do not tell.
    public let kinds: [Int]

    /// Labels of skin and hair.
    static let skinAndHair = [
        "Pale_Skin", "Dark_Skin", "Bald", "Black_Hair", "Brown_Hair", "Blond_Hair", "Red_Hair", "Gray_Hair",
    ]

    /// Reads the photographs of a space.
    /// - Parameters:
    ///   - folder: the folder of the pictures.
    ///   - labels: of the identities; those without a picture are left out.
    ///   - side: pictures are shrunk to this side.
    /// - Throws: `ImageFileError` for a damaged file, `SpaceError` when there are fewer than ten people or a strip is not made of squares.
    public init(_ folder: URL, labels: IdentityLabels, side: Int) throws {
        var (names, rows, photos) = ([String](), [Int](), [[RGBImage]]())
        for (row, name) in labels.names.enumerated() where !name.contains("/") {
            let files = ["jpg", "jpeg", "png"].map { folder.appendingPathComponent("\(name).\($0)") }
            guard let file = files.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else { continue }
            photos.append(try Self.pictures(RGBImage(contentsOfFile: file.path), file: file.path, side: side))
            names.append(name)
            rows.append(row)
        }
        guard names.count >= 10 else {
            throw SpaceError(
                "\(folder.path): holds photographs of \(names.count) identities, too few to tell people apart by",
                advice: "Put at least 10 people's there, NAME.jpg each, square pictures side by side.")
        }
        self.names = names
        self.rows = rows
        self.photos = photos
        kinds = Self.kinds(labels, rows: rows)
    }

    /// The squares of a strip.
    private static func pictures(_ strip: RGBImage, file: String, side: Int) throws -> [RGBImage] {
        let count = strip.width / strip.height
        guard count >= 2, strip.width == count * strip.height else {
            throw SpaceError(
                "\(file): \(strip.width) x \(strip.height) pixels are not two or more squares side by side",
                advice: "Put the person's pictures beside each other, all square.")
        }
        return (0..<count).map {
            strip.cropped(x: $0 * strip.height, y: 0, side: strip.height).resized(width: side, height: side, filter: .box)
        }
    }

    private static func kinds(_ labels: IdentityLabels, rows: [Int]) -> [Int] {
        let columns = skinAndHair.compactMap { labels.attributeNames.firstIndex(of: $0) }
        guard !columns.isEmpty else { return [] }
        let width = labels.attributeNames.count
        return rows.map { row in columns.reduce(0) { $0 * 2 + (labels.values[row * width + $1] > 0.5 ? 1 : 0) } }
    }
}
