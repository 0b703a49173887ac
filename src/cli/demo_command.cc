#include "base/status_macros.h"
#include "cli/commands.h"
#include "cli/demo.h"

namespace varve::cli {
namespace {

Result<DemoRequest> RequestFrom(const Context& context) {
  const Arguments& arguments = context.arguments;
  if (arguments.operands()[0] != "cluster") {
    return Status::InvalidArgument("there is a demo of a cluster only: varve demo cluster");
  }
  DemoRequest request;
  const auto number = [&](std::string_view flag, uint64_t min, uint64_t max, uint64_t otherwise) -> Result<uint64_t> {
    VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> value, arguments.Number(flag));
    if (value && (*value < min || *value > max)) {
      return Status::InvalidArgument(std::string(flag) + " is from " + std::to_string(min) + " to " + std::to_string(max));
    }
    return value.value_or(otherwise);
  };
  VARVE_ASSIGN_OR_RETURN(const uint64_t nodes, number("--nodes", 3, 50, 5));
  VARVE_ASSIGN_OR_RETURN(const uint64_t port, number("--base-port", 1, 55'000, 7001));
  VARVE_ASSIGN_OR_RETURN(const uint64_t keys, number("--keys", 1, 1'000'000, 1000));
  request.nodes = static_cast<uint32_t>(nodes);
  request.port = static_cast<uint16_t>(port);
  request.keys = static_cast<uint32_t>(keys);
  request.host = arguments.Value("--address").value_or(request.host);
  request.uses_etcd = arguments.Has("--etcd");
  return request;
}

int RunDemo(const Context& context) {
  const Result<DemoRequest> request = RequestFrom(context);
  if (!request.ok()) return FailUsage(context, request.status());
  const Status status = context.backend.demo(*request, context.console);
  return status.ok() ? kExitOk : Fail(context, status);
}

}  // namespace

std::vector<Command> DemoCommands() {
  return {
      {{.name = "demo",
        .operands = "cluster",
        .min_operands = 1,
        .max_operands = 1,
        .flags = {{"--nodes", "N", "how many (5)"},
                  {"--etcd", "", "keep the topology in Debian's etcd, started and supervised for it, not in a file"},
                  {"--keys", "N", "how many are written at a time (1000)"},
                  {"--address", "HOST", "where the nodes listen (127.0.0.1)"},
                  {"--base-port", "N", "the first node's port; the others follow (7001)"}},
        .summary = "Shows a cluster at work: starts nodes, kills one, heals, and grows",
        .examples = "varve demo cluster\n"
                    "varve demo cluster --nodes 7 --etcd\n",
        .details = "The nodes are processes on this machine, and their data lies in a folder of its own; both are\n"
                   "gone at the end. docs/cluster.md.\n",
        .target = Target::kNone},
       RunDemo},
  };
}

}  // namespace varve::cli
