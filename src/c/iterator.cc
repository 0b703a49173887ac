// Iterators.
#include <memory>

#include "c/handles.h"

using namespace varve;     // NOLINT: the file is about nothing else
using namespace varve::c;  // NOLINT

namespace {

// Moves, and says whether the iterator stands on a key.
template <typename Move>
int Moved(varve_iterator* iterator, const Move& move) {
  if (iterator == nullptr) return 0;
  int is_valid = 0;
  Quietly([&] {
    move(*iterator->iterator);
    is_valid = iterator->iterator->Valid() ? 1 : 0;
  });
  return is_valid;
}

}  // namespace

int varve_iterator_new(varve_namespace* ns, const varve_iterator_options* options,
                       varve_iterator** iterator) {
  VARVE_C_REQUIRE(iterator != nullptr);
  *iterator = nullptr;
  VARVE_C_REQUIRE(ns != nullptr);
  return Guarded([&]() -> Status {
    IteratorOptions complete;
    if (Status status = ReadIteratorOptions(options, &complete); !status.ok()) return status;
    auto handle = std::make_unique<varve_iterator>();
    handle->iterator = ns->space->NewIterator(complete);
    *iterator = handle.release();
    return Status::Ok();
  });
}

void varve_iterator_free(varve_iterator* iterator) {
  Quietly([&] { delete iterator; });
}

int varve_iterator_valid(const varve_iterator* iterator) {
  return iterator != nullptr && iterator->iterator->Valid() ? 1 : 0;
}

int varve_iterator_seek_to_first(varve_iterator* iterator) {
  return Moved(iterator, [](Iterator& it) { it.SeekToFirst(); });
}

int varve_iterator_seek_to_last(varve_iterator* iterator) {
  return Moved(iterator, [](Iterator& it) { it.SeekToLast(); });
}

int varve_iterator_seek(varve_iterator* iterator, const void* key, size_t key_size) {
  if (IsMissing(key, key_size)) return 0;
  return Moved(iterator, [&](Iterator& it) { it.Seek(View(key, key_size)); });
}

int varve_iterator_seek_for_prev(varve_iterator* iterator, const void* key, size_t key_size) {
  if (IsMissing(key, key_size)) return 0;
  return Moved(iterator, [&](Iterator& it) { it.SeekForPrev(View(key, key_size)); });
}

int varve_iterator_next(varve_iterator* iterator) {
  return Moved(iterator, [](Iterator& it) {
    if (it.Valid()) it.Next();
  });
}

int varve_iterator_prev(varve_iterator* iterator) {
  return Moved(iterator, [](Iterator& it) {
    if (it.Valid()) it.Prev();
  });
}

int varve_iterator_status(const varve_iterator* iterator) {
  VARVE_C_REQUIRE(iterator != nullptr);
  return Guarded([&] { return iterator->iterator->status(); });
}

const char* varve_iterator_key(const varve_iterator* iterator, size_t* size) {
  if (size != nullptr) *size = 0;
  if (iterator == nullptr || size == nullptr || !iterator->iterator->Valid()) return nullptr;
  std::string_view key;
  Quietly([&] { key = iterator->iterator->key(); });
  *size = key.size();
  return key.data() == nullptr ? "" : key.data();
}

int varve_iterator_value(varve_iterator* iterator, const char** value, size_t* size) {
  VARVE_C_REQUIRE(value != nullptr && size != nullptr);
  *value = nullptr;
  *size = 0;
  VARVE_C_REQUIRE(iterator != nullptr);
  return Guarded([&]() -> Status {
    if (!iterator->iterator->Valid()) {
      return Status::InvalidArgument("the iterator stands on no key");
    }
    const std::string_view view = iterator->iterator->value();
    Status status = iterator->iterator->status();
    if (!status.ok()) return status;
    *value = view.data() == nullptr ? "" : view.data();
    *size = view.size();
    return status;
  });
}

uint64_t varve_iterator_expire_at_ms(const varve_iterator* iterator) {
  if (iterator == nullptr || !iterator->iterator->Valid()) return 0;
  return iterator->iterator->expire_at_millis();
}
