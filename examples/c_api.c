/* The store from C: pairs, a range, a transaction. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <varve/c.h>

static int Fail(const char* what, int code) {
  fprintf(stderr, "%s: %s: %s\n", what, varve_code_name(code), varve_message());
  return 1;
}

/* Takes `*context` from the number under "stock". Runs again when somebody else has changed it meanwhile. */
static int Sell(varve_transaction* t, void* context) {
  char* value;
  size_t size;
  char left[24];
  int code = varve_transaction_get(t, NULL, "stock", 5, &value, &size);
  if (code != VARVE_OK) return code;
  sprintf(left, "%d", atoi(value) - *(const int*)context);
  varve_free(value);
  if (left[0] == '-') return VARVE_ABORTED; /* nothing is written */
  return varve_transaction_put(t, NULL, "stock", 5, left, strlen(left));
}

int main(void) {
  varve_db* db;
  varve_namespace* ns;
  varve_iterator* it;
  varve_iterator_options fruit = {.struct_size = sizeof(fruit), .prefix = "fruit/", .prefix_size = 6};
  char* value;
  size_t size;
  int count, is_valid;
  int code = varve_open("data", NULL, &db);
  if (code != VARVE_OK) return Fail("open", code);
  ns = varve_default_namespace(db);

  code = varve_put(ns, "fruit/apple", 11, "red", 3, NULL);
  if (code == VARVE_OK) code = varve_put(ns, "fruit/pear", 10, "green", 5, NULL);
  if (code == VARVE_OK) code = varve_put(ns, "stock", 5, "10", 2, NULL);
  if (code != VARVE_OK) return Fail("put", code);

  /* Values are given back with varve_free. */
  code = varve_get(ns, "fruit/pear", 10, NULL, &value, &size);
  if (code != VARVE_OK) return Fail("get", code);
  printf("%s\n", value);
  varve_free(value);

  code = varve_iterator_new(ns, &fruit, &it);
  if (code != VARVE_OK) return Fail("iterator", code);
  for (is_valid = varve_iterator_seek_to_first(it); is_valid; is_valid = varve_iterator_next(it)) {
    const char* key = varve_iterator_key(it, &size);
    printf("%.*s\n", (int)size, key);
  }
  code = varve_iterator_status(it); /* a loop also ends at an error */
  varve_iterator_free(it);
  if (code != VARVE_OK) return Fail("iterator", code);

  for (count = 4; count <= 8; count += 4) {
    code = varve_transact(db, NULL, Sell, &count);
    printf("selling %d: %s\n", count, varve_code_name(code));
  }
  varve_close(db);
  return 0;
}
