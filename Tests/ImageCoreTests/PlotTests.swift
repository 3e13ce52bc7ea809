import Foundation
import Testing

@testable import ImageCore

struct PlotTests {
    private func share(of image: RGBImage, where test: (UInt8, UInt8, UInt8) -> Bool) -> Double {
        var count = 0
        for i in stride(from: 0, to: image.pixels.count, by: 3)
        where test(image.pixels[i], image.pixels[i + 1], image.pixels[i + 2]) { count += 1 }
        return Double(count) / Double(image.width * image.height)
    }

    @Test func aLineIsDrawnWhereItsValuesLie() {
        var plot = Plot.line("rise", x: [0, 1], y: [0, 1])
        plot.series[0].colour = (255, 0, 0)
        let image = plot.image()
        #expect(image.width == 640 && image.height == 400)
        var places = [(x: Int, y: Int)]()
        for y in 0..<image.height {
            for x in 0..<image.width
            where image.pixels[(y * image.width + x) * 3] > 200 && image.pixels[(y * image.width + x) * 3 + 1] < 60 {
                places.append((x, y))
            }
        }
        let left = places.min { $0.x < $1.x }, right = places.max { $0.x < $1.x }
        #expect((left?.y ?? 0) - (right?.y ?? 0) > 200)
        #expect((right?.x ?? 0) - (left?.x ?? 0) > 400)
    }

    @Test func barsOfTwiceTheHeightCoverTwiceTheArea() {
        var plot = Plot.bars("two", categories: ["a", "b"], groups: [("one", [1, 0]), ("two", [0, 2])])
        plot.series[0].colour = (255, 0, 0)
        plot.series[1].colour = (0, 0, 255)
        plot.series[0].opacity = 1
        plot.series[1].opacity = 1
        plot.series[0].name = ""
        plot.series[1].name = ""
        let image = plot.image()
        let red = share(of: image) { $0 > 250 && $1 < 5 && $2 < 5 }
        let blue = share(of: image) { $0 < 5 && $1 < 5 && $2 > 250 }
        #expect(red > 0.01 && abs(blue / red - 2) < 0.05)
    }

    @Test func histogramsCountEveryFiniteValue() {
        let plot = Plot.histogram("h", groups: [("a", [0, 0.1, 0.9, 1, .nan, .infinity])], bins: 2)
        #expect(plot.series[0].y == [2, 2])
        let shares = Plot.histogram("h", groups: [("a", [0, 0.1, 0.2, 1])], bins: 2, asShare: true)
        #expect(shares.series[0].y == [0.75, 0.25])
    }

    @Test func ticksAreRoundNumbers() {
        let axis = PlotAxis([0, 100], wanted: 0...100, scale: .linear, count: 5, includesZero: false)
        #expect(axis.ticks.map(\.label) == ["0", "20", "40", "60", "80", "100"])
        let small = PlotAxis([], wanted: -0.3...0.3, scale: .linear, count: 6, includesZero: false)
        #expect(small.ticks.map(\.label) == ["-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3"])
        let powers = PlotAxis([1e-4, 100], wanted: nil, scale: .logarithmic, count: 8, includesZero: false)
        #expect(powers.ticks.map(\.label) == ["1e-4", "0.001", "0.01", "0.1", "1", "10", "100"])
        #expect(powers.position(0) == nil && powers.position(.nan) == nil)
    }

    @Test(arguments: [
        [Double](), [.nan], [0, 0, 0], [-1e300, 1e300], [.infinity, 1], [1e-30, 2e-30],
    ])
    func oddValuesNeverTrap(_ values: [Double]) throws {
        for mark in [Plot.Mark.line(), .dashes(), .points(), .bars()] {
            for scale in [Plot.Scale.linear, .logarithmic] {
                var plot = Plot("odd ☃", series: [.init("s", y: values, mark: mark)], width: 200, height: 150)
                plot.yScale = scale
                #expect(try !plot.image().pngData().isEmpty)
            }
        }
    }

    @Test func everyLetterLeavesInk() {
        for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;-+=/%()σβ²" {
            let (strokes, width) = StrokeFont.layOut(String(character), size: 12)
            #expect(!strokes.isEmpty && strokes.allSatisfy { !$0.isEmpty } && width <= 14, "\(character)")
        }
    }
}
