#include "server/cluster_call.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/planted_bug.h"
#include "resp/number.h"
#include "server/text_range.h"

namespace varve::server {
namespace {

constexpr std::string_view kOnCluster[] = {"get",  "strlen", "getrange", "substr", "type",  "set",   "del",  "unlink",
                                           "exists", "touch", "mget",    "mset",   "getdel", "v.get", "v.put", "v.del"};
// Commands without keys whose answer would be about one node, or which only many nodes together could carry out.
constexpr std::string_view kNotOnCluster[] = {"flushall", "flushdb", "swapdb", "select", "dbsize", "v.durability"};

template <size_t N>
bool IsOneOf(std::string_view name, const std::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

uint32_t ParseCount(std::string_view text) {
  uint32_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  return error == std::errc() && stop == end && count <= 15 ? count : 0;
}

}  // namespace

ClusterRule RuleOf(const Command& command) {
  if (IsOneOf(command.full_name, kOnCluster)) return ClusterRule::kKeys;
  const bool is_about_server =
      command.spec.group == "connection" || command.spec.group == "server" || command.spec.group == "cluster";
  if (!is_about_server || !command.key_specs.empty() || IsOneOf(command.full_name, kNotOnCluster)) return ClusterRule::kRefused;
  return ClusterRule::kLocal;
}

int SlotOfKeys(const ClusterFace& face, const Command& command, const std::vector<std::string_view>& args) {
  int slot = -1;
  for (const KeyPosition& position : KeysOf(command, args)) {
    if (position.index >= args.size()) continue;
    const int own = face.SlotOf(args[position.index]);
    if (slot >= 0 && own != slot) return -2;
    slot = own;
  }
  return slot;
}

std::string ClusterCall::Begin(ClusterFace* face, const Command& command, const std::vector<std::string_view>& args,
                               std::function<void()> wake, std::shared_ptr<ClusterCall>* call) {
  constexpr std::pair<std::string_view, Kind> kKinds[] = {
      {"get", Kind::kGet},       {"set", Kind::kSet},   {"del", Kind::kDelete}, {"unlink", Kind::kDelete},
      {"strlen", Kind::kLength}, {"getrange", Kind::kRange}, {"substr", Kind::kRange}, {"type", Kind::kType},
      {"touch", Kind::kExists},  {"exists", Kind::kExists}, {"mget", Kind::kMget}, {"mset", Kind::kMset},  {"getdel", Kind::kGetDelete},
      {"v.get", Kind::kRead},    {"v.put", Kind::kWrite}, {"v.del", Kind::kWrite}};
  for (const KeyPosition& position : KeysOf(command, args)) {
    if (position.index >= args.size()) continue;
    if (args[position.index].size() > face->max_key_bytes()) {
      return "ERR a key has at most " + std::to_string(face->max_key_bytes()) + " bytes in a cluster";
    }
    if (const Status status = face->CheckKey(args[position.index]); !status.ok()) return "ERR " + std::string(status.message());
  }
  auto begun = std::make_shared<ClusterCall>();
  for (const auto& [name, kind] : kKinds) {
    if (name == command.full_name) begun->kind_ = kind;
  }
  begun->wake_ = std::move(wake);
  Options options;
  if (std::string error = begun->Parse(args, &options); !error.empty()) return error;
  if (std::string error = begun->Start(face, args, options); !error.empty()) return error;
  *call = std::move(begun);
  return "";
}

std::string ClusterCall::Parse(const std::vector<std::string_view>& args, Options* options) {
  if (kind_ == Kind::kSet && args.size() > 3) {
    return "ERR SET takes no options in a cluster: a condition would need an order of all writes, and there is no expiry";
  }
  if (kind_ == Kind::kRange) {
    const std::optional<int64_t> start = resp::ParseInteger(args[2]);
    const std::optional<int64_t> end = resp::ParseInteger(args[3]);
    if (!start || !end) return "ERR value is not an integer or out of range";
    start_ = *start;
    end_ = *end;
  }
  if (kind_ == Kind::kMset && args.size() % 2 == 0) return "ERR wrong number of arguments for 'mset' command";
  if (kind_ != Kind::kRead && kind_ != Kind::kWrite) return "";
  const bool is_put = EqualsIgnoreCase(args[0], "v.put");
  for (size_t i = is_put ? 3 : 2; i < args.size(); ++i) {
    const std::string_view count_word = kind_ == Kind::kRead ? "r" : "w";
    if (EqualsIgnoreCase(args[i], count_word) && i + 1 < args.size()) {
      options->quorum.replicas = ParseCount(args[++i]);
      if (options->quorum.replicas == 0) return "ERR R and W are numbers from 1 to 15";
    } else if (EqualsIgnoreCase(args[i], "linear")) {
      options->quorum.is_linear = true;
    } else if (kind_ == Kind::kWrite && EqualsIgnoreCase(args[i], "sloppy")) {
      options->quorum.is_sloppy = true;
    } else if (kind_ == Kind::kRead && EqualsIgnoreCase(args[i], "ctx")) {
      options->wants_context = true;
    } else if (kind_ == Kind::kWrite && EqualsIgnoreCase(args[i], "ctx") && i + 1 < args.size()) {
      options->context = args[++i];
    } else {
      return "ERR syntax error";
    }
  }
  if (options->quorum.is_linear && options->quorum.is_sloppy) return "ERR LINEAR and SLOPPY exclude each other";
  wants_context_ = options->wants_context;
  return "";
}

std::string ClusterCall::Start(ClusterFace* face, const std::vector<std::string_view>& args, const Options& options) {
  const auto key = [&](size_t i) { return std::string(args[i]); };
  // One more than there are, so that an answer that comes at once does not end it before all have begun.
  const size_t step = kind_ == Kind::kMset ? 2 : 1;
  const size_t count = is_single() ? 1 : (args.size() - 1) / step;
  results_.resize(count);
  left_.store(count + 1, std::memory_order_relaxed);
  if (kind_ == Kind::kWrite) {
    const bool is_put = EqualsIgnoreCase(args[0], "v.put");
    std::optional<std::string> value;
    if (is_put) value = args[2];
    const Status status = face->Write(key(1), std::move(value), options.context, options.quorum, DoneFor(0));
    if (!status.ok()) return "ERR " + std::string(status.message());
  }
  for (size_t i = 0; i < count && kind_ != Kind::kWrite; ++i) {
    const size_t at = 1 + i * step;
    // Writes of one key at the same time would be siblings. The last one counts.
    bool is_named_again = false;
    for (size_t j = i + 1; j < count; ++j) is_named_again = is_named_again || args[1 + j * step] == args[at];
    if (is_named_again && (kind_ == Kind::kMset || kind_ == Kind::kDelete)) {
      results_[i].outcome = ClusterResult::Outcome::kOk;
      Count();
      continue;
    }
    switch (kind_) {
      case Kind::kSet:
      case Kind::kMset: face->Replace(key(at), std::string(args[at + 1]), /*spares_conflicts=*/false, DoneFor(i)); break;
      case Kind::kDelete: face->Replace(key(at), std::nullopt, /*spares_conflicts=*/false, DoneFor(i)); break;
      case Kind::kGetDelete: face->Replace(key(at), std::nullopt, /*spares_conflicts=*/true, DoneFor(i)); break;
      default: face->Read(key(at), options.quorum, wants_context_, DoneFor(i)); break;
    }
  }
  Count();
  return "";
}

bool ClusterCall::is_single() const {
  return kind_ == Kind::kRange || kind_ == Kind::kSet || kind_ == Kind::kRead || kind_ == Kind::kWrite;
}

bool ClusterCall::is_read() const {
  return kind_ == Kind::kGet || kind_ == Kind::kLength || kind_ == Kind::kRange || kind_ == Kind::kType ||
         kind_ == Kind::kMget || kind_ == Kind::kExists || kind_ == Kind::kRead;
}

ClusterFace::Done ClusterCall::DoneFor(size_t i) {
  return [self = shared_from_this(), i](ClusterResult result) {
    self->results_[i] = std::move(result);
    self->Count();
  };
}

void ClusterCall::Count() {
  // A copy: who is woken may forget this call at once.
  const std::function<void()> wake = wake_;
  if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) wake();
}

bool ClusterCall::WriteFailure(resp::ReplyWriter* reply) const {
  using Outcome = ClusterResult::Outcome;
  const ClusterResult* failed = nullptr;
  bool any_written = false;
  for (const ClusterResult& result : results_) {
    if (result.outcome != Outcome::kFailed) any_written = true;
    if (result.outcome == Outcome::kOk) continue;
    if (failed == nullptr || result.outcome == Outcome::kUnknown) failed = &result;
  }
  if (failed == nullptr) return false;
  // Of several keys some may be written though others are certainly not.
  const bool is_unknown = !is_read() && (failed->outcome == Outcome::kUnknown || any_written) &&
                          !VARVE_PLANTED_BUG("face.unknown_said_to_have_failed");
  if (is_unknown) {
    reply->Error("UNKNOWN " + failed->reason + "; the write may still appear");
  } else {
    reply->Error("NOQUORUM " + failed->reason + (is_read() ? "; nothing was read" : "; nothing was written"));
  }
  return true;
}

void ClusterCall::WriteValue(const ClusterResult& result, resp::ReplyWriter* reply) const {
  if (result.values.empty()) {
    if (kind_ == Kind::kLength) return reply->Integer(0);
    return kind_ == Kind::kRange ? reply->Bulk({}) : reply->Null();
  }
  // The same value twice is no conflict: writes that were tried again leave that.
  const bool is_conflict = std::any_of(result.values.begin(), result.values.end(), [&](const std::string& value) {
    return value != result.values[0];
  });
  if (is_conflict && !VARVE_PLANTED_BUG("face.conflicts_hidden")) {
    return reply->Error("CONFLICT " + std::to_string(result.values.size()) +
                        " values were written at the same time: V.GET key CTX shows them, V.PUT key value CTX c settles");
  }
  const std::string& value = result.values[0];
  if (kind_ == Kind::kLength) return reply->Integer(static_cast<int64_t>(value.size()));
  reply->Bulk(kind_ == Kind::kRange ? TextRange(value, start_, end_) : std::string_view(value));
}

void ClusterCall::WriteValues(const ClusterResult& result, resp::ReplyWriter* reply) const {
  reply->Array(result.values.size());
  for (const std::string& value : result.values) reply->Bulk(value);
}

void ClusterCall::WriteReply(resp::ReplyWriter* reply) const {
  if (WriteFailure(reply)) return;
  switch (kind_) {
    case Kind::kType: return reply->Simple(results_[0].values.empty() ? "none" : "string");
    case Kind::kGet:
    case Kind::kLength:
    case Kind::kRange:
    case Kind::kGetDelete: return WriteValue(results_[0], reply);
    case Kind::kSet:
    case Kind::kMset: return reply->Ok();
    case Kind::kDelete:
    case Kind::kExists:
      return reply->Integer(std::count_if(results_.begin(), results_.end(), [](const ClusterResult& result) {
        return !result.values.empty();
      }));
    case Kind::kMget:
      reply->Array(results_.size());
      for (const ClusterResult& result : results_) WriteValue(result, reply);
      return;
    case Kind::kRead:
      if (!wants_context_) return WriteValues(results_[0], reply);
      reply->Array(2);
      reply->Bulk(results_[0].context);
      return WriteValues(results_[0], reply);
    case Kind::kWrite: return reply->Bulk(results_[0].context);
  }
}

}  // namespace varve::server
