import CCurl
import GitCore

// What is sent: the method, and the body that goes with it.

extension CurlEasy {
    func setMethod(_ request: HTTPRequest) throws(ClientError) {
        if request.method == .head { return try set(CURLOPT_NOBODY, 1) }
        switch request.body {
        case .bytes(let bytes):
            if request.method == .get, bytes.isEmpty { return }
            try setBody(bytes)
        case .upload(let upload): try setBody(upload)
        }
        if request.method != .post || request.body.isUpload {
            try set(CURLOPT_CUSTOMREQUEST, ByteString(request.method.name))
        }
    }

    private func setBody(_ body: [UInt8]) throws(ClientError) {
        try set(CURLOPT_POST, 1)
        try check(
            apus_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)))
        let code = body.withUnsafeBytes { bytes in
            // Null would mean that a callback gives the body.
            withUnsafeBytes(of: UInt8(0)) { none in
                apus_curl_set_bytes(
                    handle, CURLOPT_COPYPOSTFIELDS, bytes.baseAddress ?? none.baseAddress)
            }
        }
        try check(code)
    }

    /// Of known length, or in chunks. HTTP/1.1 has no window that must be opened again and again, and the
    /// connection is this body's own anyway.
    private func setBody(_ upload: HTTPUpload) throws(ClientError) {
        try set(CURLOPT_UPLOAD, 1)
        let length = try upload.length.map { (length) throws(ClientError) in
            guard let length = curl_off_t(exactly: length) else {
                throw ClientError(.invalid, "a body of \(length) bytes cannot be sent")
            }
            return length
        }
        try check(apus_curl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, length ?? -1))
        // SAFETY: the handle is freed before the transfer lets go of its request, which holds it.
        try check(
            apus_curl_set_pointer(
                handle, CURLOPT_READDATA, Unmanaged.passUnretained(upload).toOpaque()))
        try check(apus_curl_set_data_callback(handle, CURLOPT_READFUNCTION, giveBody))
        try set(CURLOPT_HTTP_VERSION, apus_curl_http_1_1)
        try set(CURLOPT_FRESH_CONNECT, 1)
        // One that broke off before its first byte would leave a connection behind, as if it were idle.
        try set(CURLOPT_FORBID_REUSE, 1)
    }

    /// Lines that keep libcurl from adding headers of its own.
    static func unwanted(beside names: [String]) -> [ByteString] {
        let given = Set(names.map { $0.lowercased() })
        return ["User-Agent", "Accept", "Content-Type"].filter { !given.contains($0.lowercased()) }
            .map { ByteString($0 + ":") }
    }
}

extension HTTPRequest.Body {
    fileprivate var isUpload: Bool { if case .upload = self { true } else { false } }
}

// SAFETY: libcurl passes the context that setBody gave it, and room for `size * count` bytes.
private func giveBody(
    _ room: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return apus_curl_abort_reading }
    let upload = Unmanaged<HTTPUpload>.fromOpaque(context).takeUnretainedValue()
    switch upload.take(into: UnsafeMutableRawBufferPointer(start: room, count: size * count)) {
    case .bytes(let count): return count
    case .end: return 0
    case .notYet: return apus_curl_pause_reading
    case .failed: return apus_curl_abort_reading
    }
}
