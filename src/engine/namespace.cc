// What is the same for every kind of namespace: the conditional writes, made of one read-modify-write.
#include "varve/namespace.h"

#include <charconv>

namespace varve {

namespace {

// The number that `text` is in exactly the form of std::to_string; nullopt when it is none.
std::optional<int64_t> ParseDecimal(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // Neither leading zeros nor "-0": what is written back must be what would have been there.
  if (std::to_string(number) != text) return std::nullopt;
  return number;
}

}  // namespace

std::string Namespace::At(std::string_view key) {
  Result<std::string> value = Get(key);
  if (value.ok()) return *std::move(value);
  if (value.status().IsNotFound()) throw KeyNotFound("varve: key not found: " + std::string(key));
  throw std::runtime_error("varve: " + value.status().ToString());
}

Status Namespace::CompareAndSet(std::string_view key, std::optional<std::string_view> expected,
                                std::optional<std::string_view> desired,
                                const WriteOptions& options) {
  const auto modify = [&](std::optional<std::string_view> current) -> Result<Modification> {
    if (current != expected) {
      return Status::Conflict(current ? "the key has another value" : "the key is absent");
    }
    if (!desired) return Modification{.kind = Modification::Kind::kDelete};
    return Modification{Modification::Kind::kPut, *desired, /*is_constant=*/true};
  };
  return ReadModifyWrite(key, std::cref(modify), options);
}

Status Namespace::PutIfAbsent(std::string_view key, std::string_view value,
                              const WriteOptions& options) {
  const auto modify = [&](std::optional<std::string_view> current) -> Result<Modification> {
    if (current) return Status::Conflict("the key is present");
    return Modification{Modification::Kind::kPut, value, /*is_constant=*/true};
  };
  return ReadModifyWrite(key, std::cref(modify), options);
}

Result<int64_t> Namespace::Increment(std::string_view key, int64_t delta,
                                     const WriteOptions& options) {
  int64_t sum = 0;
  std::string text;
  const auto modify = [&](std::optional<std::string_view> current) -> Result<Modification> {
    const std::optional<int64_t> number = current ? ParseDecimal(*current) : 0;
    if (!number) {
      return Status::InvalidArgument("the value is not a decimal integer of 64 bits with sign");
    }
    if (__builtin_add_overflow(*number, delta, &sum)) {
      return Status::InvalidArgument(std::to_string(*number) + " + " + std::to_string(delta) +
                                     " does not fit 64 bits with sign");
    }
    text = std::to_string(sum);
    return Modification{Modification::Kind::kPut, text, /*is_constant=*/false,
                        Modification::Deadline::kKept};
  };
  if (Status status = ReadModifyWrite(key, std::cref(modify), options); !status.ok()) return status;
  return sum;
}

Result<uint64_t> Namespace::Append(std::string_view key, std::string_view suffix,
                                   const WriteOptions& options) {
  std::string whole;
  const auto modify = [&](std::optional<std::string_view> current) -> Result<Modification> {
    whole.assign(current.value_or(std::string_view()));
    whole.append(suffix);
    return Modification{Modification::Kind::kPut, whole, /*is_constant=*/false,
                        Modification::Deadline::kKept};
  };
  if (Status status = ReadModifyWrite(key, std::cref(modify), options); !status.ok()) return status;
  return whole.size();
}

Result<std::optional<std::string>> Namespace::GetAndSet(std::string_view key,
                                                        std::optional<std::string_view> desired,
                                                        const WriteOptions& options) {
  std::optional<std::string> previous;
  const auto modify = [&](std::optional<std::string_view> current) -> Result<Modification> {
    previous.reset();
    if (current) previous.emplace(*current);
    if (desired) return Modification{Modification::Kind::kPut, *desired, /*is_constant=*/true};
    if (!current) return Modification{};
    return Modification{.kind = Modification::Kind::kDelete};
  };
  if (Status status = ReadModifyWrite(key, std::cref(modify), options); !status.ok()) return status;
  return previous;
}

// --- Time to live.

Status Namespace::Expire(std::string_view key, std::chrono::milliseconds ttl,
                         const WriteOptions& options) {
  return KeepValue(key, Modification::Deadline::kAsPut, {.durability = options.durability, .ttl = ttl});
}

Status Namespace::ExpireAt(std::string_view key, std::chrono::system_clock::time_point when,
                           const WriteOptions& options) {
  return KeepValue(key, Modification::Deadline::kAsPut,
                   {.durability = options.durability, .expire_at = when});
}

Status Namespace::Persist(std::string_view key, const WriteOptions& options) {
  return KeepValue(key, Modification::Deadline::kNone, {.durability = options.durability});
}

Status Namespace::KeepValue(std::string_view key, Modification::Deadline deadline,
                            const WriteOptions& options) {
  const auto modify = [&](std::optional<std::string_view> current) -> Result<Modification> {
    if (!current) return Status::NotFound();
    return Modification{.kind = Modification::Kind::kKeepValue, .deadline = deadline};
  };
  return ReadModifyWrite(key, std::cref(modify), options);
}

}  // namespace varve
