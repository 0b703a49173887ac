/* The C interface, from C. Argument: a folder that does not exist; prints "ok" when all is well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "varve/c.h"

static int failures = 0;

#define EXPECT(condition)                                                                    \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      fprintf(stderr, "%s:%d: %s (message: %s)\n", __FILE__, __LINE__, #condition,           \
              varve_message());                                                              \
      ++failures;                                                                            \
    }                                                                                        \
  } while (0)
#define EXPECT_CODE(code, call) EXPECT((call) == (code))
#define EXPECT_OK(call) EXPECT_CODE(VARVE_OK, call)

static varve_db* db;
static varve_namespace* ns;

static int Put(varve_namespace* space, const char* key, const char* value) {
  return varve_put(space, key, strlen(key), value, strlen(value), NULL);
}

/* Whether `key` has `value`; NULL: is absent. */
static int Holds(varve_namespace* space, const char* key, const char* value) {
  char* found = (char*)1;
  size_t size = 77;
  const int code = varve_get(space, key, strlen(key), NULL, &found, &size);
  int holds;
  if (value == NULL) return code == VARVE_NOT_FOUND && found == NULL && size == 0;
  holds = code == VARVE_OK && size == strlen(value) && strcmp(found, value) == 0;
  varve_free(found);
  return holds;
}

static void TestOpening(const char* dir) {
  const varve_options missing = {.struct_size = sizeof(missing), .must_exist = 1};
  const varve_options wrong = {.struct_size = sizeof(wrong), .compression = 99};
  const varve_options again = {.struct_size = sizeof(again), .must_not_exist = 1};
  const varve_options unset = {.struct_size = 0};
  struct {
    varve_options known;
    int more;
  } newer;
  varve_db* other = (varve_db*)1;
  EXPECT_CODE(VARVE_NOT_FOUND, varve_open(dir, &missing, &other));
  EXPECT(other == NULL);
  EXPECT(strlen(varve_message()) > 0);
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_open(dir, &wrong, &other));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_open(dir, &unset, &other));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_open(NULL, NULL, &other));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_open(dir, NULL, NULL));
  memset(&newer, 0, sizeof(newer));
  newer.known.struct_size = sizeof(newer);
  newer.more = 1;
  EXPECT_CODE(VARVE_NOT_SUPPORTED, varve_open(dir, &newer.known, &other));
  newer.more = 0;
  newer.known.memory_budget_bytes = 16 << 20;
  newer.known.compression = VARVE_COMPRESSION_LZ4;
  EXPECT_OK(varve_open(dir, &newer.known, &db));
  EXPECT_CODE(VARVE_BUSY, varve_open(dir, NULL, &other));
  varve_close(NULL);
  varve_close(db);
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_open(dir, &again, &other));
  EXPECT_OK(varve_open(dir, NULL, &db));
  ns = varve_default_namespace(db);
}

static void TestErrors(void) {
  EXPECT(strcmp(varve_code_name(VARVE_OK), "ok") == 0);
  EXPECT(strcmp(varve_code_name(VARVE_NOT_FOUND), "not found") == 0);
  EXPECT(strcmp(varve_code_name(VARVE_OUT_OF_MEMORY), "out of memory") == 0);
  EXPECT(strcmp(varve_code_name(-1), "unknown") == 0);
  EXPECT(strcmp(varve_code_name(11), "unknown") == 0);
  EXPECT(strlen(varve_version()) > 0);
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_put(ns, NULL, 1, "v", 1, NULL));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_put(ns, "k", 1, NULL, 1, NULL));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_put(NULL, "k", 1, "v", 1, NULL));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_get(ns, "k", 1, NULL, NULL, NULL));
  {
    const varve_write_options wrong = {.struct_size = sizeof(wrong), .durability = 4};
    char* key = malloc(70000);
    memset(key, 'k', 70000);
    EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_put(ns, "k", 1, "v", 1, &wrong));
    EXPECT(strstr(varve_message(), "durability 4") != NULL);
    EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_put(ns, key, 70000, "v", 1, NULL));
    EXPECT(strstr(varve_message(), "70000") != NULL);
    free(key);
  }
  EXPECT(Holds(ns, "k", NULL));
}

static void TestKeys(void) {
  char* value;
  size_t size;
  int64_t sum;
  uint64_t whole;
  const varve_write_options sync = {.struct_size = sizeof(sync), .durability = VARVE_DURABILITY_SYNC};
  EXPECT_OK(varve_put(ns, "a\0b", 3, "\0\n", 2, &sync));
  EXPECT_OK(varve_get(ns, "a\0b", 3, NULL, &value, &size));
  EXPECT(size == 2 && memcmp(value, "\0\n", 3) == 0);
  varve_free(value);
  varve_free(NULL);
  /* The empty key and the empty value. */
  EXPECT_OK(varve_put(ns, NULL, 0, NULL, 0, NULL));
  EXPECT(Holds(ns, "", ""));
  EXPECT_OK(varve_delete(ns, "", 0, NULL));
  EXPECT(Holds(ns, "", NULL));

  EXPECT_OK(varve_compare_and_set(ns, "c", 1, NULL, 0, "", 0, NULL));
  EXPECT(Holds(ns, "c", ""));
  EXPECT_CODE(VARVE_CONFLICT, varve_compare_and_set(ns, "c", 1, NULL, 0, "x", 1, NULL));
  EXPECT_OK(varve_compare_and_set(ns, "c", 1, "", 0, "x", 1, NULL));
  EXPECT_OK(varve_compare_and_set(ns, "c", 1, "x", 1, NULL, 0, NULL));
  EXPECT(Holds(ns, "c", NULL));
  EXPECT_OK(varve_put_if_absent(ns, "c", 1, "1", 1, NULL));
  EXPECT_CODE(VARVE_CONFLICT, varve_put_if_absent(ns, "c", 1, "2", 1, NULL));
  EXPECT_OK(varve_increment(ns, "c", 1, -5, NULL, &sum));
  EXPECT(sum == -4);
  EXPECT_OK(varve_increment(ns, "c", 1, 1, NULL, NULL));
  EXPECT_OK(varve_append(ns, "c", 1, "!", 1, NULL, &whole));
  EXPECT(whole == 3);
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_increment(ns, "c", 1, 1, NULL, &sum));
  EXPECT(sum == 0);
  EXPECT_OK(varve_get_and_set(ns, "c", 1, "new", 3, NULL, &value, &size));
  EXPECT(size == 3 && strcmp(value, "-3!") == 0);
  varve_free(value);
  EXPECT_OK(varve_get_and_set(ns, "c", 1, NULL, 0, NULL, &value, &size));
  varve_free(value);
  EXPECT_OK(varve_get_and_set(ns, "c", 1, NULL, 0, NULL, &value, &size));
  EXPECT(value == NULL && size == 0);

  EXPECT_OK(Put(ns, "r1", "v"));
  EXPECT_OK(Put(ns, "r2", "v"));
  EXPECT_OK(varve_delete_range(ns, "r1", 2, "r2", 2, NULL));
  EXPECT(Holds(ns, "r1", NULL) && Holds(ns, "r2", "v"));
  EXPECT_OK(varve_clear(ns, NULL));
  EXPECT(Holds(ns, "r2", NULL));
}

static void TestTimeToLive(void) {
  int64_t left = 0;
  const varve_write_options hour = {.struct_size = sizeof(hour), .ttl_ms = 3600000};
  const varve_write_options gone = {.struct_size = sizeof(gone), .ttl_ms = -1};
  const varve_write_options past = {.struct_size = sizeof(past), .expire_at_ms = 1};
  const varve_write_options far = {.struct_size = sizeof(far), .expire_at_ms = INT64_MAX};
  EXPECT_OK(varve_put(ns, "t", 1, "v", 1, &hour));
  EXPECT_OK(varve_time_to_live(ns, "t", 1, NULL, &left));
  EXPECT(left > 3000000 && left <= 3600000);
  EXPECT_OK(varve_persist(ns, "t", 1, NULL));
  EXPECT_OK(varve_time_to_live(ns, "t", 1, NULL, &left));
  EXPECT(left == -1);
  EXPECT_OK(varve_expire(ns, "t", 1, 7200000, NULL));
  EXPECT_OK(varve_time_to_live(ns, "t", 1, NULL, &left));
  EXPECT(left > 3600000);
  EXPECT_OK(varve_expire_at(ns, "t", 1, 1, NULL));
  EXPECT(Holds(ns, "t", NULL));
  EXPECT_CODE(VARVE_NOT_FOUND, varve_time_to_live(ns, "t", 1, NULL, &left));
  EXPECT_CODE(VARVE_NOT_FOUND, varve_expire(ns, "t", 1, 5, NULL));
  EXPECT_CODE(VARVE_NOT_FOUND, varve_persist(ns, "t", 1, NULL));
  EXPECT_OK(Put(ns, "t", "v"));
  EXPECT_OK(varve_put(ns, "t", 1, "v", 1, &gone));
  EXPECT(Holds(ns, "t", NULL));
  EXPECT_OK(varve_put(ns, "t", 1, "v", 1, &past));
  EXPECT(Holds(ns, "t", NULL));
  EXPECT_OK(varve_put(ns, "t", 1, "v", 1, &far));
  EXPECT(Holds(ns, "t", "v"));
  EXPECT_OK(varve_clear(ns, NULL));
}

static void TestBatchesAndSnapshots(void) {
  varve_batch* batch;
  varve_snapshot* snapshot;
  const void* keys[3] = {"b1", "absent", "b2"};
  const size_t key_sizes[3] = {2, 6, 2};
  char* values[3];
  size_t sizes[3];
  int codes[3];
  const varve_write_options hour = {.struct_size = sizeof(hour), .ttl_ms = 3600000};
  const varve_write_options both = {.struct_size = sizeof(both), .ttl_ms = 1, .expire_at_ms = 1};
  int64_t left;
  size_t i;
  EXPECT_OK(Put(ns, "old", "v"));
  EXPECT_OK(varve_snapshot_new(db, &snapshot));
  EXPECT_OK(varve_batch_new(&batch));
  EXPECT_OK(varve_batch_put(batch, NULL, "b1", 2, "1", 1, NULL));
  EXPECT_OK(varve_batch_put(batch, ns, "b2", 2, "2", 1, &hour));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_batch_put(batch, ns, "b2", 2, "2", 1, &both));
  EXPECT_OK(varve_batch_put(batch, NULL, "b3", 2, "3", 1, NULL));
  EXPECT_OK(varve_batch_delete(batch, NULL, "b3", 2));
  EXPECT_OK(varve_batch_delete_range(batch, NULL, "o", 1, "p", 1));
  EXPECT(varve_batch_count(batch) == 5);
  EXPECT(Holds(ns, "b1", NULL));
  EXPECT_OK(varve_write(db, batch, NULL));
  EXPECT(Holds(ns, "b1", "1") && Holds(ns, "b3", NULL) && Holds(ns, "old", NULL));
  EXPECT_OK(varve_time_to_live(ns, "b2", 2, NULL, &left));
  EXPECT(left > 0);
  varve_batch_clear(batch);
  EXPECT(varve_batch_count(batch) == 0);
  EXPECT_OK(varve_batch_delete_all(batch, ns));
  varve_batch_free(batch);
  varve_batch_free(NULL);

  EXPECT_OK(varve_multi_get(ns, 3, keys, key_sizes, NULL, values, sizes, codes));
  EXPECT(codes[0] == VARVE_OK && sizes[0] == 1 && strcmp(values[0], "1") == 0);
  EXPECT(codes[1] == VARVE_NOT_FOUND && values[1] == NULL && sizes[1] == 0);
  EXPECT(codes[2] == VARVE_OK && strcmp(values[2], "2") == 0);
  for (i = 0; i < 3; ++i) varve_free(values[i]);
  keys[1] = NULL;
  EXPECT_CODE(VARVE_INVALID_ARGUMENT,
              varve_multi_get(ns, 3, keys, key_sizes, NULL, values, sizes, codes));
  EXPECT(values[0] == NULL && codes[0] == VARVE_INVALID_ARGUMENT);
  EXPECT_OK(varve_multi_get(ns, 0, NULL, NULL, NULL, NULL, NULL, NULL));

  EXPECT(varve_snapshot_sequence(snapshot) > 0);
  EXPECT_OK(varve_get(ns, "old", 3, snapshot, &values[0], &sizes[0]));
  varve_free(values[0]);
  EXPECT_CODE(VARVE_NOT_FOUND, varve_get(ns, "b1", 2, snapshot, &values[0], &sizes[0]));
  varve_snapshot_free(snapshot);
  varve_snapshot_free(NULL);
  EXPECT_OK(varve_clear(ns, NULL));
}

/* All keys that the iterator shows, with a blank behind each. */
static const char* Keys(varve_iterator* iterator, int is_reverse) {
  static char keys[200];
  int is_valid = is_reverse ? varve_iterator_seek_to_last(iterator) : varve_iterator_seek_to_first(iterator);
  keys[0] = '\0';
  while (is_valid) {
    size_t size;
    const char* key = varve_iterator_key(iterator, &size);
    EXPECT(varve_iterator_valid(iterator) == 1);
    strncat(keys, key, size);
    strcat(keys, " ");
    is_valid = is_reverse ? varve_iterator_prev(iterator) : varve_iterator_next(iterator);
  }
  EXPECT(varve_iterator_valid(iterator) == 0);
  EXPECT_OK(varve_iterator_status(iterator));
  return keys;
}

static void TestIterators(void) {
  varve_iterator* iterator;
  varve_iterator_options options = {.struct_size = sizeof(options)};
  const char* value;
  size_t size;
  const char* const letters[] = {"a", "b", "ba", "c", "d"};
  const varve_write_options hour = {.struct_size = sizeof(hour), .ttl_ms = 3600000};
  size_t i;
  for (i = 0; i < 5; ++i) EXPECT_OK(Put(ns, letters[i], letters[i]));
  EXPECT_OK(varve_iterator_new(ns, NULL, &iterator));
  EXPECT(varve_iterator_key(iterator, &size) == NULL && size == 0);
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_iterator_value(iterator, &value, &size));
  EXPECT(varve_iterator_next(iterator) == 0 && varve_iterator_prev(iterator) == 0);
  EXPECT(strcmp(Keys(iterator, 0), "a b ba c d ") == 0);
  EXPECT(strcmp(Keys(iterator, 1), "d c ba b a ") == 0);
  EXPECT(varve_iterator_seek(iterator, "bb", 2) == 1);
  EXPECT_OK(varve_iterator_value(iterator, &value, &size));
  EXPECT(size == 1 && value[0] == 'c');
  EXPECT(varve_iterator_seek_for_prev(iterator, "bb", 2) == 1);
  EXPECT_OK(varve_iterator_value(iterator, &value, &size));
  EXPECT(size == 2 && memcmp(value, "ba", 2) == 0);
  EXPECT(varve_iterator_seek(iterator, "e", 1) == 0);
  EXPECT(varve_iterator_expire_at_ms(iterator) == 0);
  varve_iterator_free(iterator);
  varve_iterator_free(NULL);

  options.prefix = "b";
  options.prefix_size = 1;
  EXPECT_OK(varve_iterator_new(ns, &options, &iterator));
  EXPECT(strcmp(Keys(iterator, 0), "b ba ") == 0);
  varve_iterator_free(iterator);
  options.prefix_size = 0;
  options.lower = "ba";
  options.lower_size = 2;
  options.upper = "d";
  options.upper_size = 1;
  EXPECT_OK(varve_iterator_new(ns, &options, &iterator));
  EXPECT(strcmp(Keys(iterator, 1), "c ba ") == 0);
  varve_iterator_free(iterator);
  options.upper = NULL;
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_iterator_new(ns, &options, &iterator));
  EXPECT(iterator == NULL);

  EXPECT_OK(varve_put(ns, "t", 1, "v", 1, &hour));
  EXPECT_OK(varve_iterator_new(ns, NULL, &iterator));
  EXPECT(varve_iterator_seek_to_last(iterator) == 1);
  EXPECT(varve_iterator_expire_at_ms(iterator) > 1600000000000u);
  varve_iterator_free(iterator);
  EXPECT_OK(varve_clear(ns, NULL));
}

static int CountNamespaces(void* context, const char* name, size_t name_size, uint32_t id) {
  EXPECT(name_size == 5 && memcmp(name, "users", 5) == 0 && id > 0);
  ++*(int*)context;
  return 0;
}

static void TestNamespaces(void) {
  varve_namespace* users;
  varve_namespace* none;
  const varve_namespace_options missing = {.struct_size = sizeof(missing), .must_exist = 1};
  const varve_namespace_options ttl = {.struct_size = sizeof(ttl), .sets_default_ttl = 1, .default_ttl_ms = 3600000};
  int64_t left;
  int count = 0;
  EXPECT_CODE(VARVE_NOT_FOUND, varve_open_namespace(db, "users", 5, &missing, &none));
  EXPECT(none == NULL);
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_open_namespace(db, "", 0, NULL, &none));
  EXPECT_OK(varve_open_namespace(db, "users", 5, &ttl, &users));
  EXPECT_OK(Put(users, "k", "in users"));
  EXPECT(Holds(ns, "k", NULL) && Holds(users, "k", "in users"));
  EXPECT_OK(varve_time_to_live(users, "k", 1, NULL, &left));
  EXPECT(left > 0);
  EXPECT_OK(varve_list_namespaces(db, CountNamespaces, &count));
  EXPECT(count == 1);
  EXPECT_OK(varve_drop_namespace(db, "users", 5));
  EXPECT_CODE(VARVE_NOT_FOUND, varve_drop_namespace(db, "users", 5));
  EXPECT_CODE(VARVE_NOT_FOUND, Put(users, "k", "v"));
  varve_namespace_free(users);
  varve_namespace_free(NULL);
  varve_namespace_free(ns); /* has no effect */
  EXPECT_OK(Put(ns, "still", "there"));
  EXPECT_OK(varve_clear(ns, NULL));
}

/* Moves one from "from" to "to"; the first time somebody comes between. */
static int MoveOne(varve_transaction* t, void* context) {
  int* const runs = (int*)context;
  char* value;
  size_t size;
  int from;
  if (varve_transaction_get(t, NULL, "from", 4, &value, &size) != VARVE_OK) return 1234;
  from = atoi(value);
  varve_free(value);
  if (from == 0) return 77;
  if (++*runs == 1) EXPECT_OK(varve_increment(ns, "from", 4, 10, NULL, NULL));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_commit(t));
  varve_transaction_free(t); /* has no effect */
  {
    char text[20];
    sprintf(text, "%d", from - 1);
    EXPECT_OK(varve_transaction_put(t, NULL, "from", 4, text, strlen(text)));
  }
  EXPECT_OK(varve_transaction_put(t, ns, "to", 2, "moved", 5));
  return 0;
}

static void TestTransactions(void) {
  varve_transaction* t;
  varve_transaction* other;
  varve_iterator* iterator;
  char* value;
  size_t size;
  int runs = 0;
  const varve_transaction_options once = {.struct_size = sizeof(once), .max_attempts = 1};
  const varve_transaction_options reading = {.struct_size = sizeof(reading), .read_only = 1};
  EXPECT_CODE(1234, varve_transact(db, NULL, MoveOne, &runs));
  EXPECT_OK(Put(ns, "from", "5"));
  EXPECT_OK(varve_transact(db, NULL, MoveOne, &runs));
  EXPECT(runs == 2);
  EXPECT(Holds(ns, "from", "14") && Holds(ns, "to", "moved"));
  runs = 0;
  EXPECT_CODE(VARVE_CONFLICT, varve_transact(db, &once, MoveOne, &runs));
  EXPECT_OK(Put(ns, "from", "0"));
  EXPECT_CODE(77, varve_transact(db, NULL, MoveOne, &runs));

  EXPECT_OK(varve_begin(db, NULL, &t));
  EXPECT_OK(varve_transaction_put(t, NULL, "x1", 2, "v", 1));
  EXPECT_OK(varve_transaction_set_savepoint(t));
  EXPECT_OK(varve_transaction_put(t, NULL, "x2", 2, "v", 1));
  EXPECT_OK(varve_transaction_rollback_to_savepoint(t));
  EXPECT_CODE(VARVE_NOT_FOUND, varve_transaction_release_savepoint(t));
  EXPECT_OK(varve_transaction_delete(t, NULL, "to", 2));
  EXPECT_OK(varve_transaction_delete_range(t, NULL, "f", 1, "g", 1));
  EXPECT_OK(varve_transaction_iterator(t, NULL, NULL, &iterator));
  EXPECT(strcmp(Keys(iterator, 0), "x1 ") == 0);
  varve_iterator_free(iterator);
  EXPECT(Holds(ns, "x1", NULL));
  EXPECT_OK(varve_commit(t));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_commit(t));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_transaction_put(t, NULL, "y", 1, "v", 1));
  varve_transaction_free(t);
  EXPECT(Holds(ns, "x1", "v") && Holds(ns, "x2", NULL) && Holds(ns, "from", NULL));

  EXPECT_OK(varve_begin(db, NULL, &t));
  EXPECT_OK(varve_begin(db, NULL, &other));
  EXPECT_OK(varve_transaction_get(t, NULL, "x1", 2, &value, &size));
  varve_free(value);
  EXPECT_OK(varve_transaction_put(t, NULL, "y", 1, "v", 1));
  EXPECT_OK(varve_transaction_delete_all(other, ns));
  EXPECT_OK(varve_commit(other));
  EXPECT_CODE(VARVE_CONFLICT, varve_commit(t));
  varve_transaction_free(other);
  varve_transaction_free(t);
  EXPECT_OK(varve_begin(db, &reading, &t));
  EXPECT_CODE(VARVE_INVALID_ARGUMENT, varve_transaction_put(t, NULL, "y", 1, "v", 1));
  EXPECT_OK(varve_rollback(t));
  varve_transaction_free(t);
  EXPECT_OK(varve_begin(db, NULL, &t));
  EXPECT_OK(varve_transaction_put(t, NULL, "never", 5, "v", 1));
  varve_transaction_free(t);
  varve_transaction_free(NULL);
  EXPECT(Holds(ns, "never", NULL));
  EXPECT_OK(varve_clear(ns, NULL));
}

static void TestMaintenance(const char* dir) {
  uint64_t problems = 7;
  char* text = NULL;
  EXPECT_OK(Put(ns, "k", "v"));
  EXPECT_OK(varve_flush(db));
  EXPECT_OK(varve_compact(db));
  EXPECT_OK(varve_wait_for_background_work(db));
  EXPECT_OK(varve_sync(db));
  EXPECT_OK(varve_verify(db, &problems, &text));
  EXPECT(problems == 0 && text != NULL && text[0] == '\0');
  varve_free(text);
  EXPECT_OK(varve_verify(db, &problems, NULL));
  EXPECT_OK(varve_property(db, "varve.stats", &text));
  EXPECT(strlen(text) > 0);
  varve_free(text);
  EXPECT_CODE(VARVE_NOT_FOUND, varve_property(db, "no.such", &text));
  EXPECT(text == NULL);
  varve_close(db);
  EXPECT_OK(varve_open(dir, NULL, &db));
  ns = varve_default_namespace(db);
  EXPECT(Holds(ns, "k", "v"));
  varve_close(db);
}

int main(int argc, char** argv) {
  const char* const dir = argc > 1 ? argv[1] : "store";
  TestOpening(dir);
  TestErrors();
  TestKeys();
  TestTimeToLive();
  TestBatchesAndSnapshots();
  TestIterators();
  TestNamespaces();
  TestTransactions();
  TestMaintenance(dir);
  if (failures == 0) puts("ok");
  return failures == 0 ? 0 : 1;
}
