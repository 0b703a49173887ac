#include <algorithm>
#include <cctype>
#include <map>

#include "resp/number.h"
#include "resp/reply_writer.h"
#include "tests/client/fake_server.h"

namespace varve::client {

namespace {

struct Value {
  std::string bytes;
  int64_t expire_at = -1;  // milliseconds since 1970; -1: stays
};

constexpr int64_t kNow = 1'700'000'000'000;

}  // namespace

struct FakeStore {
  std::mutex mu;
  bool knows_range = true;
  std::map<int64_t, std::map<std::string, Value>> databases;
  uint64_t changes = 0;
};

namespace {

// Not a server: knows what the client sends, in the form in which it does. Its time stands still.
class StoreSession : public FakeSession {
 public:
  explicit StoreSession(std::shared_ptr<FakeStore> store) : store_(std::move(store)) {}

  std::optional<std::string> Answer(const Words& request) override {
    const std::lock_guard lock(store_->mu);
    Words upper = request;
    for (char& c : upper[0]) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return Execute(upper);
  }

 private:
  std::map<std::string, Value>& keys() { return store_->databases[database_]; }

  std::string Execute(const Words& request) {
    std::string bytes;
    resp::ReplyWriter reply(&bytes);
    const std::string& name = request[0];
    if (name == "EXEC") {
      ExecuteQueue(reply);
    } else if (name == "MULTI") {
      is_queueing_ = true;
      reply.Ok();
    } else if (is_queueing_) {
      queue_.push_back(request);
      reply.Simple("QUEUED");
    } else {
      Run(request, reply);
    }
    return bytes;
  }

  void ExecuteQueue(resp::ReplyWriter& reply) {
    const std::vector<Words> queue = std::exchange(queue_, {});
    is_queueing_ = false;
    const bool is_stale = watched_at_ && *watched_at_ != store_->changes;
    watched_at_.reset();
    if (is_stale) return reply.NullArray();
    reply.Array(queue.size());
    for (const Words& request : queue) Run(request, reply);
  }

  void Run(const Words& request, resp::ReplyWriter& reply) {
    const std::string& name = request[0];
    if (name == "PING") return reply.Simple("PONG");
    if (name == "ECHO") return reply.Bulk(request[1]);
    if (name == "SELECT") {
      const std::optional<int64_t> number = resp::ParseInteger(request[1]);
      if (!number || *number > 15) return reply.Error("ERR DB index is out of range");
      database_ = *number;
      return reply.Ok();
    }
    if (name == "WATCH") {
      watched_at_ = store_->changes;
      return reply.Ok();
    }
    if (name == "UNWATCH") {
      watched_at_.reset();
      return reply.Ok();
    }
    if (name == "INFO") return Info(reply);
    if (name == "DBSIZE") return reply.Integer(static_cast<int64_t>(keys().size()));
    if (name == "SCAN") return Scan(request, reply);
    if (name == "V.EXPLAIN" && store_->knows_range) {
      return reply.Bulk("answer: " + std::string(keys().contains(request[1]) ? "value" : "nothing") + "\n");
    }
    if (name == "V.RANGE" && store_->knows_range) return Range(request, reply);
    if (name == "GET" || name == "MGET") return Get(request, reply);
    if (name == "PTTL" || name == "PEXPIRETIME") return Expiry(request, reply);
    Change(request, reply);
  }

  void Change(const Words& request, resp::ReplyWriter& reply) {
    const std::string& name = request[0];
    ++store_->changes;
    if (name == "SET") return Set(request, reply);
    if (name == "DEL") return reply.Integer(static_cast<int64_t>(keys().erase(request[1])));
    if (name == "FLUSHDB") {
      keys().clear();
      return reply.Ok();
    }
    const auto found = request.size() < 2 ? keys().end() : keys().find(request[1]);
    const bool is_there = found != keys().end();
    if (name == "PERSIST" || name == "PEXPIRE" || name == "PEXPIREAT") {
      if (is_there) {
        const int64_t number = request.size() < 3 ? -1 : *resp::ParseInteger(request[2]);
        found->second.expire_at = name == "PEXPIRE" ? kNow + number : number;
      }
      return reply.Integer(is_there ? 1 : 0);
    }
    if (name == "V.DELRANGE" && store_->knows_range) {
      if (request[1] < request[2]) keys().erase(keys().lower_bound(request[1]), keys().lower_bound(request[2]));
      return reply.Ok();
    }
    if (name == "V.RMTREE" && store_->knows_range) {
      const auto begin = keys().lower_bound(request[1] + "/");
      keys().erase(begin, keys().lower_bound(request[1] + "0"));
      keys().erase(request[1]);
      return reply.Ok();
    }
    if (name == "V.MVTREE" && request[2] != "new") {
      return reply.Error(request[2] == "taken" ? "BUSYKEY Target node already exists." : "ERR no such node");
    }
    --store_->changes;
    reply.Error("ERR unknown command '" + name + "', with args beginning with: ");
  }

  void Set(const Words& request, resp::ReplyWriter& reply) {
    Value value{request[2]};
    for (size_t i = 3; i < request.size(); ++i) {
      if (request[i] == "KEEPTTL") value.expire_at = keys()[request[1]].expire_at;
      if (request[i] == "PX") value.expire_at = kNow + *resp::ParseInteger(request[i + 1]);
      if (request[i] == "PXAT") value.expire_at = *resp::ParseInteger(request[i + 1]);
    }
    keys()[request[1]] = value;
    reply.Ok();
  }

  void Get(const Words& request, resp::ReplyWriter& reply) {
    if (request[0] == "MGET") reply.Array(request.size() - 1);
    for (size_t i = 1; i < request.size(); ++i) {
      const auto found = keys().find(request[i]);
      found == keys().end() ? reply.Null() : reply.Bulk(found->second.bytes);
    }
  }

  void Expiry(const Words& request, resp::ReplyWriter& reply) {
    const auto found = keys().find(request[1]);
    if (found == keys().end()) return reply.Integer(-2);
    const int64_t at = found->second.expire_at;
    reply.Integer(at < 0 ? -1 : request[0] == "PTTL" ? at - kNow : at);
  }

  void Info(resp::ReplyWriter& reply) {
    std::string text = "# Server\r\nredis_version:7.0.15\r\n\r\n# Keyspace\r\n";
    for (const auto& [number, keys] : store_->databases) {
      if (keys.empty()) continue;
      text += "db" + std::to_string(number) + ":keys=" + std::to_string(keys.size()) +
              ",expires=0,avg_ttl=0\r\n";
    }
    reply.Bulk(text);
  }

  // Two keys a call, and each twice, as SCAN may.
  void Scan(const Words& request, resp::ReplyWriter& reply) {
    // A literal prefix and a star; what has a meaning in patterns and is not escaped matches nothing here.
    std::string_view pattern = request[3];
    bool is_literal = pattern.ends_with('*');
    if (is_literal) pattern.remove_suffix(1);
    std::string prefix;
    for (size_t i = 0; i < pattern.size(); ++i) {
      if (pattern[i] == '\\' && i + 1 < pattern.size()) {
        ++i;
      } else if (std::string_view("*?[\\").find(pattern[i]) != std::string_view::npos) {
        is_literal = false;
      }
      prefix.push_back(pattern[i]);
    }
    std::vector<std::string> found;
    for (const auto& [key, value] : keys()) {
      if (is_literal && key.starts_with(prefix)) found.push_back(key);
    }
    std::reverse(found.begin(), found.end());
    const size_t begin = static_cast<size_t>(*resp::ParseInteger(request[1]));
    const size_t end = std::min(found.size(), begin + 2);
    reply.Array(2);
    reply.Bulk(end == found.size() ? "0" : std::to_string(end));
    reply.Array(2 * (end - begin));
    for (size_t i = begin; i < end; ++i) {
      reply.Bulk(found[i]);
      reply.Bulk(found[i]);
    }
  }

  void Range(const Words& request, resp::ReplyWriter& reply) {
    const auto has = [&](const char* word) {
      return std::find(request.begin() + 5, request.end(), word) != request.end();
    };
    auto begin = keys().lower_bound(request[1]);
    auto end = request[2].empty() ? keys().end() : keys().lower_bound(request[2]);
    std::vector<std::pair<std::string, std::string>> found;
    for (; begin != end; ++begin) found.emplace_back(begin->first, begin->second.bytes);
    if (has("REV")) std::reverse(found.begin(), found.end());
    found.resize(std::min(found.size(), static_cast<size_t>(*resp::ParseInteger(request[4]))));
    reply.Array(found.size() * (has("KEYS") ? 1 : 2));
    for (const auto& [key, value] : found) {
      reply.Bulk(key);
      if (!has("KEYS")) reply.Bulk(value);
    }
  }

  const std::shared_ptr<FakeStore> store_;
  int64_t database_ = 0;
  bool is_queueing_ = false;
  std::vector<Words> queue_;
  std::optional<uint64_t> watched_at_;
};

}  // namespace

std::shared_ptr<FakeStore> NewFakeStore(bool knows_range) {
  auto store = std::make_shared<FakeStore>();
  store->knows_range = knows_range;
  return store;
}

std::unique_ptr<FakeSession> NewStoreSession(const std::shared_ptr<FakeStore>& store) {
  return std::make_unique<StoreSession>(store);
}

}  // namespace varve::client
