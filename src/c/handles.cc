#include "c/handles.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <limits>
#include <utility>

#include "varve/version.h"

namespace varve::c {

namespace {

// Of one thread. A static text when there was no memory for another.
struct Message {
  std::string text;
  const char* fixed = "";  // nullptr: text counts
};
thread_local Message message;

int Keep(int code, std::string_view text) noexcept {
  try {
    message.text = text;
    message.fixed = nullptr;
  } catch (...) {
    message.fixed = "out of memory, also for the message";
  }
  return code;
}

}  // namespace

int Report(const Status& status) noexcept {
  const int code = static_cast<int>(status.code());
  return Keep(code, status.message().empty() ? StatusCodeName(status.code()) : status.message());
}

int ReportInvalid(const char* text) noexcept { return Keep(VARVE_INVALID_ARGUMENT, text); }

int ReportException() noexcept {
  try {
    throw;  // tidy: passes on what is being handled, to tell its type
  } catch (const std::bad_alloc&) {
    message.fixed = "out of memory";
    return VARVE_OUT_OF_MEMORY;
  } catch (const std::exception& exception) {
    return Keep(VARVE_INTERNAL, exception.what());
  } catch (...) {
    return Keep(VARVE_INTERNAL, "an exception of an unknown type");
  }
}

char* NewBytes(std::string_view bytes) {
  char* const copy = static_cast<char*>(std::malloc(bytes.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();  // tidy: caught at the interface
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  copy[bytes.size()] = '\0';
  return copy;
}

Status GiveBytes(std::string_view bytes, char** value, size_t* size) {
  *value = NewBytes(bytes);
  if (size != nullptr) *size = bytes.size();
  return Status::Ok();
}

Status ReadDurability(int given, std::optional<Durability>* durability) {
  switch (given) {
    case VARVE_DURABILITY_DEFAULT:
      *durability = std::nullopt;
      return Status::Ok();
    case VARVE_DURABILITY_PROCESS:
      *durability = Durability::kProcess;
      return Status::Ok();
    case VARVE_DURABILITY_SYNC:
      *durability = Durability::kSync;
      return Status::Ok();
    case VARVE_DURABILITY_NONE:
      *durability = Durability::kNone;
      return Status::Ok();
    default:
      return Status::InvalidArgument("there is no durability " + std::to_string(given));
  }
}

Status ReadCompression(int given, std::optional<Compression>* compression) {
  switch (given) {
    case VARVE_COMPRESSION_DEFAULT:
      *compression = std::nullopt;
      return Status::Ok();
    case VARVE_COMPRESSION_NONE:
      *compression = Compression::kNone;
      return Status::Ok();
    case VARVE_COMPRESSION_LZ4:
      *compression = Compression::kLz4;
      return Status::Ok();
    case VARVE_COMPRESSION_ZSTD:
      *compression = Compression::kZstd;
      return Status::Ok();
    case VARVE_COMPRESSION_AUTO:
      *compression = Compression::kAuto;
      return Status::Ok();
    default:
      return Status::InvalidArgument("there is no compression " + std::to_string(given));
  }
}

std::chrono::system_clock::time_point TimePoint(int64_t millis) {
  using TimePoint = std::chrono::system_clock::time_point;
  constexpr int64_t kMax =
      std::chrono::duration_cast<std::chrono::milliseconds>(TimePoint::duration::max()).count() - 1;
  return TimePoint(std::chrono::milliseconds(std::clamp(millis, -kMax, kMax)));
}

Status ReadWriteOptions(const varve_write_options* given, WriteOptions* options) {
  varve_write_options known;
  if (Status status = ReadOptionsStruct(given, &known); !status.ok()) return status;
  if (known.ttl_ms != 0) options->ttl = std::chrono::milliseconds(known.ttl_ms);
  if (known.expire_at_ms != 0) options->expire_at = TimePoint(known.expire_at_ms);
  return ReadDurability(known.durability, &options->durability);
}

Status ReadIteratorOptions(const varve_iterator_options* given, IteratorOptions* options) {
  varve_iterator_options known;
  if (Status status = ReadOptionsStruct(given, &known); !status.ok()) return status;
  if (IsMissing(known.prefix, known.prefix_size) || IsMissing(known.lower, known.lower_size) ||
      IsMissing(known.upper, known.upper_size)) {
    return Status::InvalidArgument("the prefix or a bound is NULL and has a size");
  }
  options->prefix = View(known.prefix, known.prefix_size);
  options->lower_bound = MaybeView(known.lower, known.lower_size);
  options->upper_bound = MaybeView(known.upper, known.upper_size);
  options->snapshot = SnapshotOf(known.snapshot);
  return Status::Ok();
}

}  // namespace varve::c

// --- Errors, and what else belongs to no store.

const char* varve_code_name(int code) {
  switch (code) {
    case VARVE_OUT_OF_MEMORY:
      return "out of memory";
    case VARVE_INTERNAL:
      return "internal error";
    default:
      if (code < VARVE_OK || code > VARVE_UNAVAILABLE) return "unknown";
      // The names are literals.
      return varve::StatusCodeName(static_cast<varve::StatusCode>(code)).data();
  }
}

const char* varve_message(void) {
  return varve::c::message.fixed != nullptr ? varve::c::message.fixed
                                            : varve::c::message.text.c_str();
}

const char* varve_version(void) { return varve::kVersion; }

void varve_free(void* bytes) { std::free(bytes); }
