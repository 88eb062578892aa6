// libcurl as Swift can call it: one function of a fixed type for each kind of value that the variadic
// curl_easy_setopt, curl_multi_setopt and curl_easy_getinfo take. Nothing else is decided here,
// except where the name of an option depends on libcurl's version.

#ifndef APUS_CCURL_SHIM_H
#define APUS_CCURL_SHIM_H

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/socket.h>

typedef size_t (*apus_curl_data_callback)(char *data, size_t size, size_t count, void *context);

// Constants that are macros in one version of libcurl and members of an enumeration in another.
static const long apus_curl_global_default = CURL_GLOBAL_DEFAULT;
static const long apus_curl_netrc_optional = CURL_NETRC_OPTIONAL;
static const long apus_curl_tls_1_2 = CURL_SSLVERSION_TLSv1_2;
static const long apus_curl_http_2_over_tls = CURL_HTTP_VERSION_2TLS;
static const long apus_curl_http_1_1 = CURL_HTTP_VERSION_1_1;
static const int apus_curl_unpause = CURLPAUSE_CONT;
static const size_t apus_curl_pause_writing = CURL_WRITEFUNC_PAUSE;
static const size_t apus_curl_pause_reading = CURL_READFUNC_PAUSE;
static const size_t apus_curl_abort_reading = CURL_READFUNC_ABORT;
static const size_t apus_curl_error_size = CURL_ERROR_SIZE;

// The parentheses keep curl's type-checking macros of the same names out.

static inline CURLcode apus_curl_set_long(CURL *easy, CURLoption option, long value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode apus_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode apus_curl_set_string(CURL *easy, CURLoption option, const char *value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode apus_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode apus_curl_set_bytes(CURL *easy, CURLoption option, const void *value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode apus_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode apus_curl_set_data_callback(
    CURL *easy, CURLoption option, apus_curl_data_callback callback) {
    return (curl_easy_setopt)(easy, option, callback);
}

static inline CURLcode apus_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return (curl_easy_getinfo)(easy, info, value);
}

// Nothing but HTTP and HTTPS, whatever a URL or a proxy says.
static inline CURLcode apus_curl_allow_http_only(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
    CURLcode code = (curl_easy_setopt)(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code != CURLE_OK) return code;
    return (curl_easy_setopt)(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    long allowed = CURLPROTO_HTTP | CURLPROTO_HTTPS;
    CURLcode code = (curl_easy_setopt)(easy, CURLOPT_PROTOCOLS, allowed);
    if (code != CURLE_OK) return code;
    return (curl_easy_setopt)(easy, CURLOPT_REDIR_PROTOCOLS, allowed);
#endif
}

// A transfer that is given up does not wait for a name look-up that still runs.
static inline CURLcode apus_curl_do_not_wait_for_resolver(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075700
    return (curl_easy_setopt)(easy, CURLOPT_QUICK_EXIT, 1L);
#else
    (void)easy;
    return CURLE_OK;
#endif
}

// libcurl leaves its sockets to the programs that this one starts, so that a connection stays open
// after it was closed here: a credential helper's daemon would hold it.
static inline curl_socket_t apus_curl_open_socket(
    void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)context;
    (void)purpose;
#ifdef SOCK_CLOEXEC
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
    curl_socket_t descriptor = socket(address->family, address->socktype, address->protocol);
    if (descriptor != CURL_SOCKET_BAD) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    return descriptor;
#endif
}

static inline CURLcode apus_curl_keep_sockets_from_programs(CURL *easy) {
    return (curl_easy_setopt)(easy, CURLOPT_OPENSOCKETFUNCTION, apus_curl_open_socket);
}

// One that calls the function above, or refuses (CURL_SOCKET_BAD, which is -1).
static inline CURLcode apus_curl_set_open_socket(CURL *easy, curl_opensocket_callback callback) {
    return (curl_easy_setopt)(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
}

// Whatever authentication a proxy offers: the macro has a cast that Swift does not import.
static inline CURLcode apus_curl_allow_any_proxy_authentication(CURL *easy) {
    return (curl_easy_setopt)(easy, CURLOPT_PROXYAUTH, (long)CURLAUTH_ANY);
}

// The transfer that a message of the multi handle tells of, and how it ended.
static inline CURLcode apus_curl_message_result(const CURLMsg *message) {
    return message->data.result;
}

#endif
