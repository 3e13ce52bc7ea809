import EngineAPI
import Testing

@testable import Engine

/// Two rooms name the samplers, one for values that travel and one for what draws; they must mean the same.
@Suite struct SamplerNameTests {
    @Test(arguments: SchedulerName.allCases) func aSamplerIsItselfInBothRooms(name: SchedulerName) {
        #expect(SchedulerName(name.kind) == name && name.kind.rawValue == name.rawValue)
    }
}
