#include "cli/cluster_namespaces.h"

#include "base/status_macros.h"
#include "cli/cluster_report.h"

namespace varve::cli {
namespace {

using node::ClusterState;

Result<uint32_t> QuorumFlag(const Context& context, std::string_view flag, uint32_t otherwise) {
  VARVE_ASSIGN_OR_RETURN(const std::optional<uint64_t> number, context.arguments.Number(flag));
  if (!number) return otherwise;
  // Any that is too large is refused as such.
  return static_cast<uint32_t>(std::min<uint64_t>(*number, UINT32_MAX));
}

Result<cluster::ConflictPolicy> PolicyFlag(const Context& context) {
  const std::string policy = context.arguments.Value("--conflicts").value_or("siblings");
  for (const auto known : {cluster::ConflictPolicy::kSiblings, cluster::ConflictPolicy::kLww}) {
    if (policy == node::PolicyName(known)) return known;
  }
  return Status::InvalidArgument("--conflicts takes siblings or lww, not '" + policy + "'");
}

Result<int> Create(const Context& context, node::ClusterStore* store, const std::string& name) {
  VARVE_ASSIGN_OR_RETURN(const ClusterState state, store->Read());
  node::ClusterSettings next = state.settings;
  const uint32_t majority = next.copies / 2 + 1;
  VARVE_ASSIGN_OR_RETURN(const cluster::ConflictPolicy policy, PolicyFlag(context));
  VARVE_ASSIGN_OR_RETURN(const uint32_t read_quorum, QuorumFlag(context, "--read", majority));
  VARVE_ASSIGN_OR_RETURN(const uint32_t write_quorum, QuorumFlag(context, "--write", majority));
  VARVE_RETURN_IF_ERROR(node::AddNamespace(name, policy, read_quorum, write_quorum, &next));
  VARVE_RETURN_IF_ERROR(store->ReplaceSettings(state, next));
  PrintNamespaces(context, next);
  return kExitOk;
}

Result<int> Set(const Context& context, node::ClusterStore* store, const std::string& name) {
  if (context.arguments.Has("--conflicts")) {
    return Status::InvalidArgument("what a namespace does with conflicts stays as it was made");
  }
  if (!context.arguments.Has("--read") && !context.arguments.Has("--write")) {
    return Status::InvalidArgument("say what to set: --read R, --write W");
  }
  VARVE_ASSIGN_OR_RETURN(const ClusterState state, store->Read());
  node::ClusterSettings next = state.settings;
  const auto found = next.namespaces.find(name);
  if (found == next.namespaces.end()) return Status::InvalidArgument("there is no namespace '" + name + "'");
  VARVE_ASSIGN_OR_RETURN(const uint32_t read_quorum, QuorumFlag(context, "--read", found->second.read_quorum));
  VARVE_ASSIGN_OR_RETURN(const uint32_t write_quorum, QuorumFlag(context, "--write", found->second.write_quorum));
  VARVE_RETURN_IF_ERROR(node::SetNamespaceQuorums(name, read_quorum, write_quorum, &next));
  VARVE_RETURN_IF_ERROR(store->ReplaceSettings(state, next));
  PrintNamespaces(context, next);
  return kExitOk;
}

}  // namespace

Result<int> RunClusterNamespace(const Context& context, node::ClusterStore* store, const std::vector<std::string>& operands) {
  const std::string action = operands.empty() ? "list" : operands[0];
  if (action == "list" && operands.size() <= 1) {
    VARVE_ASSIGN_OR_RETURN(const ClusterState state, store->Read());
    PrintNamespaces(context, state.settings);
    return kExitOk;
  }
  if (action == "create" && operands.size() == 2) return Create(context, store, operands[1]);
  if (action == "set" && operands.size() == 2) return Set(context, store, operands[1]);
  return Status::InvalidArgument("'varve cluster namespace' takes list, create NAME or set NAME");
}

}  // namespace varve::cli
