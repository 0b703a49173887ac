// Walking through the keys of a database.
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <limits>

#include "base/random.h"
#include "base/status_macros.h"
#include "server/call.h"
#include "server/glob.h"
#include "server/service.h"

namespace varve::server {
namespace {

std::unique_ptr<Iterator> Walk(Call& call, const IteratorOptions& options) {
  return call.transaction != nullptr ? call.transaction->NewIterator(call.space(), options)
                                     : call.space().NewIterator(options);
}

Status Keys(Call& call) {
  const std::string_view pattern = call.arg(1);
  const std::unique_ptr<Iterator> iterator = Walk(call, {.prefix = LiteralPrefix(pattern)});
  std::vector<std::string> keys;
  size_t bytes = 0;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    if (pattern != "*" && !MatchesGlob(pattern, iterator->key())) continue;
    keys.emplace_back(iterator->key());
    bytes += keys.back().size();
    if (bytes > call.reply.limit()) return call.TooLarge();
  }
  VARVE_RETURN_IF_ERROR(iterator->status());
  call.reply.Array(keys.size());
  for (const std::string& key : keys) call.reply.Bulk(key);
  return Status::Ok();
}

// As strtoul takes it. False after replying an error.
bool TakeCursor(Call& call, size_t i, uint64_t* cursor) {
  const std::string text(call.arg(i));
  char* end = nullptr;
  errno = 0;
  *cursor = std::strtoull(text.c_str(), &end, 10);
  const bool is_space = !text.empty() && std::isspace(static_cast<unsigned char>(text[0])) != 0;
  if (!is_space && *end == '\0' && errno != ERANGE) return true;
  static_cast<void>(call.Error("invalid cursor"));
  return false;
}

struct ScanOptions {
  uint64_t cursor = 0;
  int64_t count = 10;
  std::string_view pattern = "*";
  std::string_view type = "string";
};

bool ParseScan(Call& call, ScanOptions* options) {
  if (!TakeCursor(call, 1, &options->cursor)) return false;
  for (size_t i = 2; i < call.count(); i += 2) {
    const bool has_value = i + 1 < call.count();
    if (call.Is(i, "count") && has_value) {
      if (!call.TakeInteger(i + 1, &options->count)) return false;
      if (options->count < 1) {
        static_cast<void>(call.SyntaxError());
        return false;
      }
    } else if (call.Is(i, "match") && has_value) {
      options->pattern = call.arg(i + 1);
    } else if (call.Is(i, "type") && has_value) {
      options->type = call.arg(i + 1);
    } else {
      static_cast<void>(call.SyntaxError());
      return false;
    }
  }
  return true;
}

// Keys that are collected for one reply; the cursor is for the rest, whatever COUNT says.
constexpr size_t kScanBytes = 16 << 20;

// Looks at `count` keys and shows those that match, except that keys outside of the pattern's beginning are
// not looked at.
Status Scan(Call& call) {
  ScanOptions options;
  if (!ParseScan(call, &options)) return Status::Ok();
  const bool is_all = options.pattern == "*";
  const bool is_type = EqualsIgnoreCase(options.type, "string");
  const std::unique_ptr<Iterator> iterator = Walk(call, {.prefix = LiteralPrefix(options.pattern)});
  if (options.cursor == 0) {
    iterator->SeekToFirst();
  } else {
    iterator->Seek(call.service.scan_cursors().Position(options.cursor));
  }
  std::vector<std::string> keys;
  std::string last;
  int64_t seen = 0;
  size_t bytes = 0;
  for (; iterator->Valid() && seen < options.count && bytes < kScanBytes; iterator->Next(), ++seen) {
    last = iterator->key();
    if (!is_type || !(is_all || MatchesGlob(options.pattern, last))) continue;
    keys.push_back(last);
    bytes += last.size();
  }
  VARVE_RETURN_IF_ERROR(iterator->status());
  const uint64_t next = iterator->Valid() ? call.service.scan_cursors().After(last) : 0;
  call.reply.Array(2);
  call.reply.Bulk(std::to_string(next));
  call.reply.Array(keys.size());
  for (const std::string& key : keys) call.reply.Bulk(key);
  return Status::Ok();
}

// A key near a random place between the first and the last. Not all keys are equally likely.
Status RandomKey(Call& call) {
  const std::unique_ptr<Iterator> iterator = Walk(call, {});
  iterator->SeekToLast();
  if (iterator->Valid()) {
    const std::string last(iterator->key());
    iterator->SeekToFirst();
    const std::string first(iterator->Valid() ? iterator->key() : std::string_view());
    size_t shared = 0;
    while (shared < first.size() && shared < last.size() && first[shared] == last[shared]) ++shared;
    const uint8_t low = shared < first.size() ? static_cast<uint8_t>(first[shared]) : 0;
    const uint8_t high = shared < last.size() ? static_cast<uint8_t>(last[shared]) : 0;
    Random random(call.service.NewSeed());
    std::string target = last.substr(0, shared);
    target.push_back(static_cast<char>(low + random.Uniform(uint64_t{1} + high - low)));
    // Bytes that text has more often than not.
    for (int i = 0; i < 8; ++i) target.push_back(static_cast<char>(random.OneIn(2) ? '0' + random.Uniform(10) : random.Uniform(256)));
    iterator->Seek(target);
    if (!iterator->Valid()) iterator->SeekToFirst();
  }
  VARVE_RETURN_IF_ERROR(iterator->status());
  if (iterator->Valid()) {
    call.reply.Bulk(iterator->key());
  } else {
    call.reply.Null();
  }
  return Status::Ok();
}

Status DbSize(Call& call) {
  const std::unique_ptr<Iterator> iterator = Walk(call, {});
  int64_t count = 0;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) ++count;
  VARVE_RETURN_IF_ERROR(iterator->status());
  return call.Integer(count);
}

}  // namespace

std::vector<CommandSpec> ScanCommands() {
  return {
      {"keys", 2, "readonly", "keyspace dangerous", "",
       "request_policy:all_shards nondeterministic_output_order", "1.0.0", "generic",
       "Returns the keys that match a pattern, in order", Keys},
      {"scan", -2, "readonly", "keyspace", "", "nondeterministic_output request_policy:special",
       "2.8.0", "generic", "Walks through the keys in steps", Scan},
      {"randomkey", 1, "readonly", "keyspace", "", "request_policy:all_shards nondeterministic_output",
       "1.0.0", "generic", "Returns some key", RandomKey},
      {"dbsize", 1, "readonly fast", "keyspace", "", "request_policy:all_shards response_policy:agg_sum",
       "1.0.0", "server", "Counts the keys of the database, by walking through them", DbSize},
  };
}

}  // namespace varve::server
