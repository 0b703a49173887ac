// Endpoint: where a server is, and as whom to speak to it.
#ifndef VARVE_CLIENT_ENDPOINT_H_
#define VARVE_CLIENT_ENDPOINT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "varve/status.h"

namespace varve::client {

inline constexpr uint16_t kDefaultPort = 6379;

struct Endpoint {
  std::string host = "127.0.0.1";
  uint16_t port = kDefaultPort;
  std::string unix_path;  // not empty: this instead of host and port
  std::string user;       // empty: the default user
  std::string password;   // empty: none is given
  uint32_t database = 0;
  bool is_tls = false;

  // "127.0.0.1:6379", "[::1]:6379", a path. Without a password.
  std::string Name() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Reads
//   redis://[[user]:password@]host[:port][/database]
//   rediss://...                                          the same over TLS
//   unix://[[user]:password@]/path[?db=database]
//   host[:port], [IPv6]:port, /path
// In user, password and path %XX is the byte XX. What a URI leaves out is as above.
// kInvalidArgument says what is wrong and never shows a password.
Result<Endpoint> ParseEndpoint(std::string_view text);

}  // namespace varve::client

#endif  // VARVE_CLIENT_ENDPOINT_H_
