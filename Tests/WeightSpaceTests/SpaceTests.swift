import Checkpoints
import Foundation
import TensorKit
import Testing

@testable import WeightSpace

/// The built-in space, and spaces that are broken in one way each.
struct SpaceTests {
    /// A copy of the built-in space that links to everything but the files that a test changes.
    private func brokenSpace(_ name: String, _ change: (URL) throws -> Void) throws -> (any Error)? {
        let folder = try TemporaryFolder()
        let original = try #require(BuiltInSpace.folder)
        for part in try FileManager.default.contentsOfDirectory(atPath: original.path) {
            let (from, to) = (original.appendingPathComponent(part), folder.url.appendingPathComponent(part))
            if part == name {
                try FileManager.default.copyItem(at: from, to: to)
            } else {
                try FileManager.default.createSymbolicLink(at: to, withDestinationURL: from)
            }
        }
        try change(folder.url.appendingPathComponent(name))
        do {
            _ = try Space(folder.url)
            return nil
        } catch {
            return error
        }
    }

    private func replace(_ old: String, _ new: String) -> (URL) throws -> Void {
        { url in
            let text = try String(contentsOf: url, encoding: .utf8)
            #expect(text.contains(old))
            try text.replacingOccurrences(of: old, with: new).write(to: url, atomically: true, encoding: .utf8)
        }
    }

    @Test func theBuiltInSpaceIsWholeAndUndamaged() throws {
        let space = try Space(#require(BuiltInSpace.folder), verifying: true)
        #expect(space.identities.count == 544 && space.layout.vectorLength == 6272 && space.latentDimension == 64)
        #expect(space.codes.count == 544 * 64 && space.axes.count == 64)
        #expect(space.axes.filter(\.isActive).count >= 48)
        let row = try #require(space.row(of: "p00042"))
        #expect(row == 41)
        let vector = try space.vector(at: row)
        #expect(vector.shape == [1, 6272])
        #expect(try space.fingerprint().count == 64)
    }

    @Test func codesOfTheBuiltInSpaceAreWhatItsVAEGives() throws {
        let space = try Space.builtIn()
        let vae = try #require(space.vae)
        let rows = try #require(space.weights).tensor(rows: 0..<8)
        expectClose(vae.encode(rows).mean, Tensor([8, 64], Array(space.codes[0..<(8 * 64)])), tolerance: 1e-3, "codes")
    }

    @Test func heldOutPeopleAreReconstructed() throws {
        let space = try Space.builtIn()
        let (vae, record) = (try #require(space.vae), try #require(space.record))
        let rows = record.heldOut("test").compactMap(space.row(of:))
        #expect(rows.count == 54)
        let vectors = try #require(space.weights).tensor()
        let test = vectors.gathering(rows)
        let decoded = vae.decode(vae.encode(test).mean)
        let others = vectors.gathering((0..<544).filter { !rows.contains($0) })
        let mean = try Spectrum(of: others, components: 1)
        let error = Kernels.sumOfSquares(Kernels.scaledDifference(decoded, test, factor: 1))
        let r2 = 1 - error / mean.squaredDistance(of: test)
        #expect(r2 > 0.57, "R2 \(r2)")
        #expect(abs(r2 - (record.result("test_r2") ?? 0)) < 0.02)
    }

    @Test func anAdapterHasTheFactorsOfTheVector() throws {
        let space = try Space.builtIn()
        let vector = try space.vector(at: 3)
        let adapter = space.layout.adapter(of: vector)
        #expect(adapter.scale == 27 && adapter.factors.count == space.layout.adapters.count)
        let item = space.layout.adapters[5]
        let factors = try #require(adapter.factors[item.module])
        #expect(factors.a.shape == [1, item.inFeatures] && factors.b.shape == [item.outFeatures, 1])
        #expect(factors.b.array == Array(vector.array[item.b]))
    }

    @Test func aMissingPartIsNamed() throws {
        let error = try brokenSpace("vae.json") { try FileManager.default.removeItem(at: $0) }
        #expect("\(try #require(error))".contains("the part \"vae\" is missing"))
    }

    @Test func aTruncatedPartIsNamed() throws {
        let error = try brokenSpace("vae.safetensors") { url in
            let data = try Data(contentsOf: url)
            try data.prefix(data.count / 2).write(to: url)
        }
        #expect("\(try #require(error))".contains("vae.safetensors: ends too early"))
    }

    @Test func unknownKeysAreRefused() throws {
        let error = try brokenSpace("space.json", replace("\"codes\":", "\"kodes\":"))
        #expect("\(try #require(error))".contains("\"kodes\" is unknown"))
    }

    @Test func anUnknownSamplerIsRefused() throws {
        let error = try brokenSpace("space.json", replace("\"scheduler\": \"dpmpp-2m\"", "\"scheduler\": \"unipc\""))
        let text = "\(try #require(error))"
        #expect(text.contains("\"defaults.scheduler\" should be one of ddim, pndm") && text.contains("unipc"), "\(text)")
    }

    @Test func aVAEOfAnotherLayoutIsRefused() throws {
        let length = try brokenSpace("vae.json", replace("\"vector_length\": 6272", "\"vector_length\": 99648"))
        #expect("\(try #require(length))".contains("99648"))
        let layout = try brokenSpace("layout.json", replace("\"alpha\": 27", "\"alpha\": 26"))
        #expect("\(try #require(layout))".contains("vectors of another layout"))
    }

    @Test func aTableOfOtherLengthIsRefused() throws {
        let error = try brokenSpace("identities.csv") { url in
            let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n").dropLast()
            try lines.joined(separator: "\n").write(to: url, atomically: true, encoding: .utf8)
        }
        #expect("\(try #require(error))".contains("[543 identities"))
    }

    @Test func aFolderThatIsNoSpaceSaysSo() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: SpaceError.self) { try Space(folder.url) }
        #expect(error?.message.contains("holds no space.json") == true)
    }

    @Test func layoutsThatCannotBeAreRefused() {
        let a = (module: "m", factor: LoRALayout.Factor.a, shape: [1, 4])
        let b = (module: "m", factor: LoRALayout.Factor.b, shape: [6, 1])
        #expect(throws: Never.self) { try LoRALayout(rank: 1, alpha: 27, entries: [a, b], file: "x") }
        #expect(throws: CheckpointError.self) { try LoRALayout(rank: 1, alpha: 27, entries: [a], file: "x") }
        #expect(throws: CheckpointError.self) { try LoRALayout(rank: 1, alpha: 27, entries: [a, a, b], file: "x") }
        #expect(throws: CheckpointError.self) { try LoRALayout(rank: 2, alpha: 27, entries: [a, b], file: "x") }
    }

    @Test func tablesAreReadAsRFC4180Says() throws {
        let table = try IdentityLabels(csv: "identity,\"Big, Nose\",Age\r\n\"a \"\"b\"\"\",1,\r\nc,0.5,40\r\n", file: "t.csv")
        #expect(table.names == ["a \"b\"", "c"] && table.attributeNames == ["Big, Nose", "Age"])
        #expect(table.values[0] == 1 && table.values[1].isNaN && table.values[3] == 40)
        let error = #expect(throws: SpaceError.self) { try IdentityLabels(csv: "identity,Age\na,old\n", file: "t.csv") }
        #expect(error?.message == "t.csv:2: Age is \"old\", not a number")
        #expect(throws: SpaceError.self) { try IdentityLabels(csv: "identity\na\na\n", file: "t.csv") }
    }
}
