import GitClient
import GitCore
import GitServer

/// One key that a section of the file may have. docs/Caching.md and Packaging/apus-cache.config list them,
/// which a test compares.
struct Setting<Target>: Sendable {
    /// As it is documented; case does not matter.
    let name: String
    /// What stands for leaving it out; nil where nothing does.
    let initial: ByteString?
    let apply: @Sendable (inout Target, SettingValue) throws(SettingFault) -> Void

    init(
        _ name: String, _ initial: ByteString?,
        _ apply: @escaping @Sendable (inout Target, SettingValue) throws(SettingFault) -> Void
    ) {
        self.name = name
        self.initial = initial
        self.apply = apply
    }
}

extension Setting where Target == CacheOptions {
    /// The keys of `[cache]`.
    static let all: [Setting] = [
        Setting("store", nil) { options, value throws(SettingFault) in
            options.store = try value.path()
        },
        Setting("listen", "127.0.0.1:8080") { options, value throws(SettingFault) in
            let place: ListenAddress
            do throws(ParseError) { place = try ListenAddress(parsing: value.text ?? "") } catch {
                throw SettingFault(error.reason)
            }
            (options.address, options.port) = (place.host, place.port)
        },
        Setting("maxConnectionsPerAddress", "0") { options, value throws(SettingFault) in
            options.maximumConnectionsPerAddress = try value.number(0 ... 1_000_000)
        },
        Setting("answers", "10g") { options, value throws(SettingFault) in
            options.answerBudget = try value.size()
        },
        Setting("mirrors", "100g") { options, value throws(SettingFault) in
            options.mirrorBudget = try value.size()
        },
        Setting("maxPackSize", "32g") { options, value throws(SettingFault) in
            options.maximumPackSize = try value.size()
        },
        Setting("grantLifetime", "60") { options, value throws(SettingFault) in
            options.grantLifetime = try value.seconds(1 ... 86_400)
        },
        Setting("staleness", "0") { options, value throws(SettingFault) in
            options.staleness = try value.seconds(0 ... 2_592_000)
        },
        Setting("grace", "10") { options, value throws(SettingFault) in
            options.grace = try value.seconds(0 ... 1_000_000)
        },
        Setting("log", "true") { options, value throws(SettingFault) in
            options.logsRequests = try value.bool()
        },
    ]
}

/// What a section `[upstream "<host>"]` has said so far.
struct UpstreamSection {
    var url: ByteString?
    var options = HTTPOptions()
    var allowsPrivateAddresses = false
}

extension Setting where Target == UpstreamSection {
    /// The keys of `[upstream "<host>"]`; those that Git has, too, are called as under `http`.
    static let all: [Setting] = [
        Setting("url", nil) { section, value throws(SettingFault) in
            section.url = try value.line()
        },
        Setting("allowPrivate", "false") { section, value throws(SettingFault) in
            section.allowsPrivateAddresses = try value.bool()
        },
        Setting("proxy", nil) { section, value throws(SettingFault) in
            section.options.proxy = try value.line()
        },
        Setting("sslVerify", "true") { section, value throws(SettingFault) in
            section.options.verifiesTLS = try value.bool()
        },
        Setting("sslCAInfo", nil) { section, value throws(SettingFault) in
            section.options.authorityFile = try value.readable()
        },
        Setting("sslCAPath", nil) { section, value throws(SettingFault) in
            section.options.authorityDirectory = try value.readable()
        },
        Setting("sslCert", nil) { section, value throws(SettingFault) in
            section.options.certificateFile = try value.readable()
        },
        Setting("sslKey", nil) { section, value throws(SettingFault) in
            section.options.keyFile = try value.readable()
        },
        Setting("pinnedPubkey", nil) { section, value throws(SettingFault) in
            section.options.pinnedPublicKey = try value.line()
        },
        Setting("connectTimeout", "60") { section, value throws(SettingFault) in
            section.options.connectTimeout = try value.number(1 ... 3_600)
        },
        Setting("lowSpeedLimit", "1") { section, value throws(SettingFault) in
            section.options.lowSpeedLimit = try value.number(0 ... 1 << 30)
        },
        Setting("lowSpeedTime", "300") { section, value throws(SettingFault) in
            section.options.lowSpeedTime = try value.number(0 ... 86_400)
        },
        Setting("userAgent", HTTPOptions.defaultUserAgent) { section, value throws(SettingFault) in
            section.options.userAgent = try value.line()
        },
        Setting("version", "HTTP/2") { section, value throws(SettingFault) in
            switch value.text {
            case "HTTP/2": section.options.version = .automatic
            case "HTTP/1.1": section.options.version = .http1
            default: throw value.fault("HTTP/2 or HTTP/1.1")
            }
        },
    ]
}
