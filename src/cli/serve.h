// What the verb 'server' asks for, and what runs it.
#ifndef VARVE_CLI_SERVE_H_
#define VARVE_CLI_SERVE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"
#include "varve/status.h"

namespace varve::cli {

// As the settings say (cli/server_settings.h); the rest is the server's own business.
struct ServeRequest {
  std::string dir;
  std::vector<std::string> hosts = {"127.0.0.1", "::1"};
  uint16_t port = 6379;
  std::string unix_socket;
  std::optional<uint16_t> http_port;  // absent: no HTTP
  std::vector<std::string> http_hosts = {"127.0.0.1", "::1"};
  std::optional<uint16_t> tls_port;  // absent: no TLS
  bool tls_only = false;             // no TCP without TLS
  std::string tls_certificate;       // paths of PEM files
  std::string tls_key;
  std::string tls_authorities;       // not empty: clients show a certificate that these have signed
  std::string password;
  bool is_unprotected = false;  // other hosts may come without a password
  int databases = 16;
  uint64_t max_clients = 10000;
  int threads = 0;  // 0: one a core
  uint64_t client_memory_bytes = uint64_t{1} << 30;
  std::string backup_dir;  // empty: clients can make no backups
  bool syncs = false;
  std::string cluster_topology;  // empty: no node of a cluster
  uint64_t node_id = 0;
  std::optional<uint16_t> cluster_port;  // absent: as the topology says
  std::string cluster_host;              // empty: as the topology says
  uint64_t cluster_timeout_millis = 2000;
  bool is_first_start = false;  // of a node of a fixed topology
  std::string cluster_tls_certificate;  // all three, or none
  std::string cluster_tls_key;
  std::string cluster_tls_authorities;
  std::string log_format = "text";  // or "json"
  // Only looks whether it could serve: starts nothing, and needs no directory.
  bool only_checks = false;
};

// Serves until it is told to end. kInvalidArgument: nothing was started.
using Serve = std::function<Status(const ServeRequest&, const Console&)>;

}  // namespace varve::cli

#endif  // VARVE_CLI_SERVE_H_
