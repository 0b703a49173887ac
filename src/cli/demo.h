// What the verb 'demo' asks for, and what runs it.
#ifndef VARVE_CLI_DEMO_H_
#define VARVE_CLI_DEMO_H_

#include <cstdint>
#include <functional>
#include <string>

#include "cli/console.h"
#include "varve/status.h"

namespace varve::cli {

struct DemoRequest {
  uint32_t nodes = 5;
  bool uses_etcd = false;
  std::string host = "127.0.0.1";
  uint16_t port = 7001;  // of the first node's clients; the others follow, and 10,000 above them are those for nodes
  uint32_t keys = 1000;
};

// Starts nodes as processes, plays with them, and ends them. An interruption is no error.
using Demo = std::function<Status(const DemoRequest&, const Console&)>;

}  // namespace varve::cli

#endif  // VARVE_CLI_DEMO_H_
