// libmicrohttpd as Swift can call it: its variadic start and its logger of variadic arguments.
// Nothing else is decided here, except what depends on libmicrohttpd's version.

#ifndef APUS_CMICROHTTPD_SHIM_H
#define APUS_CMICROHTTPD_SHIM_H

#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#if defined(__linux__) && !defined(POLLRDHUP)
#define POLLRDHUP 0x2000
#elif !defined(POLLRDHUP)
#define POLLRDHUP 0
#endif

typedef void (*apus_mhd_log_callback)(void *context, const char *text);

// What a daemon is started with. Strings are nil for none; they have to last as long as it.
struct apus_mhd_settings {
    int listen_socket;
    unsigned int threads;
    unsigned int connections;
    unsigned int connections_per_address;
    unsigned int idle_seconds;
    size_t connection_memory;
    const char *tls_key;
    const char *tls_certificate;
    MHD_AccessHandlerCallback handle;
    void *(*begin)(void *context, const char *target, struct MHD_Connection *connection);
    MHD_RequestCompletedCallback complete;
    MHD_NotifyConnectionCallback connection_changed;
    apus_mhd_log_callback log;
    void *context;
};

// libmicrohttpd 1.0 refuses by itself what a request may not hold; before, it is looked for in how the
// parts of the head lie in memory (RequestCheck.swift).
#if MHD_VERSION >= 0x01000000
#define APUS_MHD_REFUSES 1
#else
#define APUS_MHD_REFUSES 0
#endif
static const int apus_mhd_refuses_bad_heads = APUS_MHD_REFUSES;

// The settings of the daemon whose log this is come with the text.
static inline void apus_mhd_log(void *settings, const char *format, va_list arguments) {
    const struct apus_mhd_settings *s = settings;
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    s->log(s->context, text);
}

// `settings` has to last as long as the daemon.
static inline struct MHD_Daemon *apus_mhd_start(const struct apus_mhd_settings *s) {
    unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_INTERNAL_POLLING_THREAD
        | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_TURBO;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)s->tls_key},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)s->tls_certificate},
        // GnuTLS alone decides on the ciphers; what came before TLS 1.2 is broken.
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    if (s->tls_key) flags |= MHD_USE_TLS;
    else tls[0].option = MHD_OPTION_END;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, s->handle, s->context,
        MHD_OPTION_EXTERNAL_LOGGER, apus_mhd_log, (void *)s,
        MHD_OPTION_LISTEN_SOCKET, s->listen_socket,
        MHD_OPTION_THREAD_POOL_SIZE, s->threads,
        MHD_OPTION_CONNECTION_LIMIT, s->connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, s->connections_per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, s->idle_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, s->connection_memory,
        MHD_OPTION_URI_LOG_CALLBACK, s->begin, s->context,
        MHD_OPTION_NOTIFY_COMPLETED, s->complete, s->context,
        MHD_OPTION_NOTIFY_CONNECTION, s->connection_changed, s->context,
#if APUS_MHD_REFUSES
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
#endif
        MHD_OPTION_ARRAY, tls,
        MHD_OPTION_END);
}

// The socket of a connection; -1 where it has none.
static inline int apus_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

// The address of the peer; nil where it is not known.
static inline const struct sockaddr *apus_mhd_peer(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

// What the application keeps for a connection, as set when it began.
static inline void *apus_mhd_connection_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static const uint64_t apus_mhd_size_unknown = MHD_SIZE_UNKNOWN;

static inline struct MHD_Response *apus_mhd_stream(
    uint64_t size, size_t block, MHD_ContentReaderCallback read, void *context,
    MHD_ContentReaderFreeCallback release) {
    return MHD_create_response_from_callback(size, block, read, context, release);
}

// Has a connection looked at within a second or two, whatever others do.
static inline void apus_mhd_hasten(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_TIMEOUT);
    // One that all connections have is not its own.
    unsigned int seconds = info && info->connection_timeout == 1 ? 2 : 1;
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

// Closes a connection whose answer is broken off; to be called just before the answer's reader says
// that it failed. At that, libmicrohttpd (0.9.75 to 1.0) marks the connection as closed, but closes the socket
// only when it looks at it once more, and then it looks at none but what has an event, has a timeout of its
// own, or was idle the longest: the client of any other would wait until another connection wakes the thread.
static inline void apus_mhd_break_off(struct MHD_Connection *connection) {
    apus_mhd_hasten(connection);
    int descriptor = apus_mhd_socket(connection);
    if (descriptor >= 0) shutdown(descriptor, SHUT_RDWR);
}

// The same where an answer ends with its connection, as in HTTP/1.0: all of it has been sent. What TLS has to say
// at the end comes when the connection is looked at.
static inline void apus_mhd_end_connection(struct MHD_Connection *connection) {
    apus_mhd_hasten(connection);
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    int descriptor = tls && tls->tls_session ? -1 : apus_mhd_socket(connection);
    if (descriptor >= 0) shutdown(descriptor, SHUT_WR);
}

// Enumerations that Swift imports under other names.
static const enum MHD_Result apus_mhd_yes = MHD_YES;
static const enum MHD_Result apus_mhd_no = MHD_NO;

static inline int apus_mhd_is_start(enum MHD_ConnectionNotificationCode code) {
    return code == MHD_CONNECTION_NOTIFY_STARTED;
}

static inline int apus_mhd_is_complete(enum MHD_RequestTerminationCode code) {
    return code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
}

static inline void apus_mhd_each_header(
    struct MHD_Connection *connection, MHD_KeyValueIteratorN each, void *context) {
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, each, context);
}

static inline struct MHD_Response *apus_mhd_bytes(const void *bytes, size_t count) {
    return MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

// Whether the peer has closed its side of a connection.
static inline int apus_socket_is_hung_up(int descriptor) {
    struct pollfd entry = {descriptor, POLLRDHUP, 0};
    return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static const ssize_t apus_mhd_end_of_stream = MHD_CONTENT_READER_END_OF_STREAM;
static const ssize_t apus_mhd_end_with_error = MHD_CONTENT_READER_END_WITH_ERROR;

// glibc keeps what threads have freed, each in a heap of its own, and gives a thread new ones while there are
// few: with many short-lived threads that is most of a server's memory.
static inline void apus_keep_memory_together(void) {
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, 4);
#endif
}

static inline void apus_give_back_memory(void) {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

#endif
