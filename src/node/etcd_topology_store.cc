#include "node/etcd_topology_store.h"

#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "node/etcd_codec.h"
#include "node/etcd_watch.h"

namespace varve::node {

EtcdTopologyStore::EtcdTopologyStore(EtcdOptions options, Env* env) : options_(std::move(options)), env_(env) {
  VARVE_CHECK(!options_.endpoints.empty());
}

size_t EtcdTopologyStore::preferred() {
  MutexLock lock(&mu_);
  return preferred_;
}

void EtcdTopologyStore::Prefer(size_t endpoint) {
  MutexLock lock(&mu_);
  preferred_ = endpoint % options_.endpoints.size();
}

bool EtcdTopologyStore::has_token() {
  MutexLock lock(&mu_);
  return !token_.empty();
}

HttpRequest EtcdTopologyStore::RequestTo(size_t endpoint, const std::string& path, const std::string& body) {
  HttpRequest request{.url = options_.endpoints[endpoint] + path,
                      .body = body,
                      .tls = options_.tls,
                      .connect_millis = options_.connect_millis,
                      .millis = options_.request_millis};
  MutexLock lock(&mu_);
  if (!token_.empty()) request.headers.push_back("Authorization: " + token_);
  return request;
}

EtcdTopologyStore::Answer EtcdTopologyStore::Post(HttpClient* client, size_t endpoint, const std::string& path,
                                                  const std::string& body) {
  HttpAnswer answer = client->Perform(RequestTo(endpoint, path, body));
  const std::string& where = options_.endpoints[endpoint];
  switch (answer.outcome) {
    case HttpAnswer::Outcome::kNotSent:
      return {Answer::Kind::kUnavailable, answer.is_timeout, where + ": " + answer.reason};
    case HttpAnswer::Outcome::kBroken:
    case HttpAnswer::Outcome::kCancelled:
      return {Answer::Kind::kUnknown, answer.is_timeout, where + ": " + answer.reason};
    case HttpAnswer::Outcome::kAnswered: break;
  }
  if (answer.status == 200) return {Answer::Kind::kOk, false, std::move(answer.body)};
  const std::string reason = where + ": " + std::to_string(answer.status) + " " + ParseEtcdError(answer.body);
  // No space, or too many requests: not carried out, and may be later.
  if (answer.status == 429) return {Answer::Kind::kUnavailable, false, reason};
  const bool is_refused = answer.status >= 400 && answer.status < 500;
  // Whatever goes wrong in etcd (a change of the leader, a proposal that takes too long) may still be carried out.
  return {is_refused ? Answer::Kind::kRefused : Answer::Kind::kUnknown, false, reason};
}

EtcdTopologyStore::Answer EtcdTopologyStore::Authenticate(HttpClient* client, size_t endpoint) {
  {
    MutexLock lock(&mu_);
    token_.clear();
  }
  Answer answer = Post(client, endpoint, "/v3/auth/authenticate", EtcdAuthRequest(options_.user, options_.password));
  // Nothing has been changed, whatever has become of it.
  if (answer.kind == Answer::Kind::kUnknown) answer.kind = Answer::Kind::kUnavailable;
  if (answer.kind != Answer::Kind::kOk) return answer;
  std::optional<std::string> token = ParseEtcdToken(answer.text);
  if (!token) return {Answer::Kind::kUnavailable, false, "etcd's token makes no sense"};
  MutexLock lock(&mu_);
  token_ = *std::move(token);
  return answer;
}

EtcdTopologyStore::Answer EtcdTopologyStore::AskOne(HttpClient* client, size_t endpoint, const std::string& path,
                                                    const std::string& body) {
  if (options_.user.empty()) return Post(client, endpoint, path, body);
  const bool had_token = has_token();
  if (!had_token) {
    Answer answer = Authenticate(client, endpoint);
    if (answer.kind != Answer::Kind::kOk) return answer;
  }
  Answer answer = Post(client, endpoint, path, body);
  if (answer.kind != Answer::Kind::kRefused || !had_token) return answer;
  // The token may have expired, or the rights have changed.
  Answer renewed = Authenticate(client, endpoint);
  if (renewed.kind != Answer::Kind::kOk) return renewed;
  return Post(client, endpoint, path, body);
}

EtcdTopologyStore::Answer EtcdTopologyStore::Ask(HttpClient* client, const std::string& path, const std::string& body,
                                                 bool is_repeatable) {
  const size_t first = preferred();
  const size_t count = options_.endpoints.size();
  Answer last;
  for (size_t i = 0; i < count; ++i) {
    const size_t endpoint = (first + i) % count;
    last = AskOne(client, endpoint, path, body);
    if (last.kind == Answer::Kind::kOk || last.kind == Answer::Kind::kRefused) {
      if (i > 0) Prefer(endpoint);
      return last;
    }
    if (last.kind == Answer::Kind::kUnknown && !is_repeatable &&
        !VARVE_PLANTED_BUG("etcd.sends_a_commit_twice")) {
      Prefer(endpoint + 1);
      return last;
    }
  }
  Prefer(first + 1);
  return last;
}

Result<TopologySnapshot> EtcdTopologyStore::ReadBy(HttpClient* client, const std::string& prefix) {
  const Answer answer = Ask(client, "/v3/kv/range", EtcdRangeRequest(prefix), /*is_repeatable=*/true);
  if (answer.kind == Answer::Kind::kOk) return ParseEtcdRange(answer.text);
  if (answer.kind == Answer::Kind::kRefused) return Status::InvalidArgument(answer.text);
  return answer.is_timeout ? Status::TimedOut(answer.text) : Status::Unavailable(answer.text);
}

Result<TopologySnapshot> EtcdTopologyStore::Read(const std::string& prefix) {
  HttpClient client;
  return ReadBy(&client, prefix);
}

CommitResult EtcdTopologyStore::Commit(const TopologyCommit& commit) {
  if (std::optional<CommitResult> refused = CheckCommit(commit)) return *std::move(refused);
  HttpClient client;
  const Answer answer = Ask(&client, "/v3/kv/txn", EtcdTxnRequest(commit), /*is_repeatable=*/false);
  using Outcome = CommitResult::Outcome;
  switch (answer.kind) {
    case Answer::Kind::kOk: return ParseEtcdTxn(answer.text);
    case Answer::Kind::kRefused: return {.outcome = Outcome::kRefused, .reason = answer.text};
    case Answer::Kind::kUnavailable: return {.outcome = Outcome::kUnavailable, .reason = answer.text};
    case Answer::Kind::kUnknown: break;
  }
  if (VARVE_PLANTED_BUG("etcd.unknown_taken_for_unavailable")) {
    return {.outcome = Outcome::kUnavailable, .reason = answer.text};
  }
  return {.outcome = Outcome::kUnknown, .reason = answer.text};
}

std::unique_ptr<TopologyWatch> EtcdTopologyStore::Watch(const std::string& prefix, TopologySnapshot known,
                                                        TopologyWatcher* watcher) {
  uint64_t seed = options_.seed;
  {
    MutexLock lock(&mu_);
    seed += ++watches_;
  }
  EtcdWatch::Source source;
  source.read = [this, prefix](HttpClient* client) { return ReadBy(client, prefix); };
  source.stream = [this, prefix](uint64_t start, HttpRequest* request) {
    const size_t endpoint = preferred();
    *request = RequestTo(endpoint, "/v3/watch", EtcdWatchRequest(prefix, start));
    request->millis = options_.reread_millis;
    return endpoint;
  };
  source.give_up = [this](size_t endpoint) { Prefer(endpoint + 1); };
  source.backoff = Backoff(options_.least_backoff_millis * 1'000'000, options_.most_backoff_millis * 1'000'000);
  return EtcdWatch::Start(env_, std::move(source), std::move(known), watcher, seed);
}

}  // namespace varve::node
