// How a server is started.
#ifndef VARVE_SERVER_OPTIONS_H_
#define VARVE_SERVER_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "net/handler.h"
#include "net/options.h"

namespace varve::server {

// What it says it is: clients ask for the version to know what they may send.
inline constexpr char kRedisVersion[] = "7.0.15";

class ClusterFace;

struct Options {
  net::ServerOptions net;
  int databases = 16;       // 1 to 10,000
  std::string password;     // empty: nobody needs to authenticate
  // Asked of each new connection while the user "default" needs no password. Empty: everybody may come.
  std::function<bool(const net::Peer&)> admits_without_password;
  // Every reply to a write waits until it survives loss of power; one flush for all that were ready.
  bool syncs = false;
  // Where V.BACKUP puts files; empty: nowhere, and it is refused.
  std::string backup_dir;
  // Of a value or an argument.
  int64_t max_bulk_bytes = int64_t{512} << 20;
  // The cluster that this server is a node of; nullptr: none. Borrowed.
  ClusterFace* cluster = nullptr;
};

}  // namespace varve::server

#endif  // VARVE_SERVER_OPTIONS_H_
