import Testing

@testable import TensorKit

/// Blocks cut from one range of addresses: they never overlap, and what is given back is used again.
@Suite struct StorageArenaTests {
    private static let unit = StorageArena.granularity

    private static func take(
        _ arena: inout StorageArena, _ bytes: Int
    ) throws -> (address: UnsafeMutableRawPointer, isNew: Bool) {
        let found = arena.take(bytes)
        return try #require(found)
    }

    @Test func gapsAreJoinedAndUsedAgain() throws {
        var arena = try #require(StorageArena(capacity: 64 * Self.unit))
        let blocks = try (0..<4).map { _ in try Self.take(&arena, 4 * Self.unit).address }
        #expect(arena.top == 16 * Self.unit)
        // The two in the middle make room for one that is larger than either.
        arena.give(blocks[2], 4 * Self.unit, keeps: true)
        arena.give(blocks[1], 4 * Self.unit, keeps: true)
        #expect(arena.keptBytes == 8 * Self.unit)
        let wide = try Self.take(&arena, 7 * Self.unit)
        #expect(wide.address == blocks[1] && !wide.isNew)
        #expect(arena.top == 16 * Self.unit && arena.keptBytes == Self.unit)
        // What is free at the end grows instead of staying behind.
        arena.give(blocks[3], 4 * Self.unit, keeps: true)
        let long = try Self.take(&arena, 10 * Self.unit)
        #expect(long.address == wide.address + 7 * Self.unit && arena.top == 21 * Self.unit)
        let tooLarge = arena.take(44 * Self.unit)
        #expect(tooLarge == nil, "there are 43 units left")
    }

    @Test func whatIsNotKeptComesBackEmpty() throws {
        var arena = try #require(StorageArena(capacity: 16 * Self.unit))
        let (first, second) = (try Self.take(&arena, 2 * Self.unit), try Self.take(&arena, Self.unit))
        first.address.storeBytes(of: 7, as: Int.self)
        arena.give(first.address, 2 * Self.unit, keeps: false)
        #expect(arena.keptBytes == 0)
        let again = try Self.take(&arena, Self.unit)
        #expect(again.address == first.address && again.isNew && again.address.load(as: Int.self) == 0)
        arena.give(second.address, Self.unit, keeps: true)
        arena.releaseAll()
        #expect(arena.top == Self.unit && arena.keptBytes == 0)
    }

    /// A few thousand random takes and gives of blocks that are filled with their own number.
    @Test func blocksNeverOverlap() throws {
        var arena = try #require(StorageArena(capacity: 4096 * Self.unit))
        var state: UInt64 = 1
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        var held: [(address: UnsafeMutableRawPointer, units: Int, number: Int)] = []
        var most = 0
        for number in 0..<3000 {
            if held.count > 20 || (number % 3 == 0 && !held.isEmpty) {
                let block = held.remove(at: random(held.count))
                for unit in 0..<block.units {
                    #expect((block.address + unit * Self.unit).load(as: Int.self) == block.number)
                }
                arena.give(block.address, block.units * Self.unit, keeps: random(4) > 0)
            } else {
                let units = 1 + random(30)
                let block = try Self.take(&arena, units * Self.unit).address
                for unit in 0..<units { (block + unit * Self.unit).storeBytes(of: number, as: Int.self) }
                held.append((block, units, number))
            }
            most = max(most, held.reduce(0) { $0 + $1.units })
        }
        #expect(arena.top < 2 * most * Self.unit, "\(arena.top / Self.unit) units for \(most)")
    }
}
