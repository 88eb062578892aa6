import GitCore
import GitStore
import Testing

@Suite struct FormatTemplateTests {
    private func expand(_ format: String, hex: Bool = false) throws -> String {
        let template = try FormatTemplate(ByteString(format), readsHexBytes: hex)
        return template.expanded { (name: String) in ByteString("<\(name)>") }.printable
    }

    @Test func fieldsAreFilledIn() throws {
        #expect(try expand("a %(b) c%(d)(e)") == "a <b> c<d>(e)")
        #expect(try FormatTemplate("%(x)%(y:z)").fields == ["x", "y:z"])
        #expect(try expand("") == "")
    }

    @Test func percentSigns() throws {
        #expect(try expand("100%% %x %") == "100% %x %")
        #expect(try expand("%41%4", hex: false) == "%41%4")
        #expect(try expand("%41%4g%0a", hex: true) == "A%4g\\x0a")
    }

    @Test func aFieldWithoutEndIsRefused() {
        #expect(throws: ParseError.self) { try FormatTemplate("ab%(cd") }
    }

    @Test func unknownFieldsAreRefused() {
        #expect(throws: StoreError.self) { try ObjectFields("%(objectcolour)") }
        #expect(throws: StoreError.self) { try RefFields("%(refcolour)") }
        #expect(throws: StoreError.self) { try RefFields("%(objectname:short=0)") }
    }

    @Test(arguments: [
        ("a/b", "", "a/b"), ("a/b", "a/", "b"), ("a/b", "c/", "../a/b"), ("a/b", "a/c/", "../b"),
        ("ab/c", "a/", "../ab/c"), ("a", "a/b/", "../"), ("a", "a/", "./"),
        ("x", "a/b/c/", "../../../x"),
        ("a/", "a/", "./"),
    ])
    func pathsAreSeenFromADirectory(_ path: String, _ directory: String, _ expected: String) {
        #expect(ByteString(path).relative(to: ByteString(directory)) == ByteString(expected))
    }
}
