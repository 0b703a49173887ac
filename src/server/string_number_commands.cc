// Strings that are numbers, and the longest common subsequence of two strings.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>

#include "base/status_macros.h"
#include "resp/number.h"
#include "server/call.h"
#include "server/service.h"

namespace varve::server {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

Status Add(Call& call, int64_t delta) {
  if (call.transaction == nullptr) {
    const Result<int64_t> sum = call.space().Increment(call.arg(1), delta, call.Writes());
    if (sum.ok()) {
      call.Notify(kEventString, "incrby", call.arg(1));
      return call.Integer(*sum);
    }
    // No number, or too large: which of them is found out in one step with the value.
    if (sum.status().code() != StatusCode::kInvalidArgument) return sum.status();
    return call.NeedTransaction();
  }
  VARVE_ASSIGN_OR_RETURN(const std::optional<Entry> entry, call.Find(call.arg(1)));
  const std::optional<int64_t> value = entry ? resp::ParseInteger(entry->value) : 0;
  if (!value) return call.Error("value is not an integer or out of range");
  int64_t sum = 0;
  if (__builtin_add_overflow(*value, delta, &sum)) {
    return call.Error("increment or decrement would overflow");
  }
  VARVE_RETURN_IF_ERROR(call.Put(call.arg(1), std::to_string(sum), entry ? entry->expire_at : 0));
  call.Notify(kEventString, "incrby", call.arg(1));
  return call.Integer(sum);
}

Status Incr(Call& call) { return Add(call, 1); }
Status Decr(Call& call) { return Add(call, -1); }

Status IncrBy(Call& call) {
  int64_t delta = 0;
  return call.TakeInteger(2, &delta) ? Add(call, delta) : Status::Ok();
}

Status DecrBy(Call& call) {
  int64_t delta = 0;
  if (!call.TakeInteger(2, &delta)) return Status::Ok();
  return delta == kMin ? call.Error("decrement would overflow") : Add(call, -delta);
}

// What strtold makes of the whole text; no spaces in front, no NaN.
std::optional<long double> ParseFloat(std::string_view text) {
  constexpr size_t kMaxBytes = 5 * 1024;
  if (text.empty() || text.size() >= kMaxBytes || text[0] == ' ' ||
      (text[0] >= '\t' && text[0] <= '\r')) {
    return std::nullopt;
  }
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const long double value = std::strtold(copy.c_str(), &end);
  const bool is_out_of_range =
      errno == ERANGE && (std::isinf(value) || std::fpclassify(value) == FP_ZERO);
  if (end != copy.c_str() + copy.size() || is_out_of_range || std::isnan(value)) return std::nullopt;
  return value;
}

// Seventeen digits behind the point, without zeros at the end.
std::string FormatFloat(long double value) {
  char buffer[5 * 1024];
  std::string text(buffer, static_cast<size_t>(std::snprintf(buffer, sizeof(buffer), "%.17Lf", value)));
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

Status IncrByFloat(Call& call) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<Entry> entry, call.Find(call.arg(1)));
  const std::optional<long double> value = entry ? ParseFloat(entry->value) : 0.0L;
  const std::optional<long double> delta = ParseFloat(call.arg(2));
  if (!value || !delta) return call.Error("value is not a valid float");
  const long double sum = *value + *delta;
  if (std::isnan(sum) || std::isinf(sum)) {
    return call.Error("increment would produce NaN or Infinity");
  }
  const std::string text = FormatFloat(sum);
  VARVE_RETURN_IF_ERROR(call.Put(call.arg(1), text, entry ? entry->expire_at : 0));
  call.Notify(kEventString, "incrbyfloat", call.arg(1));
  call.reply.Bulk(text);
  return Status::Ok();
}

// --- LCS.

// Lengths of the longest common subsequences of all beginnings of two strings.
class LcsTable {
 public:
  LcsTable(std::string_view a, std::string_view b)
      : width_(b.size() + 1), lengths_((a.size() + 1) * width_) {
    for (size_t i = 1; i <= a.size(); ++i) {
      for (size_t j = 1; j <= b.size(); ++j) {
        lengths_[i * width_ + j] = a[i - 1] == b[j - 1] ? At(i - 1, j - 1) + 1
                                                        : std::max(At(i - 1, j), At(i, j - 1));
      }
    }
  }
  uint32_t At(size_t i, size_t j) const { return lengths_[i * width_ + j]; }

 private:
  const size_t width_;
  std::vector<uint32_t> lengths_;
};

// A part of both strings: [a, a + size) and [b, b + size).
struct Match {
  size_t a, b, size;
};

// From the ends to the beginnings, which is the order of the reply. Neighbouring pairs of equal bytes are one
// match. `text` receives the subsequence.
std::vector<Match> FindMatches(std::string_view a, std::string_view b, const LcsTable& table,
                               std::string* text) {
  std::vector<Match> matches;
  bool is_open = false;
  for (size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
    if (a[i - 1] == b[j - 1]) {
      text->push_back(a[i - 1]);
      --i;
      --j;
      if (is_open && matches.back().a == i + 1 && matches.back().b == j + 1) {
        matches.back() = {i, j, matches.back().size + 1};
      } else {
        matches.push_back({i, j, 1});
        is_open = true;
      }
    } else {
      (table.At(i - 1, j) > table.At(i, j - 1) ? i : j) -= 1;
      is_open = false;
    }
  }
  std::reverse(text->begin(), text->end());
  return matches;
}

void ReplyMatches(Call& call, const std::vector<Match>& matches, size_t min_size, bool with_size) {
  const auto is_shown = [&](const Match& match) { return match.size >= min_size; };
  call.reply.Array(static_cast<size_t>(std::count_if(matches.begin(), matches.end(), is_shown)));
  for (const Match& match : matches) {
    if (!is_shown(match)) continue;
    call.reply.Array(with_size ? 3 : 2);
    for (const size_t begin : {match.a, match.b}) {
      call.reply.Array(2);
      call.reply.Integer(static_cast<int64_t>(begin));
      call.reply.Integer(static_cast<int64_t>(begin + match.size - 1));
    }
    if (with_size) call.reply.Integer(static_cast<int64_t>(match.size));
  }
}

Status Lcs(Call& call) {
  std::string a;
  std::string b;
  VARVE_RETURN_IF_ERROR(call.Get(call.arg(1), &a).status());
  VARVE_RETURN_IF_ERROR(call.Get(call.arg(2), &b).status());
  bool only_length = false;
  bool shows_matches = false;
  bool with_size = false;
  int64_t min_size = 0;
  for (size_t i = 3; i < call.count(); ++i) {
    if (call.Is(i, "idx")) {
      shows_matches = true;
    } else if (call.Is(i, "len")) {
      only_length = true;
    } else if (call.Is(i, "withmatchlen")) {
      with_size = true;
    } else if (call.Is(i, "minmatchlen") && i + 1 < call.count()) {
      if (!call.TakeInteger(++i, &min_size)) return Status::Ok();
      min_size = std::max<int64_t>(min_size, 0);
    } else {
      return call.SyntaxError();
    }
  }
  if (shows_matches && only_length) {
    return call.Error("If you want both the length and indexes, please just use IDX.");
  }
  const unsigned __int128 bytes =
      static_cast<unsigned __int128>(a.size() + 1) * (b.size() + 1) * sizeof(uint32_t);
  if (bytes > static_cast<uint64_t>(call.service.max_bulk_bytes())) {
    return call.Error("Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  const LcsTable table(a, b);
  const int64_t length = table.At(a.size(), b.size());
  if (only_length) return call.Integer(length);
  std::string text;
  const std::vector<Match> matches = FindMatches(a, b, table, &text);
  if (!shows_matches) {
    call.reply.Bulk(text);
    return Status::Ok();
  }
  call.reply.Map(2);
  call.reply.Bulk("matches");
  ReplyMatches(call, matches, static_cast<size_t>(min_size), with_size);
  call.reply.Bulk("len");
  return call.Integer(length);
}

}  // namespace

std::vector<CommandSpec> StringNumberCommands() {
  constexpr std::string_view kKey = "RW access update@1:0,1";
  return {
      {"incr", 2, "write denyoom fast", "string", kKey, "", "1.0.0", "string",
       "Adds one to a number", Incr},
      {"decr", 2, "write denyoom fast", "string", kKey, "", "1.0.0", "string",
       "Takes one from a number", Decr},
      {"incrby", 3, "write denyoom fast", "string", kKey, "", "1.0.0", "string",
       "Adds an integer to a number", IncrBy},
      {"decrby", 3, "write denyoom fast", "string", kKey, "", "1.0.0", "string",
       "Takes an integer from a number", DecrBy},
      {"incrbyfloat", 3, "write denyoom fast", "string", kKey, "", "2.6.0", "string",
       "Adds a fraction to a number", IncrByFloat, true},
      {"lcs", -3, "readonly", "string", "RO access@1:1,1", "", "7.0.0", "string",
       "Returns the longest subsequence that two values share", Lcs, true},
  };
}

}  // namespace varve::server
