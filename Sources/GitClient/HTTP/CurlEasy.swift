import CCurl
import GitCore
import GitStore

/// libcurl's handle of one transfer, set up from its request. It belongs to the loop's thread.
final class CurlEasy {
    let handle: UnsafeMutableRawPointer
    let transfer: CurlTransfer
    private let errorText: UnsafeMutablePointer<CChar>
    private var headers: UnsafeMutablePointer<curl_slist>?

    init(_ transfer: CurlTransfer) throws(ClientError) {
        guard let handle = curl_easy_init() else {
            throw ClientError(.system, "libcurl could not make a transfer: out of memory")
        }
        self.handle = handle
        self.transfer = transfer
        let size = apus_curl_error_size
        errorText = UnsafeMutablePointer<CChar>.allocate(capacity: size)
        errorText.initialize(repeating: 0, count: size)
        try configure(transfer.request)
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headers)
        errorText.deallocate()
    }

    /// Goes on after a pause. What libcurl held back is delivered before this returns.
    func resume() {
        curl_easy_pause(handle, apus_curl_unpause)
    }

    // MARK: how it ended

    func outcome(_ result: CURLcode) -> Result<Void, ClientError> {
        if result == CURLE_OK { return .success(()) }
        if result == CURLE_COULDNT_CONNECT, transfer.hasRefusedAddress.load(ordering: .relaxed) {
            return .failure(refusal)
        }
        return .failure(
            ClientError(
                Self.code(of: result),
                "unable to access '\(transfer.request.url.redacted)': \(reason(of: result))",
                isBeforeAnswer: !transfer.hasAnswer && Self.mayPass(result),
                isTimeout: result == CURLE_OPERATION_TIMEDOUT,
                isUnreached: !transfer.hasAnswer && Self.isUnreached(result)))
    }

    private func reason(of result: CURLcode) -> String {
        let text = errorText.pointee == 0 ? curl_easy_strerror(result) : UnsafePointer(errorText)
        guard let text else { return "curl error \(result.rawValue)" }
        return ByteString(String(cString: text)).printable
    }

    private static func code(of result: CURLcode) -> ClientError.Code {
        switch result {
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_ENGINE_INITFAILED,
            CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_USE_SSL_FAILED:
            .tls
        case CURLE_BAD_CONTENT_ENCODING, CURLE_WEIRD_SERVER_REPLY, CURLE_HTTP2,
            CURLE_UNSUPPORTED_PROTOCOL:
            .protocolError
        default: .network
        }
    }

    /// Failures of those before a request goes out, and of waiting for what comes of it.
    private static func isUnreached(_ result: CURLcode) -> Bool {
        code(of: result) == .tls
            || [
                CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT,
                CURLE_OPERATION_TIMEDOUT,
            ].contains(result)
    }

    /// Failures of a connection that was there, and may be there again.
    private static func mayPass(_ result: CURLcode) -> Bool {
        [CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2_STREAM].contains(result)
    }

    // MARK: setting it up

    private func configure(_ request: HTTPRequest) throws(ClientError) {
        try check(apus_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText))
        try check(apus_curl_allow_http_only(handle))
        try set(CURLOPT_URL, request.url.connectionText)
        // The URL is already what is meant: libcurl has nothing to decide about it.
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_NOSIGNAL, 1)
        try check(apus_curl_do_not_wait_for_resolver(handle))
        try check(apus_curl_keep_sockets_from_programs(handle))
        try refusePrivateAddresses(request.options)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_BUFFERSIZE, HTTPLimits.readSize)
        if !request.isPassedOn { try set(CURLOPT_ACCEPT_ENCODING, "deflate, gzip") }
        try setCallbacks()
        try setTimes(request.options)
        try setTLS(request.options)
        try setProxy(request.options)
        try setVersion(request.options.version)
        try setHeaders(request)
        try setMethod(request)
        if request.hasOwnConnection {
            try set(CURLOPT_FRESH_CONNECT, 1)
            try set(CURLOPT_FORBID_REUSE, 1)
        }
    }

    private func setCallbacks() throws(ClientError) {
        // SAFETY: the handle is freed before this object lets go of the transfer.
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        try check(apus_curl_set_pointer(handle, CURLOPT_HEADERDATA, context))
        try check(apus_curl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        try check(apus_curl_set_data_callback(handle, CURLOPT_HEADERFUNCTION, receiveHeader))
        try check(apus_curl_set_data_callback(handle, CURLOPT_WRITEFUNCTION, receiveBody))
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    }

    private func setTimes(_ options: HTTPOptions) throws(ClientError) {
        try set(CURLOPT_CONNECTTIMEOUT, max(1, options.connectTimeout))
        try set(CURLOPT_LOW_SPEED_LIMIT, max(0, options.lowSpeedLimit))
        try set(CURLOPT_LOW_SPEED_TIME, max(0, options.lowSpeedTime))
    }

    private func setTLS(_ options: HTTPOptions) throws(ClientError) {
        try set(CURLOPT_SSLVERSION, apus_curl_tls_1_2)
        try set(CURLOPT_SSL_VERIFYPEER, options.verifiesTLS ? 1 : 0)
        try set(CURLOPT_SSL_VERIFYHOST, options.verifiesTLS ? 2 : 0)
        try set(CURLOPT_CAINFO, options.authorityFile)
        try set(CURLOPT_CAPATH, options.authorityDirectory)
        try set(CURLOPT_SSLCERT, options.certificateFile)
        try set(CURLOPT_SSLKEY, options.keyFile)
        try set(CURLOPT_PINNEDPUBLICKEY, options.pinnedPublicKey)
    }

    private func setProxy(_ options: HTTPOptions) throws(ClientError) {
        try set(CURLOPT_PROXY, options.proxy)
        try check(apus_curl_allow_any_proxy_authentication(handle))
    }

    private func setVersion(_ version: HTTPOptions.Version) throws(ClientError) {
        switch version {
        case .automatic: try set(CURLOPT_HTTP_VERSION, apus_curl_http_2_over_tls)
        case .http1: try set(CURLOPT_HTTP_VERSION, apus_curl_http_1_1)
        }
    }

    private func setHeaders(_ request: HTTPRequest) throws(ClientError) {
        try set(CURLOPT_USERAGENT, request.options.userAgent)
        var lines = request.options.extraHeaders
        for (name, value) in request.headers {
            // The semicolon stands for a colon with nothing after it.
            lines.append(value.isEmpty ? ByteString(name + ";") : ByteString(name + ": ") + value)
        }
        if request.usesNetrc { try set(CURLOPT_NETRC, apus_curl_netrc_optional) }
        // No waiting for "100 Continue": what is sent is small, or there is no one to be told.
        lines.append("Expect:")
        if request.isPassedOn { lines += Self.unwanted(beside: request.headers.map(\.name)) }
        for line in lines { try append(header: line) }
        try check(apus_curl_set_list(handle, CURLOPT_HTTPHEADER, headers))
    }

    private func append(header line: ByteString) throws(ClientError) {
        guard !line.bytes.contains(where: { $0.isControl && $0 != 0x09 }) else {
            throw ClientError(.invalid, "an HTTP header to send contains a control character")
        }
        guard let longer = line.withCString({ curl_slist_append(headers, $0) }) else {
            throw ClientError(.system, "libcurl is out of memory")
        }
        headers = longer
    }

    func set(_ option: CURLoption, _ value: Int) throws(ClientError) {
        try check(apus_curl_set_long(handle, option, value))
    }

    /// Nil leaves libcurl's own default.
    func set(_ option: CURLoption, _ value: ByteString?) throws(ClientError) {
        guard let value else { return }
        guard !value.bytes.contains(where: \.isControl) else {
            throw ClientError(.invalid, "an HTTP setting contains a control character")
        }
        try check(value.withCString { apus_curl_set_string(handle, option, $0) })
    }

    func check(_ code: CURLcode) throws(ClientError) {
        guard code != CURLE_OK else { return }
        let reason = curl_easy_strerror(code).map { String(cString: $0) } ?? "unknown"
        throw ClientError(.unsupported, "libcurl refuses a setting: \(reason)")
    }
}

// SAFETY of both: libcurl passes the context that setCallbacks gave it, and `size * count` bytes.

private func receiveHeader(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    let line = UnsafeRawBufferPointer(start: data, count: size * count)
    return transfer.receive(headerLine: line) ? line.count : 0
}

private func receiveBody(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
    switch transfer.receive(body: bytes) {
    case .taken: return bytes.count
    case .paused: return apus_curl_pause_writing
    case .refused: return 0
    }
}
