#include "server/monitors.h"

namespace varve::server {

void Monitors::Add(const std::shared_ptr<Client>& client) {
  MutexLock lock(&mu_);
  clients_[client->peer.id] = client;
  count_.store(clients_.size(), std::memory_order_relaxed);
}

void Monitors::Remove(uint64_t id) {
  MutexLock lock(&mu_);
  clients_.erase(id);
  count_.store(clients_.size(), std::memory_order_relaxed);
}

void Monitors::Feed(const Client& client, const std::vector<std::string_view>& args,
                    uint64_t now_millis) {
  const std::string thousandths = std::to_string(1000 + now_millis % 1000).substr(1);
  std::string line = "+" + std::to_string(now_millis / 1000) + "." + thousandths + "000 [" +
                     std::to_string(client.database.load(std::memory_order_relaxed)) + " " +
                     client.peer.address + "]";
  for (const std::string_view arg : args) line.append(" ").append(Quoted(arg));
  line.append("\r\n");
  MutexLock lock(&mu_);
  for (const auto& [id, monitor] : clients_) {
    if (monitor->peer.write) monitor->peer.write(line);
  }
}

std::string Quoted(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const uint8_t byte = static_cast<uint8_t>(c);
    switch (c) {
      case '\\':
      case '"': quoted.append({'\\', c}); break;
      case '\n': quoted.append("\\n"); break;
      case '\r': quoted.append("\\r"); break;
      case '\t': quoted.append("\\t"); break;
      case '\a': quoted.append("\\a"); break;
      case '\b': quoted.append("\\b"); break;
      default:
        if (byte >= 0x20 && byte < 0x7f) {
          quoted.push_back(c);
        } else {
          quoted.append({'\\', 'x', kHex[byte >> 4], kHex[byte & 15]});
        }
    }
  }
  return quoted.append("\"");
}

}  // namespace varve::server
