#include "server/clients.h"

#include <algorithm>

namespace varve::server {

bool IsSubscribed(const Client& client) {
  return std::any_of(std::begin(client.subscriptions), std::end(client.subscriptions),
                     [](const auto& count) { return count.load(std::memory_order_relaxed) > 0; });
}

std::string Describe(const Client& client, uint64_t now) {
  const auto seconds_since = [now](uint64_t then) {
    return std::to_string(now > then ? (now - then) / 1000 : 0);
  };
  const auto number = [](const auto& value) {
    return std::to_string(value.load(std::memory_order_relaxed));
  };
  const Client::Names names = client.names();
  const Command* const last = client.last_command.load(std::memory_order_relaxed);
  std::string flags;
  const auto count = [&](int kind) {
    return std::to_string(client.subscriptions[kind].load(std::memory_order_relaxed));
  };
  if (client.monitors.load(std::memory_order_relaxed)) flags.push_back('O');
  if (IsSubscribed(client)) flags.push_back('P');
  if (client.queued.load(std::memory_order_relaxed) >= 0) flags.push_back('x');
  const uint32_t tracking = client.tracking.load(std::memory_order_relaxed);
  if ((tracking & Client::kTracks) != 0) flags.push_back('t');
  if ((tracking & Client::kRedirectIsGone) != 0) flags.push_back('R');
  if ((tracking & Client::kTracksPrefixes) != 0) flags.push_back('B');
  if (flags.empty()) flags = "N";
  std::string text = "id=" + std::to_string(client.peer.id);
  text.append(" addr=").append(client.peer.address);
  text.append(" laddr=").append(client.peer.local_address);
  text.append(" fd=").append(std::to_string(client.peer.descriptor));
  text.append(" name=").append(names.name);
  text.append(" age=").append(seconds_since(client.connected_at));
  text.append(" idle=").append(seconds_since(client.active_at.load(std::memory_order_relaxed)));
  text.append(" flags=").append(flags);
  text.append(" db=").append(number(client.database));
  text.append(" sub=").append(count(0)).append(" psub=").append(count(1));
  text.append(" ssub=").append(count(2)).append(" multi=").append(number(client.queued));
  text.append(" qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0");
  text.append(" events=r cmd=").append(last == nullptr ? "NULL" : last->full_name);
  text.append(" user=").append(names.user).append(" redir=").append(number(client.redirect)).append(" resp=").append(number(client.protocol));
  text.append(" lib-name=").append(names.library);
  text.append(" lib-ver=").append(names.library_version);
  return text;
}

}  // namespace varve::server
