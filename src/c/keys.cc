// Operations on keys.
#include <cstdlib>
#include <string>
#include <vector>

#include "c/handles.h"

using namespace varve;     // NOLINT: the file is about nothing else
using namespace varve::c;  // NOLINT

namespace {

// What every operation on a key of `ns` with options does: `body` gets the namespace, the key and the options.
template <typename Body>
int OnKey(varve_namespace* ns, const void* key, size_t key_size, const varve_write_options* options,
          const Body& body) {
  VARVE_C_REQUIRE(ns != nullptr && !IsMissing(key, key_size));
  return Guarded([&]() -> Status {
    WriteOptions complete;
    if (Status status = ReadWriteOptions(options, &complete); !status.ok()) return status;
    return body(*ns->space, View(key, key_size), complete);
  });
}

}  // namespace

int varve_put(varve_namespace* ns, const void* key, size_t key_size, const void* value,
              size_t value_size, const varve_write_options* options) {
  VARVE_C_REQUIRE(!IsMissing(value, value_size));
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) {
                 return space.Put(k, View(value, value_size), complete);
               });
}

int varve_delete(varve_namespace* ns, const void* key, size_t key_size,
                 const varve_write_options* options) {
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) {
                 return space.Delete(k, complete);
               });
}

int varve_delete_range(varve_namespace* ns, const void* begin, size_t begin_size, const void* end,
                       size_t end_size, const varve_write_options* options) {
  VARVE_C_REQUIRE(!IsMissing(end, end_size));
  return OnKey(ns, begin, begin_size, options,
               [&](Namespace& space, std::string_view from, const WriteOptions& complete) {
                 return space.DeleteRange(from, View(end, end_size), complete);
               });
}

int varve_clear(varve_namespace* ns, const varve_write_options* options) {
  return OnKey(ns, nullptr, 0, options,
               [&](Namespace& space, std::string_view, const WriteOptions& complete) {
                 return space.Clear(complete);
               });
}

int varve_compare_and_set(varve_namespace* ns, const void* key, size_t key_size, const void* expected,
                          size_t expected_size, const void* desired, size_t desired_size,
                          const varve_write_options* options) {
  VARVE_C_REQUIRE(!IsMissing(expected, expected_size) && !IsMissing(desired, desired_size));
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) {
                 return space.CompareAndSet(k, MaybeView(expected, expected_size),
                                            MaybeView(desired, desired_size), complete);
               });
}

int varve_put_if_absent(varve_namespace* ns, const void* key, size_t key_size, const void* value,
                        size_t value_size, const varve_write_options* options) {
  VARVE_C_REQUIRE(!IsMissing(value, value_size));
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) {
                 return space.PutIfAbsent(k, View(value, value_size), complete);
               });
}

int varve_increment(varve_namespace* ns, const void* key, size_t key_size, int64_t delta,
                    const varve_write_options* options, int64_t* sum) {
  if (sum != nullptr) *sum = 0;
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) -> Status {
                 const Result<int64_t> result = space.Increment(k, delta, complete);
                 if (!result.ok()) return result.status();
                 if (sum != nullptr) *sum = *result;
                 return Status::Ok();
               });
}

int varve_append(varve_namespace* ns, const void* key, size_t key_size, const void* suffix,
                 size_t suffix_size, const varve_write_options* options, uint64_t* size) {
  if (size != nullptr) *size = 0;
  VARVE_C_REQUIRE(!IsMissing(suffix, suffix_size));
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) -> Status {
                 const Result<uint64_t> result =
                     space.Append(k, View(suffix, suffix_size), complete);
                 if (!result.ok()) return result.status();
                 if (size != nullptr) *size = *result;
                 return Status::Ok();
               });
}

int varve_get_and_set(varve_namespace* ns, const void* key, size_t key_size, const void* desired,
                      size_t desired_size, const varve_write_options* options, char** previous,
                      size_t* previous_size) {
  VARVE_C_REQUIRE(previous != nullptr && previous_size != nullptr);
  *previous = nullptr;
  *previous_size = 0;
  VARVE_C_REQUIRE(!IsMissing(desired, desired_size));
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) -> Status {
                 const Result<std::optional<std::string>> result =
                     space.GetAndSet(k, MaybeView(desired, desired_size), complete);
                 if (!result.ok()) return result.status();
                 return *result ? GiveBytes(**result, previous, previous_size) : Status::Ok();
               });
}

// --- Time to live.

int varve_expire(varve_namespace* ns, const void* key, size_t key_size, int64_t ttl_ms,
                 const varve_write_options* options) {
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) {
                 return space.Expire(k, std::chrono::milliseconds(ttl_ms), complete);
               });
}

int varve_expire_at(varve_namespace* ns, const void* key, size_t key_size, int64_t when_ms,
                    const varve_write_options* options) {
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) {
                 return space.ExpireAt(k, TimePoint(when_ms), complete);
               });
}

int varve_persist(varve_namespace* ns, const void* key, size_t key_size,
                  const varve_write_options* options) {
  return OnKey(ns, key, key_size, options,
               [&](Namespace& space, std::string_view k, const WriteOptions& complete) {
                 return space.Persist(k, complete);
               });
}

int varve_time_to_live(varve_namespace* ns, const void* key, size_t key_size,
                       const varve_snapshot* snapshot, int64_t* ttl_ms) {
  VARVE_C_REQUIRE(ttl_ms != nullptr);
  *ttl_ms = 0;
  return OnKey(ns, key, key_size, nullptr,
               [&](Namespace& space, std::string_view k, const WriteOptions&) -> Status {
                 const auto left = space.TimeToLive(k, {.snapshot = SnapshotOf(snapshot)});
                 if (!left.ok()) return left.status();
                 *ttl_ms = left->has_value() ? static_cast<int64_t>((*left)->count()) : -1;
                 return Status::Ok();
               });
}

// --- Reads.

int varve_get(varve_namespace* ns, const void* key, size_t key_size, const varve_snapshot* snapshot,
              char** value, size_t* value_size) {
  VARVE_C_REQUIRE(value != nullptr && value_size != nullptr);
  *value = nullptr;
  *value_size = 0;
  return OnKey(ns, key, key_size, nullptr,
               [&](Namespace& space, std::string_view k, const WriteOptions&) -> Status {
                 const Result<PinnedValue> found =
                     space.GetPinned(k, {.snapshot = SnapshotOf(snapshot)});
                 return found.ok() ? GiveBytes(found->view(), value, value_size) : found.status();
               });
}

int varve_multi_get(varve_namespace* ns, size_t count, const void* const* keys,
                    const size_t* key_sizes, const varve_snapshot* snapshot, char** values,
                    size_t* value_sizes, int* codes) {
  if (count == 0) return VARVE_OK;
  VARVE_C_REQUIRE(values != nullptr && value_sizes != nullptr && codes != nullptr);
  for (size_t i = 0; i < count; ++i) {
    values[i] = nullptr;
    value_sizes[i] = 0;
    codes[i] = VARVE_INTERNAL;
  }
  VARVE_C_REQUIRE(ns != nullptr && keys != nullptr && key_sizes != nullptr);
  const int code = Guarded([&]() -> Status {
    std::vector<std::string_view> views;
    for (size_t i = 0; i < count; ++i) {
      if (IsMissing(keys[i], key_sizes[i])) return Status::InvalidArgument("a key is NULL");
      views.push_back(View(keys[i], key_sizes[i]));
    }
    const auto results = ns->space->MultiGet(views, {.snapshot = SnapshotOf(snapshot)});
    for (size_t i = 0; i < count; ++i) {
      codes[i] = ToCode(results[i].status());
      if (results[i].ok()) values[i] = NewBytes(*results[i]);
      value_sizes[i] = results[i].ok() ? results[i]->size() : 0;
    }
    return Status::Ok();
  });
  for (size_t i = 0; code != VARVE_OK && i < count; ++i) {
    std::free(values[i]);
    values[i] = nullptr;
    value_sizes[i] = 0;
    codes[i] = code;
  }
  return code;
}
