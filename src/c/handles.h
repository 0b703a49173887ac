// What is behind the handles of the C interface, and how C++ results become codes.
#ifndef VARVE_C_HANDLES_H_
#define VARVE_C_HANDLES_H_

#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "varve/c.h"
#include "varve/db.h"

struct varve_namespace {
  varve::Namespace* space = nullptr;
  std::shared_ptr<varve::Namespace> owner;  // empty: the default namespace, owned by the store
};

struct varve_db {
  std::unique_ptr<varve::Db> db;
  varve_namespace default_namespace;
};

struct varve_batch {
  varve::WriteBatch batch;
};

struct varve_snapshot {
  std::unique_ptr<varve::Snapshot> snapshot;
};

struct varve_iterator {
  std::unique_ptr<varve::Iterator> iterator;
};

struct varve_transaction {
  varve::Transaction* transaction = nullptr;
  std::unique_ptr<varve::Transaction> owner;  // empty: varve_transact's
  varve::Db* db = nullptr;
};

namespace varve::c {

// Each keeps the message for varve_message and returns the code. None throws.
int Report(const Status& status) noexcept;
int ReportInvalid(const char* message) noexcept;
// Of the exception that is being handled.
int ReportException() noexcept;

// Runs `body`, which returns a Status or a code, and lets no exception through.
inline int ToCode(int code) { return code; }
inline int ToCode(const Status& status) { return status.ok() ? VARVE_OK : Report(status); }
template <typename Body>
int Guarded(const Body& body) noexcept {
  try {
    return ToCode(body());
  } catch (...) {
    return ReportException();
  }
}

// The same where there is no code to return.
template <typename Body>
void Quietly(const Body& body) noexcept {
  try {
    body();
  } catch (...) {
    ReportException();
  }
}

inline std::string_view View(const void* data, size_t size) {
  return size == 0 ? std::string_view("", 0) : std::string_view(static_cast<const char*>(data), size);
}
// True for a pointer that must not be read.
inline bool IsMissing(const void* data, size_t size) { return data == nullptr && size != 0; }
// NULL stands for no value.
inline std::optional<std::string_view> MaybeView(const void* data, size_t size) {
  if (data == nullptr) return std::nullopt;
  return View(data, size);
}

// A copy for varve_free, with a 0 behind it. Throws std::bad_alloc.
char* NewBytes(std::string_view bytes);
// Copies to where a caller wants it; `size` may be null.
Status GiveBytes(std::string_view bytes, char** value, size_t* size);

// The options of a caller, who may have an older or a newer header: what it does not know is 0, and what we do
// not know must be. kInvalidArgument, kNotSupported. T: one of the structures that begin with struct_size.
template <typename T>
Status ReadOptionsStruct(const T* given, T* options) {
  *options = T();
  if (given == nullptr) return Status::Ok();
  const size_t size = given->struct_size;
  if (size < sizeof(size_t)) {
    return Status::InvalidArgument("struct_size of the options is not set");
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) return Status::NotSupported("the options are those of a newer version of varve");
  }
  std::memcpy(options, given, size < sizeof(T) ? size : sizeof(T));
  return Status::Ok();
}

// kInvalidArgument for numbers that are none of the enum's. Unset: the default.
Status ReadDurability(int given, std::optional<Durability>* durability);
Status ReadCompression(int given, std::optional<Compression>* compression);
Status ReadWriteOptions(const varve_write_options* given, WriteOptions* options);
// The views of `*options` are the caller's.
Status ReadIteratorOptions(const varve_iterator_options* given, IteratorOptions* options);

// Milliseconds since 1970 as what the store takes, within what that can hold.
std::chrono::system_clock::time_point TimePoint(int64_t millis);

inline const Snapshot* SnapshotOf(const varve_snapshot* snapshot) {
  return snapshot == nullptr ? nullptr : snapshot->snapshot.get();
}

}  // namespace varve::c

// For functions that return a code.
#define VARVE_C_REQUIRE(condition)                                               \
  do {                                                                           \
    if (!(condition)) return ::varve::c::ReportInvalid("not so: " #condition);   \
  } while (false)

#endif  // VARVE_C_HANDLES_H_
