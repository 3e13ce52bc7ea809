/// A drawn alphabet for the texts of charts: every glyph is a few strokes of a round pen, so that any size and direction is sharp.
///
/// A stroke is a list of points of two base-36 digits, x to the right and y downwards: 0 is the top of capitals, 4 the top of small letters,
/// 12 (`c`) the base line, 16 (`g`) the foot of descenders. A point after `*` is the control point of a quadratic curve to the next one.
enum StrokeFont {
    /// Units between the top of capitals and the base line.
    static let capHeight = 12.0
    private static let gap = 3.2
    private static let space = 5.0

    private static let strokes: [Character: String] = [
        "A": "0c 40 8c,18 78", "B": "06 56 *86 83 *80 50 00 0c 5c *9c 99 *96 56", "C": "82 *80 50 *00 06 *0c 5c *8c 8a",
        "D": "00 40 *90 96 *9c 4c 0c 00", "E": "70 00 0c 7c,06 66", "F": "70 00 0c,06 66",
        "G": "82 *80 50 *00 06 *0c 5c *9c 97 57",
        "H": "00 0c,80 8c,06 86", "I": "00 0c", "J": "60 68 *6c 3c *0c 09", "K": "00 0c,80 07,34 8c", "L": "00 0c 7c",
        "M": "0c 00 57 a0 ac", "N": "0c 00 8c 80", "O": "50 *a0 a6 *ac 5c *0c 06 *00 50", "P": "0c 00 50 *80 83 *86 56 06",
        "Q": "50 *a0 a6 *ac 5c *0c 06 *00 50,79 ad", "R": "0c 00 50 *80 83 *86 56 06,46 8c",
        "S": "82 *80 40 *00 03 *06 46 *86 89 *8c 4c *0c 0a", "T": "00 80,40 4c", "U": "00 07 *0c 4c *8c 87 80", "V": "00 4c 80",
        "W": "00 3c 61 9c c0", "X": "00 8c,80 0c", "Y": "00 46 80,46 4c", "Z": "00 80 0c 8c",
        "a": "74 7c,78 *74 44 *04 08 *0c 4c *7c 78", "b": "00 0c,08 *04 34 *74 78 *7c 3c *0c 08",
        "c": "65 *64 44 *04 08 *0c 4c *6c 6b",
        "d": "70 7c,78 *74 44 *04 08 *0c 4c *7c 78", "e": "08 78 *74 44 *04 08 *0c 4c *6c 7a", "f": "50 *20 23 2c,04 54",
        "g": "74 7d *7g 3g *1g 0f,78 *74 44 *04 08 *0c 4c *7c 78", "h": "00 0c,08 *04 44 *74 77 7c", "i": "04 0c,01 01",
        "j": "24 2d *2g 0g,21 21", "k": "00 0c,64 09,27 6c", "l": "00 0a *0c 2c",
        "m": "04 0c,08 *04 34 *64 67 6c,67 *64 94 *c4 c7 cc",
        "n": "04 0c,08 *04 44 *74 77 7c", "o": "44 *84 88 *8c 4c *0c 08 *04 44", "p": "04 0g,08 *04 34 *74 78 *7c 3c *0c 08",
        "q": "74 7g,78 *74 44 *04 08 *0c 4c *7c 78", "r": "04 0c,08 *04 54", "s": "65 *64 34 *04 06 *08 38 *68 6a *6c 3c *0c 0b",
        "t": "20 2a *2c 5c,04 54", "u": "04 09 *0c 3c *7c 78,74 7c", "v": "04 3c 64", "w": "04 2c 55 8c a4", "x": "04 6c,64 0c",
        "y": "04 3c,64 2f *1g 0g", "z": "04 64 0c 6c",
        "0": "40 *80 86 *8c 4c *0c 06 *00 40", "1": "13 50 5c", "2": "03 *00 40 *80 83 *85 0c 8c",
        "3": "02 *00 40 *70 73 *76 36 46 *86 89 *8c 4c *0c 0a", "4": "6c 60 08 88", "5": "70 10 05 45 *85 88 *8c 4c *0c 0a",
        "6": "70 *00 08 *0c 4c *8c 88 *85 45 *05 08", "7": "00 80 3c",
        "8": "40 *70 73 *76 46 *16 13 *10 40,46 *86 89 *8c 4c *0c 09 *06 46",
        "9": "1c *8c 84 *80 40 *00 04 *07 47 *87 84",
        ".": "0c 0c", ",": "1b 1c 0e", ":": "05 05,0c 0c", ";": "15 15,1b 1c 0e", "-": "07 57", "+": "07 67,34 3a",
        "=": "05 65,09 69",
        "/": "0d 60", "\\": "00 6d", "(": "30 *02 07 *0c 3e", ")": "00 *32 37 *3c 0e", "[": "30 00 0e 3e", "]": "00 30 3e 0e",
        "{": "40 *20 24 *27 07 *27 2a *2e 4e", "}": "00 *20 24 *27 47 *27 2a *2e 0e", "|": "00 0e", "_": "0d 8d", "'": "00 03",
        "\"": "00 03,30 33", "!": "00 08,0c 0c", "?": "02 *00 30 *60 63 *66 38,3c 3c", "<": "63 07 6b", ">": "03 67 0b",
        "%": "20 *40 42 *44 24 *04 02 *00 20,88 *a8 aa *ac 8c *6c 6a *68 88,90 1c", "*": "31 37,12 56,52 16",
        "~": "08 *05 37 *69 66",
        "^": "03 30 63", "#": "20 1c,60 5c,04 84,08 78", "&": "8c 13 *00 30 *60 52 *46 08 *0c 3c *7c 86",
        "$": "82 *80 40 *00 03 *06 46 *86 89 *8c 4c *0c 0a,40 4c",
        "@": "78 *74 54 *34 37 *3a 5a *7a 78 *7a 9a *b9 b6 *b0 60 *00 06 *0c 7c",
        "σ": "84 44 *04 08 *0c 4c *8c 88 *84 44", "β": "0g 03 *00 30 *60 63 *65 25,25 35 *75 78 *7c 3c *0c 09",
        "λ": "00 *20 31 7c,43 0c", "μ": "04 0g,09 *0c 3c *7c 78,74 7c", "±": "06 66,33 39,0c 6c", "×": "15 6a,65 1a",
        "·": "07 07",
        "−": "07 67", "–": "07 77", "…": "0c 0c,4c 4c,8c 8c", "²": "02 *00 20 *40 42 *43 06 46",
        "°": "10 *30 31 *33 13 *03 02 *00 10",
        "≥": "02 65 08,0c 6c", "≤": "62 05 68,0c 6c", "→": "07 a7,74 a7 7a",
    ]

    private static let unknown = "00 80 8c 0c 00"

    /// The glyphs of a text, laid out from the origin on the base line to the right, y downwards.
    /// - Parameters:
    ///   - text: characters that the font lacks become boxes.
    ///   - size: height of capitals in pixels.
    /// - Returns: the strokes as lines of points, and the width of the text.
    static func layOut(_ text: String, size: Double) -> (strokes: [[PlotPoint]], width: Double) {
        let unit = size / capHeight
        var result = [[PlotPoint]]()
        var left = 0.0
        for character in text {
            guard character != " " else {
                left += space
                continue
            }
            let lines = (strokes[character] ?? unknown).split(separator: ",").map { flatten($0) }
            // Digits are equally wide, so that columns of numbers stand straight.
            let width = character.isASCII && character.isNumber ? 8 : lines.joined().reduce(0.0) { max($0, $1.x) }
            for line in lines {
                result.append(line.map { PlotPoint(x: (left + $0.x) * unit, y: ($0.y - capHeight) * unit) })
            }
            left += width + gap
        }
        return (result, max(0, left - gap) * unit)
    }

    /// A stroke as a line of points, its curves in eight pieces.
    private static func flatten(_ stroke: Substring) -> [PlotPoint] {
        var points = [PlotPoint]()
        var control: PlotPoint?
        for token in stroke.split(separator: " ") {
            let digits = token.drop { $0 == "*" }.compactMap { Int(String($0), radix: 36) }
            guard digits.count == 2 else { continue }
            let point = PlotPoint(x: Double(digits[0]), y: Double(digits[1]))
            if token.first == "*" {
                control = point
            } else if let bend = control, let start = points.last {
                for step in 1...8 {
                    let t = Double(step) / 8
                    let (a, b, c) = ((1 - t) * (1 - t), 2 * t * (1 - t), t * t)
                    points.append(
                        PlotPoint(x: a * start.x + b * bend.x + c * point.x, y: a * start.y + b * bend.y + c * point.y))
                }
                control = nil
            } else {
                points.append(point)
            }
        }
        return points
    }
}
