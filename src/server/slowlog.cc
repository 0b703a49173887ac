#include "server/slowlog.h"

#include <algorithm>
#include <utility>

namespace varve::server {

namespace {

constexpr size_t kMaxArgs = 32;
constexpr size_t kMaxArgBytes = 128;

std::vector<std::string> Shortened(const std::vector<std::string_view>& args) {
  std::vector<std::string> kept;
  for (size_t i = 0; i < std::min(args.size(), kMaxArgs); ++i) {
    if (i == kMaxArgs - 1 && args.size() > kMaxArgs) {
      kept.push_back("... (" + std::to_string(args.size() - i) + " more arguments)");
    } else if (args[i].size() > kMaxArgBytes) {
      kept.push_back(std::string(args[i].substr(0, kMaxArgBytes)) + "... (" +
                     std::to_string(args[i].size() - kMaxArgBytes) + " more bytes)");
    } else {
      kept.emplace_back(args[i]);
    }
  }
  return kept;
}

}  // namespace

void Slowlog::Add(const Client& client, const std::vector<std::string_view>& args,
                  uint64_t now_millis, uint64_t nanos) {
  Entry entry{.seconds = now_millis / 1000,
              .micros = nanos / 1000,
              .args = Shortened(args),
              .address = client.peer.address,
              .client_name = client.names().name};
  MutexLock lock(&mu_);
  entry.id = next_id_++;
  entries_.push_front(std::move(entry));
  while (entries_.size() > static_cast<size_t>(max_entries())) entries_.pop_back();
}

std::vector<Slowlog::Entry> Slowlog::Newest(size_t count) const {
  MutexLock lock(&mu_);
  const auto end = entries_.begin() + static_cast<ptrdiff_t>(std::min(count, entries_.size()));
  return {entries_.begin(), end};
}

size_t Slowlog::size() const {
  MutexLock lock(&mu_);
  return entries_.size();
}

void Slowlog::Clear() {
  MutexLock lock(&mu_);
  entries_.clear();
}

void Slowlog::set_max_entries(int64_t count) {
  MutexLock lock(&mu_);
  max_entries_.store(count, std::memory_order_relaxed);
  while (entries_.size() > static_cast<size_t>(count)) entries_.pop_back();
}

}  // namespace varve::server
