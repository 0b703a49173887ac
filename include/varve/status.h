// How varve reports errors: as values.
//
// This header defines
//   StatusCode   the dozen things a program can react to
//   Status       a code and, when there is something to say, a message for people
//   Result<T>    a T, or the Status that says why there is none
//
// The code is for programs, the message for people: it says what failed, where (path, offset) and in
// which operation. Programs switch on the code and keep a default branch; codes may be added.
//
//   varve::Result<std::string> value = db->Get("key");
//   if (value.ok()) use(*value);
//   else if (value.status().code() == varve::StatusCode::kNotFound) ...
//
// Both types are [[nodiscard]]: an error that nobody looks at is a compiler warning.
#ifndef VARVE_STATUS_H_
#define VARVE_STATUS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace varve {

// The values are part of the C interface and of exit codes: never renumber them.
enum class StatusCode : uint8_t {
  kOk = 0,
  kNotFound = 1,         // the key is absent, or the file is
  kCorruption = 2,       // stored bytes fail their checksum or make no sense
  kIoError = 3,          // the operating system refused; "no space" is one of these
  kInvalidArgument = 4,  // the caller asked for something outside the documented limits
  kNotSupported = 5,     // a store of a newer version, or a feature this build lacks
  kBusy = 6,             // somebody else has the store open
  kConflict = 7,         // a compare-and-set or a transaction met another writer
  kAborted = 8,          // the store is closing, or the operation was cancelled
  kTimedOut = 9,
  kUnavailable = 10,     // temporarily impossible; trying again may work
};

// The stable name of a code, for example "kNotFound" gives "not found".
std::string_view StatusCodeName(StatusCode code);

// A code and a message. Copying is cheap when there is no message; a Status without a message never
// allocates, so kNotFound on a read path costs nothing. Thread-compatible.
class [[nodiscard]] Status {
 public:
  Status() = default;
  explicit Status(StatusCode code) : code_(code) {}
  Status(StatusCode code, std::string message)
      : code_(code), message_(std::make_unique<std::string>(std::move(message))) {}

  Status(const Status& other) { *this = other; }
  Status& operator=(const Status& other) {
    code_ = other.code_;
    message_ = other.message_ ? std::make_unique<std::string>(*other.message_) : nullptr;
    return *this;
  }
  Status(Status&&) = default;
  Status& operator=(Status&&) = default;

  static Status Ok() { return Status(); }
  static Status NotFound() { return Status(StatusCode::kNotFound); }
  static Status NotFound(std::string m) { return {StatusCode::kNotFound, std::move(m)}; }
  static Status Corruption(std::string m) { return {StatusCode::kCorruption, std::move(m)}; }
  static Status IoError(std::string m) { return {StatusCode::kIoError, std::move(m)}; }
  static Status InvalidArgument(std::string m) {
    return {StatusCode::kInvalidArgument, std::move(m)};
  }
  static Status NotSupported(std::string m) { return {StatusCode::kNotSupported, std::move(m)}; }
  static Status Busy(std::string m) { return {StatusCode::kBusy, std::move(m)}; }
  static Status Conflict(std::string m) { return {StatusCode::kConflict, std::move(m)}; }
  static Status Aborted(std::string m) { return {StatusCode::kAborted, std::move(m)}; }
  static Status TimedOut(std::string m) { return {StatusCode::kTimedOut, std::move(m)}; }
  static Status Unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  std::string_view message() const {
    return message_ ? std::string_view(*message_) : std::string_view();
  }
  bool IsNotFound() const { return code_ == StatusCode::kNotFound; }
  bool IsCorruption() const { return code_ == StatusCode::kCorruption; }

  // "ok", or "<code name>: <message>".
  std::string ToString() const;

  // A Status of the same code whose message is "`context`: <message>". OK stays OK.
  Status WithContext(std::string_view context) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::unique_ptr<std::string> message_;
};

// A T, or the non-OK Status that says why there is none. `operator*` and `operator->` REQUIRE ok().
// Speaks the dialect of std::expected: has_value, value, error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(Status status) : status_(std::move(status)) {}     // NOLINT: implicit on purpose
  Result(T value) : value_(std::in_place, std::move(value)) {}  // NOLINT: implicit on purpose
  // A T made of `arguments`, where it will stay.
  template <typename... Arguments>
  explicit Result(std::in_place_t, Arguments&&... arguments)
      : value_(std::in_place, std::forward<Arguments>(arguments)...) {}

  bool ok() const { return value_.has_value(); }
  bool has_value() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Status& status() const { return status_; }
  const Status& error() const { return status_; }

  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T value_or(T fallback) const& { return ok() ? *value_ : std::move(fallback); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace varve

#endif  // VARVE_STATUS_H_
