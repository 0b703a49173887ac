#include "server/call.h"

#include <chrono>
#include <functional>
#include <limits>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "resp/number.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {

namespace {

// The last millisecond that the clock's type, which counts nanoseconds, can hold: in the year 2262.
constexpr uint64_t kLastMillis = 9223372036854;

std::chrono::system_clock::time_point TimeOf(uint64_t millis) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(std::min(millis, kLastMillis)));
}

}  // namespace

Status Call::Error(std::string_view text) {
  reply.Error(std::string("ERR ").append(text));
  return Status::Ok();
}

Status Call::ArityError() {
  return Error("wrong number of arguments for '" + command.full_name + "' command");
}

Status Call::ExpireTimeError() {
  return Error("invalid expire time in '" + command.full_name + "' command");
}

bool Call::TakeInteger(size_t i, int64_t* value, std::string_view message) {
  const std::optional<int64_t> parsed = resp::ParseInteger(args[i]);
  if (parsed) {
    *value = *parsed;
    return true;
  }
  static_cast<void>(Error(message.empty() ? "value is not an integer or out of range" : message));
  return false;
}

bool Call::TakeInt(size_t i, int* value, std::string_view message) {
  constexpr int64_t kMin = std::numeric_limits<int>::min();
  constexpr int64_t kMax = std::numeric_limits<int>::max();
  int64_t wide = 0;
  if (!TakeInteger(i, &wide, message)) return false;
  if (wide < kMin || wide > kMax) {
    static_cast<void>(Error(!message.empty() ? std::string(message)
                                             : "value is out of range, value must between " +
                                                   std::to_string(kMin) + " and " +
                                                   std::to_string(kMax)));
    return false;
  }
  *value = static_cast<int>(wide);
  return true;
}

bool Call::TakeDatabase(size_t i, int* index) {
  if (!TakeInt(i, index)) return false;
  if (*index >= 0 && *index < service.databases().count()) return true;
  static_cast<void>(Error("DB index is out of range"));
  return false;
}

bool Call::CheckSize(uint64_t size, uint64_t more) {
  const uint64_t limit = static_cast<uint64_t>(service.max_bulk_bytes());
  if (size <= limit && more <= limit - size) return true;
  static_cast<void>(Error("string exceeds maximum allowed size (proto-max-bulk-len)"));
  return false;
}

Result<bool> Call::Get(std::string_view key, std::string* value) {
  const Status status = transaction != nullptr ? transaction->Get(*space_, key, value)
                                               : space_->Get(key, value);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return status;
  return true;
}

Result<bool> Call::Exists(Namespace& space, std::string_view key) {
  const Result<PinnedValue> value =
      transaction != nullptr ? transaction->GetPinned(space, key) : space.GetPinned(key);
  if (value.ok()) return true;
  if (value.status().IsNotFound()) return false;
  return value.status();
}

Result<std::optional<PinnedValue>> Call::GetPinned(std::string_view key) {
  Result<PinnedValue> value =
      transaction != nullptr ? transaction->GetPinned(*space_, key) : space_->GetPinned(key);
  if (value.ok()) return std::optional<PinnedValue>(*std::move(value));
  if (value.status().IsNotFound()) return std::optional<PinnedValue>();
  return value.status();
}

// An iterator on the key, or on nothing. Point reads do not tell deadlines.
std::unique_ptr<Iterator> Call::At(std::string_view key) {
  const std::string end = std::string(key) + '\0';
  const IteratorOptions options{.lower_bound = key, .upper_bound = end};
  std::unique_ptr<Iterator> iterator = transaction != nullptr
                                           ? transaction->NewIterator(*space_, options)
                                           : space_->NewIterator(options);
  iterator->SeekToFirst();
  return iterator;
}

Result<std::optional<Entry>> Call::Find(std::string_view key) {
  const std::unique_ptr<Iterator> iterator = At(key);
  std::optional<Entry> entry;
  if (iterator->Valid()) {
    const uint64_t expire_at = iterator->expire_at_millis();
    entry = Entry{std::string(iterator->value()), expire_at};
  }
  VARVE_RETURN_IF_ERROR(iterator->status());
  return entry;
}

Result<std::optional<uint64_t>> Call::FindDeadline(std::string_view key) {
  const std::unique_ptr<Iterator> iterator = At(key);
  std::optional<uint64_t> deadline;
  if (iterator->Valid()) deadline = iterator->expire_at_millis();
  VARVE_RETURN_IF_ERROR(iterator->status());
  return deadline;
}

void Call::NotifyIn(uint32_t flag, std::string_view event, std::string_view key, int database) {
  if (!service.IsHeard(flag)) return;
  session.AddEvent({flag, event, std::string(key), database < 0 ? session.database() : database});
}

WriteOptions Call::Writes(uint64_t expire_at) {
  session.NoteWrite();
  WriteOptions options;
  options.durability = service.write_durability();
  if (expire_at != 0) options.expire_at = TimeOf(expire_at);
  return options;
}

Status Call::Put(Namespace& target, std::string_view key, std::string_view value,
                 uint64_t expire_at) {
  if (VARVE_PLANTED_BUG("server.answers_before_the_write") && transaction == nullptr) {
    static thread_local std::function<void()> late;
    if (late) late();
    late = [&target, k = std::string(key), v = std::string(value), options = Writes(expire_at)] {
      static_cast<void>(target.Put(k, v, options));
    };
    return Status::Ok();
  }
  if (transaction == nullptr) return target.Put(key, value, Writes(expire_at));
  session.NoteWrite();
  if (expire_at == 0) return transaction->Put(target, key, value);
  // What the transaction wrote itself would be there for it until its end.
  if (expire_at <= now) return transaction->Delete(target, key);
  return transaction->Put(target, key, value, TimeOf(expire_at));
}

Status Call::Delete(std::string_view key) {
  if (transaction == nullptr) return space_->Delete(key, Writes());
  session.NoteWrite();
  return transaction->Delete(*space_, key);
}

Status Call::Clear(Namespace& target) {
  if (transaction == nullptr) return target.Clear(Writes());
  session.NoteWrite();
  return transaction->DeleteAll(target);
}

}  // namespace varve::server
