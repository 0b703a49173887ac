#include "node/member_address.h"

#include <charconv>

#include "base/status_macros.h"

namespace varve::node {
namespace {

Status Refused(std::string_view text) {
  return Status::InvalidArgument("an address is HOST:PORT/CLIENTPORT, such as 10.0.0.5:7379/6379, not '" +
                                 std::string(text) + "'");
}

bool ParsePort(std::string_view text, uint16_t* port) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *port);
  return error == std::errc() && stop == end && *port != 0;
}

bool ParsePeer(std::string_view text, PeerAddress* peer) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos || !ParsePort(text.substr(colon + 1), &peer->port)) return false;
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    return false;
  }
  for (const char c : host) {
    if (c <= ' ' || c == '/' || c == '[' || c == ']' || c == ',' || c == '=' || c == '@') return false;
  }
  peer->host = host;
  return !host.empty();
}

}  // namespace

Result<MemberAddress> ParseMemberAddress(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == text.npos) return Refused(text);
  MemberAddress address;
  if (!ParsePeer(text.substr(0, slash), &address.peers)) return Refused(text);
  const std::string_view clients = text.substr(slash + 1);
  if (ParsePort(clients, &address.clients.port)) {
    address.clients.host = address.peers.host;
    return address;
  }
  if (!ParsePeer(clients, &address.clients)) return Refused(text);
  return address;
}

std::string FormatPeerAddress(const PeerAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::string FormatMemberAddress(const MemberAddress& address) {
  const std::string clients = address.clients.host == address.peers.host
                                  ? std::to_string(address.clients.port)
                                  : FormatPeerAddress(address.clients);
  return FormatPeerAddress(address.peers) + "/" + clients;
}

}  // namespace varve::node
