// swift-tools-version: 6.2
import PackageDescription

let common: [SwiftSetting] = [
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "Apus",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "apus", targets: ["apus"]),
        .library(name: "GitCache", targets: ["GitCache"]),
        .library(name: "GitClient", targets: ["GitClient"]),
        .library(name: "GitServer", targets: ["GitServer"]),
        .library(name: "GitStore", targets: ["GitStore"]),
        .library(name: "GitWire", targets: ["GitWire"]),
    ],
    targets: [
        // C: one target with real code, and module maps for the libraries of the system.
        .target(name: "CSHA1"),
        .systemLibrary(
            name: "CDeflate", pkgConfig: "libdeflate",
            providers: [.apt(["libdeflate-dev"]), .brew(["libdeflate"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),

        .systemLibrary(
            name: "CMicroHTTPD", pkgConfig: "libmicrohttpd",
            providers: [.apt(["libmicrohttpd-dev"]), .brew(["libmicrohttpd"])]),
        .systemLibrary(name: "CCrypt"),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]),
        // posix_spawn in another directory.
        .systemLibrary(name: "CSpawn"),

        // getopt_long, for the command alone.
        .systemLibrary(name: "CGetopt"),

        // The modules: the imports point one way (docs/Architecture.md).
        .target(name: "GitCore", dependencies: ["CSHA1"], swiftSettings: common),
        .target(name: "GitWire", dependencies: ["GitCore"], swiftSettings: common),
        .target(
            name: "GitStore", dependencies: ["GitCore", "CDeflate", "CZlib", "CSpawn"],
            swiftSettings: common),
        .target(name: "GitWorktree", dependencies: ["GitCore", "GitStore"], swiftSettings: common),
        .target(
            name: "GitClient",
            dependencies: ["GitCore", "GitWire", "GitStore", "GitWorktree", "CCurl", "CDeflate"],
            swiftSettings: common),
        .target(
            name: "GitServer",
            dependencies: ["GitCore", "GitWire", "GitStore", "CMicroHTTPD", "CCrypt", "CZlib"],
            swiftSettings: common),
        .target(
            name: "GitCache",
            dependencies: [
                "GitCore", "GitWire", "GitStore", "GitClient", "GitServer", "CSQLite",
            ],
            swiftSettings: common),
        .executableTarget(
            name: "apus",
            dependencies: [
                "GitCore", "GitStore", "GitWorktree", "GitClient", "GitServer", "GitCache",
                "CGetopt",
            ],
            swiftSettings: common),

        // Real git, the built apus and a web server, for the tests.
        .target(
            name: "TestSupport", dependencies: ["CSpawn"], path: "Tests/TestSupport",
            swiftSettings: common),
        .executableTarget(
            name: "CloneExample", dependencies: ["GitClient", "GitCore"],
            path: "Examples/CloneExample", swiftSettings: common),
        .executableTarget(
            name: "ServeExample", dependencies: ["GitServer", "GitStore", "GitCore"],
            path: "Examples/ServeExample", swiftSettings: common),
        .executableTarget(
            name: "CacheExample", dependencies: ["GitCache", "GitCore"],
            path: "Examples/CacheExample", swiftSettings: common),

        // For `make bench-engine`: what git has no command for, and what no engine can do without.
        .executableTarget(
            name: "EngineFloor", dependencies: ["GitCore", "CSHA1", "CDeflate"],
            path: "Benchmarks/EngineFloor", swiftSettings: common),
        .executableTarget(
            name: "CheckoutHead", dependencies: ["GitCore", "GitStore", "GitWorktree"],
            path: "Benchmarks/CheckoutHead", swiftSettings: common),

        .testTarget(
            name: "GitCoreTests", dependencies: ["GitCore", "TestSupport"], swiftSettings: common),
        .testTarget(name: "GitWireTests", dependencies: ["GitWire"], swiftSettings: common),
        .testTarget(
            name: "GitStoreTests", dependencies: ["GitStore", "TestSupport"], swiftSettings: common),
        .testTarget(
            name: "GitWorktreeTests", dependencies: ["GitWorktree", "TestSupport"],
            swiftSettings: common),
        .testTarget(
            name: "GitClientTests", dependencies: ["GitClient", "TestSupport"],
            swiftSettings: common),
        .testTarget(
            name: "GitServerTests", dependencies: ["GitServer", "TestSupport"],
            swiftSettings: common),
        .testTarget(
            name: "GitCacheTests", dependencies: ["GitCache", "TestSupport"],
            swiftSettings: common),
        .testTarget(
            name: "ApusTests", dependencies: ["apus", "TestSupport"], swiftSettings: common),
    ],
    swiftLanguageModes: [.v6]
)

// For `make fuzz` alone: libFuzzer, linked in by `--sanitize=fuzzer`, brings their `main`.
if Context.environment["APUS_FUZZ"] != nil {
    let settings = common + [.unsafeFlags(["-parse-as-library"])]
    package.targets += [
        .target(name: "FuzzSupport", path: "Fuzz/Support", swiftSettings: common),
        .executableTarget(
            name: "FuzzPack", dependencies: ["FuzzSupport", "GitStore"], path: "Fuzz/Pack",
            swiftSettings: settings),
        .executableTarget(
            name: "FuzzDelta", dependencies: ["FuzzSupport", "GitStore"], path: "Fuzz/Delta",
            swiftSettings: settings),
        .executableTarget(
            name: "FuzzIndex", dependencies: ["FuzzSupport", "GitStore"], path: "Fuzz/Index",
            swiftSettings: settings),
        .executableTarget(
            name: "FuzzPktLine", dependencies: ["FuzzSupport", "GitWire"], path: "Fuzz/PktLine",
            swiftSettings: settings),
    ]
}
