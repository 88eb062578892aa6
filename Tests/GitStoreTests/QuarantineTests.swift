import Foundation
import GitCore
import Testing

@testable import GitStore

@Suite struct QuarantineTests {
    @Test(arguments: ObjectFormat.allCases, [1, 100])
    func keepsObjectsApartUntilTheyAreMigrated(format: ObjectFormat, unpackLimit: Int) throws {
        let fixture = try ReceivingFixture(format)
        let before = try fixture.files()
        let tip = try fixture.commit("more", ["a/f1": "changed\n"])
        let pack = try fixture.pack("main ^main~1")
        let host = try fixture.host()
        var settings = ReceiveSettings()
        settings.unpackLimit = unpackLimit
        for size in [1, 1 << 16] {
            let quarantine = try Quarantine(host)
            #expect(try quarantine.receive(pack, settings, size: size) == 4)
            #expect(try quarantine.database.header(tip).kind == .commit)
            #expect(try !host.objects.contains(tip))
            #expect(
                try fixture.oracle.run(["cat-file", "-e", tip.hex], in: "host.git").status != 0)
            // Git's own programs see it through the environment.
            let seen = try fixture.oracle.run(
                ["cat-file", "-t", tip.hex], in: "host.git",
                variables: Dictionary(
                    uniqueKeysWithValues: quarantine.variables.map {
                        ($0.name, String(decoding: $0.value.bytes, as: UTF8.self))
                    }))
            #expect(seen.text == "commit", "\(seen.errors)")
            quarantine.discard()
            #expect(try fixture.files() == before)
        }
        let quarantine = try Quarantine(host)
        try quarantine.receive(pack, settings)
        #expect(try quarantine.connectivityFaults(of: [tip], in: host) == [:])
        try quarantine.migrate()
        let keeps = try fixture.files().filter { $0.hasSuffix(".keep") }
        #expect(keeps.count == (unpackLimit == 1 ? 1 : 0))
        for keep in keeps {
            let text = try fixture.oracle.text("host.git/" + keep)
            #expect(text.hasPrefix("receive-pack \(getpid()) on "))
        }
        // Not even `repack -ad` drops what no ref leads to yet.
        try fixture.oracle.git("repack", "-adq", in: "host.git")
        #expect(try host.objects.header(tip).kind == .commit)
        try fixture.oracle.git("update-ref", "refs/heads/main", tip.hex, in: "host.git")
        quarantine.release()
        #expect(try fixture.files().filter { $0.contains("keep") || $0.contains("tmp_") } == [])
        try fixture.oracle.git("fsck", "--strict", "--full", in: "host.git")
        #expect(
            try fixture.oracle.git("rev-list", "--objects", "main", in: "host.git")
                == fixture.oracle.git("rev-list", "--objects", "main", in: "work"))
    }

    @Test func migratesAPackThatIsThereAlready() throws {
        let fixture = try ReceivingFixture()
        let tip = try fixture.commit("more", ["b": "b\n"])
        let pack = try fixture.pack("main", options: [])
        var settings = ReceiveSettings()
        settings.unpackLimit = 0
        let host = try fixture.host()
        for _ in 0 ..< 2 {
            let quarantine = try Quarantine(host)
            try quarantine.receive(pack, settings)
            try quarantine.migrate()
            quarantine.release()
        }
        #expect(try host.objects.header(tip).kind == .commit)
        try fixture.oracle.git("fsck", "--strict", "--full", in: "host.git")
        #expect(try fixture.files().filter { $0.hasSuffix(".keep") } == [])
    }

    @Test func anEmptyPackIsNoObjects() throws {
        let fixture = try ReceivingFixture()
        let before = try fixture.files()
        let quarantine = try Quarantine(try fixture.host())
        #expect(try quarantine.receive(try fixture.pack("main ^main", options: [])) == 0)
        try quarantine.migrate()
        #expect(try fixture.files() == before)
        #expect(throws: StoreError.self) { try quarantine.migrate() }
    }

    @Test func leavesNothingWhereItFails() throws {
        let fixture = try ReceivingFixture()
        let before = try fixture.files()
        try fixture.commit("more", ["b": String(repeating: "b\n", count: 9_000)])
        let pack = try fixture.pack("main ^main~1")
        let host = try fixture.host()
        func fails(
            _ code: StoreError.Code, _ body: (Quarantine) throws -> Void
        ) throws -> String {
            let quarantine = try Quarantine(host)
            let error = #expect(throws: StoreError.self) { try body(quarantine) }
            #expect(error?.code == code)
            return error?.message ?? ""
        }
        _ = try fails(.corrupt) { try $0.receive(Array(pack.dropLast(3))) }
        _ = try fails(.corrupt) { try $0.receive(pack + [0]) }
        _ = try fails(.corrupt) { quarantine in
            var broken = pack
            broken[pack.count / 2] ^= 1
            try quarantine.receive(broken)
        }
        var settings = ReceiveSettings()
        settings.maximumSize = UInt64(pack.count)
        try Quarantine(host).receive(pack, settings)
        settings.maximumSize = UInt64(pack.count - 1)
        let message = try fails(.limit) { try $0.receive(pack, settings) }
        #expect(message.hasPrefix("pack exceeds maximum allowed size"))
        _ = try fails(.cancelled) { quarantine in
            try quarantine.receive {
                quarantine.cancel()
                return pack[...]
            }
        }
        struct Hangup: Error {}
        var isFirst = true
        let quarantine = try Quarantine(host)
        let error = #expect(throws: StoreError.self) {
            try quarantine.receive {
                defer { isFirst = false }
                if !isFirst { throw Hangup() }
                return pack.prefix(30)
            }
        }
        #expect(error?.cause is Hangup)
        quarantine.discard()
        #expect(try fixture.files() == before)
    }

    @Test func refusesMalformedObjectsUnlessToldOtherwise() throws {
        let fixture = try ReceivingFixture()
        let oracle = fixture.oracle
        let blob = try oracle.git("rev-parse", "main:a/f0", in: "work")
        func tip(tree: [UInt8]) throws -> ObjectID {
            let tree = try oracle.run(
                ["hash-object", "-t", "tree", "--literally", "-w", "--stdin"], in: "work",
                input: tree
            ).text
            let commit = try oracle.git("commit-tree", "-m", "x", tree, in: "work")
            return try #require(ObjectID(hex: commit))
        }
        let id = try #require(ObjectID(hex: blob)).rawBytes
        let cases: [(String, [UInt8])] = [
            ("hasDotgit", Array("100644 .GIT\0".utf8) + id),
            ("hasDotgit", Array("100644 git~1\0".utf8) + id),
            ("hasDotdot", Array("100644 ..\0".utf8) + id),
            ("fullPathname", Array("100644 a/b\0".utf8) + id),
            ("gitmodulesSymlink", Array("120000 .gitmodules\0".utf8) + id),
            ("treeNotSorted", Array("100644 b\0".utf8) + id + Array("100644 a\0".utf8) + id),
            ("zeroPaddedFilemode", Array("0100644 a\0".utf8) + id),
        ]
        let host = try fixture.host()
        for (name, tree) in cases {
            let tip = try tip(tree: tree)
            let pack = try fixture.pack("\(tip)", options: [])
            for limit in [1, 100] {
                var settings = ReceiveSettings()
                settings.unpackLimit = limit
                var notices: [String] = []
                let error = #expect(throws: StoreError.self) {
                    try Quarantine(host).receive(pack, settings) { notices.append($0) }
                }
                #expect(error?.message.contains(name) == true, "\(name): \(error as Any)")
                #expect(notices.contains { $0.hasPrefix("error: ") && $0.contains(name) })
                settings.checksObjects = false
                try Quarantine(host).receive(pack, settings)
            }
            try oracle.git("config", "receive.fsck.\(name)", "warn", in: "host.git")
            var notices: [String] = []
            try Quarantine(host).receive(pack, ReceiveSettings(try fixture.host().config)) {
                notices.append($0)
            }
            #expect(notices.contains { $0.hasPrefix("warning: ") && $0.contains(name) })
            try oracle.git("config", "receive.fsck.\(name)", "ignore", in: "host.git")
            notices = []
            try Quarantine(host).receive(pack, ReceiveSettings(try fixture.host().config)) {
                notices.append($0)
            }
            #expect(notices == [])
            try oracle.git("config", "--unset", "receive.fsck.\(name)", in: "host.git")
        }
    }

    @Test func readsItsSettings() throws {
        let fixture = try ReceivingFixture()
        func settings(_ values: [String: String]) throws -> ReceiveSettings {
            for (key, value) in values {
                try fixture.oracle.git("config", key, value, in: "host.git")
            }
            defer {
                for key in values.keys {
                    _ = try? fixture.oracle.git("config", "--unset", key, in: "host.git")
                }
            }
            return try ReceiveSettings(try fixture.host().config)
        }
        #expect(try settings([:]).checksObjects)
        #expect(try settings([:]).unpackLimit == 100)
        #expect(try settings(["transfer.unpackLimit": "7"]).unpackLimit == 7)
        #expect(
            try settings(["transfer.unpackLimit": "7", "receive.unpackLimit": "1"]).unpackLimit == 1
        )
        #expect(try !settings(["transfer.fsckObjects": "false"]).checksObjects)
        #expect(try settings(["receive.maxInputSize": "1k"]).maximumSize == 1_024)
        #expect(throws: StoreError.self) { try settings(["receive.fsck.badDate": "perhaps"]) }
        try fixture.oracle.write("skip", "# these\n\(fixture.oids[0])  # old\n")
        let skipping = try settings(["receive.fsck.skipList": fixture.oracle.root + "/skip"])
        let fault = ObjectFault(.error, "badDate", "")
        #expect(skipping.policy.treatment(of: fault, in: fixture.oids[0]) == .ignored)
        #expect(skipping.policy.treatment(of: fault, in: fixture.oids[1]) == .refused)
    }
}
