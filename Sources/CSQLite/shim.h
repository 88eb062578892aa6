// SQLite as Swift can call it: SQLITE_TRANSIENT is a cast that Swift does not see.

#ifndef APUS_CSQLITE_SHIM_H
#define APUS_CSQLITE_SHIM_H

#include <sqlite3.h>

// Binds a copy of the bytes; no bytes are an empty blob, not NULL.
static inline int apus_sqlite_bind_bytes(
    sqlite3_stmt *statement, int index, const void *bytes, int count) {
    return count == 0 ? sqlite3_bind_zeroblob(statement, index, 0)
                      : sqlite3_bind_blob(statement, index, bytes, count, SQLITE_TRANSIENT);
}

#endif
