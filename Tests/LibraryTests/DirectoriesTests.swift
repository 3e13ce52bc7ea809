import Library
import Testing

@Suite struct DirectoriesTests {
    @Test func defaultsAreUnderHome() {
        let folders = Directories(environment: { ["HOME": "/home/zoe"][$0] })
        #expect(folders.configuration == "/home/zoe/.config/w2w")
        #expect(folders.library == "/home/zoe/.local/share/w2w/library.sqlite")
        #expect(folders.cache == "/home/zoe/.cache/w2w")
        #expect(folders.themes == "/home/zoe/.config/w2w/themes")
        #expect(folders.log == "/home/zoe/.local/state/w2w/w2w.log")
    }

    @Test func variablesWinUnlessRelative() {
        let variables = ["HOME": "/h", "XDG_DATA_HOME": "/data//", "XDG_CACHE_HOME": "relative", "XDG_CONFIG_HOME": "/"]
        let folders = Directories(environment: { variables[$0] })
        #expect(folders.data == "/data/w2w")
        #expect(folders.cache == "/h/.cache/w2w")
        #expect(folders.configuration == "/w2w")
    }

    @Test func withoutHomeTheSystemIsAsked() {
        #expect(Directories(environment: { _ in nil }, home: { "/somewhere" }).data == "/somewhere/.local/share/w2w")
        #expect(Directories.homeOfUser().hasPrefix("/"))
    }
}
