#include "node/etcd_codec.h"

#include "base/planted_bug.h"
#include "node/base64.h"
#include "node/json.h"

namespace varve::node {

namespace {

using nlohmann::json;

constexpr size_t kMaxErrorBytes = 300;

// The first key behind all that begin with `prefix`; "\0" is etcd's word for the end of all keys.
std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (prefix.empty()) return std::string(1, '\0');
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

void PutPrefix(const std::string& prefix, json* to) {
  (*to)["key"] = EncodeBase64(prefix.empty() ? std::string(1, '\0') : prefix);
  (*to)["range_end"] = EncodeBase64(PrefixEnd(prefix));
}

std::optional<std::string> Bytes(const json* member) {
  const std::optional<std::string> text = Text(member);
  return text ? DecodeBase64(*text) : std::nullopt;
}

uint64_t HeaderRevision(const json* answer) {
  return Number(JsonMember(JsonMember(answer, "header"), "revision")).value_or(0);
}

// Adds the records of a "kvs" list. False: it makes no sense.
bool TakeRecords(const json* kvs, std::map<std::string, Record>* records) {
  if (kvs == nullptr) return true;
  if (!kvs->is_array()) return false;
  for (const json& kv : *kvs) {
    std::optional<std::string> key = Bytes(JsonMember(&kv, "key"));
    const bool has_value = JsonMember(&kv, "value") != nullptr;
    std::optional<std::string> value = has_value ? Bytes(JsonMember(&kv, "value")) : std::string();
    const uint64_t revision = Number(JsonMember(&kv, "mod_revision")).value_or(0);
    if (!key || !value || revision == 0) return false;
    records->insert_or_assign(*std::move(key), Record{*std::move(value), revision});
  }
  return true;
}

}  // namespace

std::string EtcdRangeRequest(const std::string& prefix) {
  json request;
  PutPrefix(prefix, &request);
  return Dump(request);
}

std::string EtcdTxnRequest(const TopologyCommit& commit) {
  json request{{"compare", json::array()}, {"success", json::array()}, {"failure", json::array()}};
  for (const TopologyCommit::Condition& condition : commit.conditions) {
    const std::string key = EncodeBase64(condition.key);
    // A record that is not there has the revision 0.
    json compare{{"key", key}, {"target", "MOD"}, {"result", "EQUAL"}};
    compare["mod_revision"] = std::to_string(condition.revision);
    if (!VARVE_PLANTED_BUG("etcd.commits_without_conditions")) request["compare"].push_back(std::move(compare));
    request["failure"].push_back(json{{"request_range", {{"key", key}}}});
  }
  for (const TopologyCommit::Change& change : commit.changes) {
    const std::string key = EncodeBase64(change.key);
    if (change.value) {
      request["success"].push_back(json{{"request_put", {{"key", key}, {"value", EncodeBase64(*change.value)}}}});
    } else {
      request["success"].push_back(json{{"request_delete_range", {{"key", key}}}});
    }
  }
  return Dump(request);
}

std::string EtcdWatchRequest(const std::string& prefix, uint64_t start_revision) {
  json create{{"start_revision", std::to_string(start_revision)}, {"progress_notify", true}};
  PutPrefix(prefix, &create);
  return Dump(json{{"create_request", std::move(create)}});
}

std::string EtcdAuthRequest(const std::string& user, const std::string& password) {
  return Dump(json{{"name", user}, {"password", password}});
}

Result<TopologySnapshot> ParseEtcdRange(std::string_view text) {
  const std::optional<json> answer = ParseJson(text);
  TopologySnapshot snapshot;
  snapshot.revision = answer ? HeaderRevision(&*answer) : 0;
  if (snapshot.revision == 0 || !TakeRecords(JsonMember(&*answer, "kvs"), &snapshot.records)) {
    return Status::Corruption("etcd's answer makes no sense: " + std::string(text.substr(0, kMaxErrorBytes)));
  }
  return snapshot;
}

CommitResult ParseEtcdTxn(std::string_view text) {
  const std::optional<json> answer = ParseJson(text);
  CommitResult result{.outcome = CommitResult::Outcome::kUnknown};
  result.revision = answer ? HeaderRevision(&*answer) : 0;
  if (result.revision == 0) {
    result.reason = "etcd's answer makes no sense: " + std::string(text.substr(0, kMaxErrorBytes));
    return result;
  }
  if (IsTrue(JsonMember(&*answer, "succeeded"))) {
    result.outcome = CommitResult::Outcome::kDone;
    return result;
  }
  result.outcome = CommitResult::Outcome::kConflict;
  result.reason = "somebody else has changed it";
  const json* const responses = JsonMember(&*answer, "responses");
  if (responses == nullptr || !responses->is_array()) return result;
  for (const json& response : *responses) {
    static_cast<void>(TakeRecords(JsonMember(JsonMember(&response, "response_range"), "kvs"), &result.current));
  }
  return result;
}

std::optional<std::string> ParseEtcdToken(std::string_view text) {
  const std::optional<json> answer = ParseJson(text);
  return answer ? Text(JsonMember(&*answer, "token")) : std::nullopt;
}

std::string ParseEtcdError(std::string_view text) {
  const std::optional<json> answer = ParseJson(text);
  if (answer) {
    if (std::optional<std::string> message = Text(JsonMember(&*answer, "message"))) return *message;
    if (std::optional<std::string> error = Text(JsonMember(&*answer, "error"))) return *error;
    if (std::optional<std::string> message = Text(JsonMember(JsonMember(&*answer, "error"), "message"))) return *message;
  }
  return std::string(text.substr(0, kMaxErrorBytes));
}

EtcdWatchMessage ParseEtcdWatch(std::string_view text) {
  EtcdWatchMessage message;
  const std::optional<json> answer = ParseJson(text);
  const json* const result = answer ? JsonMember(&*answer, "result") : nullptr;
  if (result == nullptr) {
    message.end = ParseEtcdError(text);
    if (message.end.empty()) message.end = "an error without a message";
    return message;
  }
  message.revision = HeaderRevision(result);
  message.is_created = IsTrue(JsonMember(result, "created"));
  if (IsTrue(JsonMember(result, "canceled"))) {
    const std::optional<uint64_t> compacted = Number(JsonMember(result, "compact_revision"));
    message.end = compacted ? "compacted up to revision " + std::to_string(*compacted) : "canceled";
    if (const auto reason = Text(JsonMember(result, "cancel_reason"))) message.end += ": " + *reason;
    return message;
  }
  const json* const events = JsonMember(result, "events");
  if (events == nullptr || !events->is_array()) return message;
  for (const json& event : *events) {
    const json* const kv = JsonMember(&event, "kv");
    std::optional<std::string> key = Bytes(JsonMember(kv, "key"));
    const uint64_t revision = Number(JsonMember(kv, "mod_revision")).value_or(0);
    const bool is_delete = Text(JsonMember(&event, "type")).value_or("PUT") == "DELETE";
    std::optional<std::string> value;
    if (!is_delete) value = JsonMember(kv, "value") == nullptr ? std::string() : Bytes(JsonMember(kv, "value"));
    if (!key || revision == 0 || (!is_delete && !value)) {
      message.end = "an event that makes no sense";
      return message;
    }
    message.events.push_back({*std::move(key), std::move(value), revision});
  }
  return message;
}

}  // namespace varve::node
