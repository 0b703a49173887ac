/* The C interface of varve: the store for programs in C, and for languages that can call C.
 *
 *   varve_db* db;
 *   if (varve_open("data", NULL, &db) != VARVE_OK) return puts(varve_message()), 1;
 *   varve_namespace* ns = varve_default_namespace(db);
 *   varve_put(ns, "key", 3, "value", 5, NULL);
 *   varve_close(db);
 *
 * What calls mean, promise and cost is what varve/db.h, varve/namespace.h, varve/transaction.h and
 * varve/iterator.h say of those of the same name. Here is what is different. docs/c.md has the examples.
 *
 * Errors. Most functions return a code: VARVE_OK, which is 0, or why it failed. varve_message() then is
 * a text for people. Results behind pointers are set when the code is VARVE_OK; else pointers are NULL and
 * numbers 0. No C++ exception leaves a function.
 *
 * Bytes. Keys and values are a pointer and a size, and may hold any bytes. The pointer may be NULL where the size
 * is 0. They are copied: they need to live for the call only.
 *
 * Who frees what. What a function gives through a `char**` is the caller's, ends in a 0 that is not counted, and is
 * given back with varve_free. Each handle has its function to end it, which takes NULL as well. Everything
 * else (`const char*`) is borrowed, for as long as is said there.
 *
 * Order. Iterators, snapshots and transactions are freed before the store is closed, iterators of a transaction
 * before that. Namespaces and batches may be freed at any time.
 *
 * Threads. varve_db, varve_namespace and varve_snapshot may be used by any number of threads at once.
 * Batches, iterators and transactions are for one thread at a time. varve_close, and what ends a
 * handle, is for when no other call on it is running.
 *
 * Options are structures that begin with their size, so that later versions may add to them. All zeros but that
 * are the defaults:   varve_options options = {.struct_size = sizeof(options), .read_only = 1};
 * NULL: all defaults. */
#ifndef VARVE_C_H_
#define VARVE_C_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus  // tidy: for C++ programs
extern "C" {
#endif

typedef struct varve_db varve_db;
typedef struct varve_namespace varve_namespace;
typedef struct varve_batch varve_batch;
typedef struct varve_snapshot varve_snapshot;
typedef struct varve_iterator varve_iterator;
typedef struct varve_transaction varve_transaction;

/* --- Errors. */

/* Never renumbered; more may come. */
enum varve_code {
  VARVE_OK = 0,
  VARVE_NOT_FOUND = 1,        /* the key is absent, or the store or namespace is */
  VARVE_CORRUPTION = 2,       /* stored bytes fail their checksum or make no sense */
  VARVE_IO_ERROR = 3,         /* the operating system refused; a full disk, too */
  VARVE_INVALID_ARGUMENT = 4, /* something outside the documented limits; a NULL where none may be */
  VARVE_NOT_SUPPORTED = 5,    /* a store of a newer version, or options of one */
  VARVE_BUSY = 6,             /* another process has the store open */
  VARVE_CONFLICT = 7,         /* a compare-and-set or a transaction met another writer */
  VARVE_ABORTED = 8,          /* the store is closing, or the operation was cancelled */
  VARVE_TIMED_OUT = 9,
  VARVE_UNAVAILABLE = 10,     /* trying again may work */
  VARVE_OUT_OF_MEMORY = 100,
  VARVE_INTERNAL = 101        /* a mistake in varve, or an exception out of a function of the caller */
};

/* "not found" and so on; static. "unknown" for other numbers. */
const char* varve_code_name(int code);
/* What the last call of this thread that failed has to say; never NULL. Lives until this thread's next call of
 * varve that fails. Programs that move between threads of the system on their own must read it before they do. */
const char* varve_message(void);
/* Of the library: "0.1.0". Static. */
const char* varve_version(void);

/* Gives back what came through a `char**`. */
void varve_free(void* bytes);

/* --- Stores. */

enum varve_durability {
  VARVE_DURABILITY_DEFAULT = 0, /* that of the namespace, else of the store, else VARVE_DURABILITY_PROCESS */
  VARVE_DURABILITY_PROCESS = 1, /* survives the end of the process, kill -9 included */
  VARVE_DURABILITY_SYNC = 2,    /* survives loss of power */
  VARVE_DURABILITY_NONE = 3     /* may be lost when the process dies */
};

enum varve_compression {
  VARVE_COMPRESSION_DEFAULT = 0, /* that of the store, else none */
  VARVE_COMPRESSION_NONE = 1,
  VARVE_COMPRESSION_LZ4 = 2,
  VARVE_COMPRESSION_ZSTD = 3,
  VARVE_COMPRESSION_AUTO = 4
};

/* varve/options.h says what each means. 0: the default. */
typedef struct varve_options {
  size_t struct_size;
  uint64_t memory_budget_bytes;
  int durability;  /* enum varve_durability */
  int compression; /* enum varve_compression */
  double space_amplification_target;
  uint64_t expected_keys;
  int background_threads;
  uint32_t max_key_bytes;
  uint32_t max_value_bytes;
  int must_exist;     /* a missing store is VARVE_NOT_FOUND instead of made */
  int must_not_exist; /* an existing store is VARVE_INVALID_ARGUMENT */
  int read_only;
} varve_options;

int varve_open(const char* dir, const varve_options* options, varve_db** db);
/* All writes survive the process, those with VARVE_DURABILITY_NONE, too. */
void varve_close(varve_db* db);

int varve_flush(varve_db* db);
int varve_compact(varve_db* db);
int varve_sync(varve_db* db);
int varve_wait_for_background_work(varve_db* db);
/* Reads and checks every byte. `*problem_count` of them; `*report` (may be NULL) names each on a line. */
int varve_verify(varve_db* db, uint64_t* problem_count, char** report);
/* "varve.stats" is a table for people. VARVE_NOT_FOUND: no such property. */
int varve_property(varve_db* db, const char* name, char** value);

/* --- Namespaces. All operations on keys take one. */

/* The one of the plain interface. Belongs to `db`, is not freed. */
varve_namespace* varve_default_namespace(varve_db* db);

typedef struct varve_namespace_options {
  size_t struct_size;
  int durability;         /* 0: as it is; the store's in a new one */
  int compression;        /* 0: as it is; the store's in a new one */
  int sets_default_ttl;   /* not 0: default_ttl_ms counts */
  int64_t default_ttl_ms; /* of puts that name none; 0: they stay */
  int must_exist;         /* a missing one is VARVE_NOT_FOUND instead of made */
} varve_namespace_options;

int varve_open_namespace(varve_db* db, const void* name, size_t name_size,
                         const varve_namespace_options* options, varve_namespace** ns);
/* Ends the handle; the namespace stays. Not for the default one. */
void varve_namespace_free(varve_namespace* ns);
int varve_drop_namespace(varve_db* db, const void* name, size_t name_size);
/* Calls `visit` for each but the default one, in the order of their names, which live for the call. Not 0 ends
 * it. */
typedef int (*varve_namespace_visitor)(void* context, const char* name, size_t name_size, uint32_t id);
int varve_list_namespaces(varve_db* db, varve_namespace_visitor visit, void* context);

/* --- Writes. */

typedef struct varve_write_options {
  size_t struct_size;
  int durability;       /* enum varve_durability */
  int64_t ttl_ms;       /* what is put is gone after it; negative: deleted at once; 0: none given */
  int64_t expire_at_ms; /* the same as milliseconds since 1970-01-01 UTC; 0: none given */
} varve_write_options;

int varve_put(varve_namespace* ns, const void* key, size_t key_size, const void* value,
              size_t value_size, const varve_write_options* options);
int varve_delete(varve_namespace* ns, const void* key, size_t key_size,
                 const varve_write_options* options);
/* All keys in [begin, end). */
int varve_delete_range(varve_namespace* ns, const void* begin, size_t begin_size, const void* end,
                       size_t end_size, const varve_write_options* options);
/* All keys of the namespace. */
int varve_clear(varve_namespace* ns, const varve_write_options* options);

/* `expected`, `desired` NULL: absent. (An empty value is a pointer that is not NULL, and the size 0.)
 * VARVE_CONFLICT when the value is another. */
int varve_compare_and_set(varve_namespace* ns, const void* key, size_t key_size, const void* expected,
                          size_t expected_size, const void* desired, size_t desired_size,
                          const varve_write_options* options);
/* VARVE_CONFLICT when the key is present. */
int varve_put_if_absent(varve_namespace* ns, const void* key, size_t key_size, const void* value,
                        size_t value_size, const varve_write_options* options);
/* `sum` may be NULL. */
int varve_increment(varve_namespace* ns, const void* key, size_t key_size, int64_t delta,
                    const varve_write_options* options, int64_t* sum);
/* `size`, of the whole, may be NULL. */
int varve_append(varve_namespace* ns, const void* key, size_t key_size, const void* suffix,
                 size_t suffix_size, const varve_write_options* options, uint64_t* size);
/* `desired` NULL: deletes. `*previous` is NULL when there was none. */
int varve_get_and_set(varve_namespace* ns, const void* key, size_t key_size, const void* desired,
                      size_t desired_size, const varve_write_options* options, char** previous,
                      size_t* previous_size);

/* --- Time to live. VARVE_NOT_FOUND when the key is absent. */

/* `ttl_ms` not positive: deletes. */
int varve_expire(varve_namespace* ns, const void* key, size_t key_size, int64_t ttl_ms,
                 const varve_write_options* options);
int varve_expire_at(varve_namespace* ns, const void* key, size_t key_size, int64_t when_ms,
                    const varve_write_options* options);
int varve_persist(varve_namespace* ns, const void* key, size_t key_size,
                  const varve_write_options* options);
/* -1: it does not expire. */
int varve_time_to_live(varve_namespace* ns, const void* key, size_t key_size,
                       const varve_snapshot* snapshot, int64_t* ttl_ms);

/* --- Batches: all changes or none. `ns` NULL: the default namespace. */

int varve_batch_new(varve_batch** batch);
void varve_batch_free(varve_batch* batch);
void varve_batch_clear(varve_batch* batch);
/* Number of changes. */
uint32_t varve_batch_count(const varve_batch* batch);
/* Of `options`, only ttl_ms and expire_at_ms count, and not both. */
int varve_batch_put(varve_batch* batch, varve_namespace* ns, const void* key, size_t key_size,
                    const void* value, size_t value_size, const varve_write_options* options);
int varve_batch_delete(varve_batch* batch, varve_namespace* ns, const void* key, size_t key_size);
int varve_batch_delete_range(varve_batch* batch, varve_namespace* ns, const void* begin,
                             size_t begin_size, const void* end, size_t end_size);
/* All keys of `ns`, which is not NULL. */
int varve_batch_delete_all(varve_batch* batch, varve_namespace* ns);
int varve_write(varve_db* db, const varve_batch* batch, const varve_write_options* options);

/* --- Reads. `snapshot` NULL: the newest state. */

/* VARVE_NOT_FOUND when the key is absent. */
int varve_get(varve_namespace* ns, const void* key, size_t key_size, const varve_snapshot* snapshot,
              char** value, size_t* value_size);
/* For each of `count` keys a code, and where that is VARVE_OK a value and its size; else NULL and 0. All as of one
 * moment. Each value is given back with varve_free. When the call itself fails, all values are NULL. */
int varve_multi_get(varve_namespace* ns, size_t count, const void* const* keys,
                    const size_t* key_sizes, const varve_snapshot* snapshot, char** values,
                    size_t* value_sizes, int* codes);

int varve_snapshot_new(varve_db* db, varve_snapshot** snapshot);
void varve_snapshot_free(varve_snapshot* snapshot);
uint64_t varve_snapshot_sequence(const varve_snapshot* snapshot);

/* --- Iterators. */

/* What one covers. All that is given combines. */
typedef struct varve_iterator_options {
  size_t struct_size;
  const void* prefix;
  size_t prefix_size;
  const void* lower; /* only keys >= lower; NULL: no bound */
  size_t lower_size;
  const void* upper; /* only keys < upper; NULL: no bound */
  size_t upper_size;
  const varve_snapshot* snapshot;
} varve_iterator_options;

/* Stands nowhere: position it first. */
int varve_iterator_new(varve_namespace* ns, const varve_iterator_options* options,
                       varve_iterator** iterator);
void varve_iterator_free(varve_iterator* iterator);
/* Each returns 1 when the iterator then stands on a key, 0 at the end and after an error. */
int varve_iterator_valid(const varve_iterator* iterator);
int varve_iterator_seek_to_first(varve_iterator* iterator);
int varve_iterator_seek_to_last(varve_iterator* iterator);
/* To the first key >= it; to the last key <= it. */
int varve_iterator_seek(varve_iterator* iterator, const void* key, size_t key_size);
int varve_iterator_seek_for_prev(varve_iterator* iterator, const void* key, size_t key_size);
/* No effect where the iterator stands on no key. */
int varve_iterator_next(varve_iterator* iterator);
int varve_iterator_prev(varve_iterator* iterator);
/* VARVE_OK, or why it stopped before the end. */
int varve_iterator_status(const varve_iterator* iterator);
/* Borrowed until the iterator moves. NULL and 0 where it stands on no key. */
const char* varve_iterator_key(const varve_iterator* iterator, size_t* size);
/* The same; reading a large value may fail. VARVE_INVALID_ARGUMENT where it stands on no key. */
int varve_iterator_value(varve_iterator* iterator, const char** value, size_t* size);
/* Milliseconds since 1970-01-01 UTC; 0: the key does not expire. */
uint64_t varve_iterator_expire_at_ms(const varve_iterator* iterator);

/* --- Transactions. `ns` NULL: the default namespace. */

typedef struct varve_transaction_options {
  size_t struct_size;
  int snapshot_isolation; /* not 0: reads are not checked at the commit */
  int read_only;
  int max_attempts;       /* of varve_transact; 0: 100 */
  int durability;         /* enum varve_durability */
} varve_transaction_options;

/* Runs `body` in a transaction, and commits when it returns 0. It runs again when the commit meets a conflict, up to
 * max_attempts times: it should have no other effects. Another number rolls back, and is returned as
 * it is. It must return: no longjmp. It does not end the transaction itself. */
typedef int (*varve_transaction_body)(varve_transaction* transaction, void* context);
int varve_transact(varve_db* db, const varve_transaction_options* options, varve_transaction_body body,
                   void* context);

/* A transaction that the caller ends. */
int varve_begin(varve_db* db, const varve_transaction_options* options,
                varve_transaction** transaction);
/* VARVE_CONFLICT: nothing is written, starting over may succeed. The transaction has ended whatever the code, and is
 * still to be freed. */
int varve_commit(varve_transaction* transaction);
int varve_rollback(varve_transaction* transaction);
/* Rolls back what has not ended. */
void varve_transaction_free(varve_transaction* transaction);

int varve_transaction_get(varve_transaction* transaction, varve_namespace* ns, const void* key,
                          size_t key_size, char** value, size_t* value_size);
int varve_transaction_put(varve_transaction* transaction, varve_namespace* ns, const void* key,
                          size_t key_size, const void* value, size_t value_size);
int varve_transaction_delete(varve_transaction* transaction, varve_namespace* ns, const void* key,
                             size_t key_size);
int varve_transaction_delete_range(varve_transaction* transaction, varve_namespace* ns,
                                   const void* begin, size_t begin_size, const void* end,
                                   size_t end_size);
int varve_transaction_delete_all(varve_transaction* transaction, varve_namespace* ns);
/* options->snapshot is not looked at. */
int varve_transaction_iterator(varve_transaction* transaction, varve_namespace* ns,
                               const varve_iterator_options* options, varve_iterator** iterator);
int varve_transaction_set_savepoint(varve_transaction* transaction);
int varve_transaction_rollback_to_savepoint(varve_transaction* transaction);
int varve_transaction_release_savepoint(varve_transaction* transaction);

#ifdef __cplusplus  // tidy: for C++ programs
}
#endif

#endif /* VARVE_C_H_ */
