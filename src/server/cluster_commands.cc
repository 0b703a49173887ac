// CLUSTER and its family, as a server without a cluster answers them.
#include "server/call.h"

namespace varve::server {
namespace {

Status Disabled(Call& call) { return call.Error("This instance has cluster support disabled"); }

struct Subcommand {
  std::string_view name;
  int arity;
  bool is_admin;
  bool has_tip;
};

// Those that look at a cluster, and those that change one.
constexpr Subcommand kEntries[] = {
    {"addslots", -3, true, false},        {"addslotsrange", -4, true, false},
    {"bumpepoch", 2, true, true},         {"countkeysinslot", 3, false, false},
    {"delslots", -3, true, false},        {"delslotsrange", -4, true, false},
    {"failover", -2, true, false},        {"flushslots", 2, true, false},
    {"forget", 3, true, false},           {"getkeysinslot", 4, false, true},
    {"info", 2, false, true},             {"keyslot", 3, false, false},
    {"links", 2, false, true},            {"meet", -4, true, false},
    {"myid", 2, false, false},            {"nodes", 2, false, true},
    {"replicate", 3, true, false},        {"saveconfig", 2, true, false},
    {"set-config-epoch", 3, true, false}, {"setslot", -4, true, false},
    {"shards", 2, false, true},           {"slots", 2, false, true}};

}  // namespace

std::vector<CommandSpec> ClusterCommands() {
  constexpr std::string_view kTip = "nondeterministic_output";
  constexpr std::string_view kSummary = "There is no cluster";
  const auto sub = [&](std::string_view name, int arity, std::string_view flags, std::string_view tips) {
    return CommandSpec{name, arity, flags, "", "", tips, "3.0.0", "cluster", kSummary, Disabled};
  };
  std::vector<CommandSpec> subcommands;
  for (const Subcommand& entry : kEntries) {
    subcommands.push_back(sub(entry.name, entry.arity, entry.is_admin ? "admin stale no_async_loading" : "stale",
                              entry.has_tip ? kTip : std::string_view()));
  }
  subcommands.push_back(sub("count-failure-reports", 3, "admin stale", kTip));
  subcommands.push_back(sub("replicas", 3, "admin stale", kTip));
  subcommands.push_back(sub("slaves", 3, "admin stale", kTip));
  subcommands.push_back(sub("reset", -2, "admin noscript stale", ""));
  subcommands.push_back(sub("help", 2, "loading stale", ""));
  return {
      {.name = "cluster",
       .arity = -2,
       .since = "3.0.0",
       .group = "cluster",
       .summary = kSummary,
       .subcommands = std::move(subcommands)},
      {"asking", 1, "fast", "connection", "", "", "3.0.0", "cluster", kSummary, Disabled},
      {"readonly", 1, "loading stale fast", "connection", "", "", "3.0.0", "cluster", kSummary, Disabled},
      {"readwrite", 1, "loading stale fast", "connection", "", "", "3.0.0", "cluster", kSummary, Disabled},
  };
}

}  // namespace varve::server
