#include "server/tracking.h"

#include <algorithm>

#include "resp/reply_writer.h"

namespace varve::server {

namespace {

// What a key takes besides its bytes, and each of its readers.
constexpr size_t kKeyBytes = 128;
constexpr size_t kReaderBytes = 48;
constexpr std::string_view kChannel = "__redis__:invalidate";

bool HasPrefix(const std::set<std::string, std::less<>>& prefixes, std::string_view key) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) { return key.starts_with(prefix); });
}

void WriteKeys(const std::string_view* key, resp::ReplyWriter* writer) {
  if (key == nullptr) return writer->Null();
  writer->Array(1);
  writer->Bulk(*key);
}

}  // namespace

size_t Tracking::key_count() const {
  MutexLock lock(&mu_);
  return keys_.size();
}

void Tracking::Begin(const std::shared_ptr<Client>& client, const TrackingOptions& options) {
  MutexLock lock(&mu_);
  Tracker& tracker = trackers_[client->peer.id];
  tracker.client = client;
  tracker.options = options;
  tracker.prefixes.insert(options.prefixes.begin(), options.prefixes.end());
  if (options.has_prefixes && tracker.prefixes.empty()) tracker.prefixes.emplace();
  count_.store(trackers_.size(), std::memory_order_release);
  client->redirect.store(static_cast<int64_t>(options.redirect), std::memory_order_relaxed);
  client->tracking.store(options.has_prefixes ? Client::kTracks | Client::kTracksPrefixes : Client::kTracks, std::memory_order_relaxed);
}

void Tracking::End(const Client& client) {
  MutexLock lock(&mu_);
  const auto found = trackers_.find(client.peer.id);
  if (found == trackers_.end()) return;
  Client& mine = *found->second.client;
  mine.redirect.store(-1, std::memory_order_relaxed);
  mine.tracking.store(0, std::memory_order_relaxed);
  trackers_.erase(found);
  count_.store(trackers_.size(), std::memory_order_release);
  if (trackers_.empty()) {
    keys_.clear();
    bytes_ = 0;
  }
}

std::vector<std::string> Tracking::PrefixesOf(const Client& client) const {
  MutexLock lock(&mu_);
  const auto found = trackers_.find(client.peer.id);
  if (found == trackers_.end()) return {};
  return {found->second.prefixes.begin(), found->second.prefixes.end()};
}

void Tracking::Remember(const Client& client, std::string_view key) {
  MutexLock lock(&mu_);
  const auto [found, is_new] = keys_.try_emplace(std::string(key));
  if (is_new) bytes_ += key.size() + kKeyBytes;
  if (found->second.insert(client.peer.id).second) bytes_ += kReaderBytes;
  while (bytes_ > max_bytes_ && keys_.size() > 1) {
    auto other = keys_.begin();
    if (other->first == key) ++other;
    Forget(other, 0);
  }
}

// Its readers will not hear of it again.
void Tracking::Forget(Keys::iterator key, uint64_t changer) {
  const auto taken = keys_.extract(key);
  bytes_ -= taken.key().size() + kKeyBytes + taken.mapped().size() * kReaderBytes;
  const std::string_view name = taken.key();
  for (const uint64_t id : taken.mapped()) {
    const auto found = trackers_.find(id);
    if (found == trackers_.end() || found->second.options.has_prefixes) continue;
    if (found->second.options.skips_own && id == changer) continue;
    Tell(found->second, &name);
  }
}

void Tracking::Invalidate(std::string_view key, uint64_t changer) {
  MutexLock lock(&mu_);
  for (auto& [id, tracker] : trackers_) {
    if (!tracker.options.has_prefixes || !HasPrefix(tracker.prefixes, key)) continue;
    if (!tracker.options.skips_own || id != changer) Tell(tracker, &key);
  }
  if (const auto found = keys_.find(std::string(key)); found != keys_.end()) Forget(found, changer);
}

void Tracking::InvalidateAll() {
  MutexLock lock(&mu_);
  for (auto& [id, tracker] : trackers_) Tell(tracker, nullptr);
  keys_.clear();
  bytes_ = 0;
}

void Tracking::Tell(Tracker& tracker, const std::string_view* key) {
  std::shared_ptr<Client> hearer = tracker.client;
  const bool is_redirected = tracker.options.redirect != 0;
  const int own_version = hearer->protocol.load(std::memory_order_relaxed);
  std::string bytes;
  if (is_redirected) {
    hearer = clients_->Find(tracker.options.redirect);
    if (hearer == nullptr) {
      tracker.client->tracking.fetch_or(Client::kRedirectIsGone, std::memory_order_relaxed);
      if (own_version < 3 || !tracker.client->peer.write) return;
      resp::ReplyWriter writer(&bytes, own_version);
      writer.Push(2);
      writer.Bulk("tracking-redir-broken");
      writer.Integer(static_cast<int64_t>(tracker.options.redirect));
      return tracker.client->peer.write(std::move(bytes));
    }
  }
  const int version = hearer->protocol.load(std::memory_order_relaxed);
  resp::ReplyWriter writer(&bytes, version);
  if (version > 2) {
    writer.Push(2);
    writer.Bulk("invalidate");
  } else if (is_redirected && IsSubscribed(*hearer)) {
    writer.Push(3);
    writer.Bulk("message");
    writer.Bulk(kChannel);
  } else {
    return;  // there is no way to say it, and Redis says nothing either
  }
  WriteKeys(key, &writer);
  if (hearer->peer.write) hearer->peer.write(std::move(bytes));
}

}  // namespace varve::server
