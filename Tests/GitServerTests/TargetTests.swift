import GitCore
import Testing

@testable import GitServer

/// What the target of a request is taken for.
@Suite struct TargetTests {
    @Test(arguments: [
        "/..", "/../a", "/a/..", "/a/../b", "/.", "/./a", "/%2e%2e/a", "/%2E./a", "/.%2e/a",
        "/%2e/a",
        "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/..\\a", "/a%00", "/a%0ab", "/a%7f", "/a%", "/a%2",
        "/a%zz", "/a%+1", "a", "", "http://x/a", "/a b", "/a#b", "*", "/?a=%zz", "/?%zz=a",
    ])
    func refuses(_ target: ByteString) {
        #expect(RequestTarget(parsing: target) == nil)
    }

    @Test func decodesOnce() throws {
        let target = try #require(RequestTarget(parsing: "/%252e%252e/%61%2562?c=%2525"))
        #expect(target.path == ["%2e%2e", "a%62"])
        #expect(target.value("c") == "%25")
    }

    @Test func takesAnEncodedSlashWhereItIsAllowed() {
        let target = RequestTarget(parsing: "/a%2fb/c%2F%2Fd", allowsSlash: true)
        #expect(target?.path == ["a/b", "c//d"])
        for path: ByteString in ["/..%2fa", "/a%2f..", "/a%2F.%2Fb", "/a%5cb", "/%2e%2e", "/a/.."] {
            #expect(RequestTarget(parsing: path, allowsSlash: true) == nil)
        }
    }

    @Test func takesEmptyComponentsForNone() {
        #expect(RequestTarget(parsing: "//a///b/")?.path == ["a", "b"])
        #expect(RequestTarget(parsing: "/")?.path == [])
    }

    @Test func takesNamesOfAnyBytes() {
        #expect(
            RequestTarget(parsing: "/é/%c3%a9/%ff/...")?.path == [
                "é", "é", ByteString([0xff]), "...",
            ])
    }

    @Test func refusesToChooseBetweenValues() {
        let target = RequestTarget(parsing: "/?a=1&b=2&a=1&c&d=")
        #expect(target?.value("a") == nil)
        #expect(target?.value("b") == "2")
        #expect(target?.value("c") == "" && target?.value("d") == "" && target?.value("e") == nil)
    }
}
