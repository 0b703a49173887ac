// MemberAddress: where a member of a cluster listens, as the topology has it.
//
//   HOST:PORT/CLIENTS      CLIENTS: the port for clients at the same host, or HOST:PORT of its own
//
//   10.0.0.5:7379/6379     box-5:7379/box-5.example.org:6379     [::1]:7001/6001
#ifndef VARVE_NODE_MEMBER_ADDRESS_H_
#define VARVE_NODE_MEMBER_ADDRESS_H_

#include <string>
#include <string_view>

#include "node/transport_options.h"
#include "varve/status.h"

namespace varve::node {

struct MemberAddress {
  PeerAddress peers;    // for other nodes
  PeerAddress clients;  // for Redis clients
  friend bool operator==(const MemberAddress&, const MemberAddress&) = default;
};

// kInvalidArgument says what is wrong. Ports are 1 to 65535.
Result<MemberAddress> ParseMemberAddress(std::string_view text);
// What ParseMemberAddress takes.
std::string FormatMemberAddress(const MemberAddress& address);
// "HOST:PORT", with an IPv6 address in brackets.
std::string FormatPeerAddress(const PeerAddress& address);

}  // namespace varve::node

#endif  // VARVE_NODE_MEMBER_ADDRESS_H_
