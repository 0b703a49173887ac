// ClusterSettings: what all nodes of a cluster must do alike.
#ifndef VARVE_CLUSTER_SETTINGS_H_
#define VARVE_CLUSTER_SETTINGS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cluster/key_state.h"
#include "cluster/move.h"
#include "cluster/siphash.h"
#include "varve/status.h"

namespace varve::cluster {

inline constexpr size_t kMaxNamespaces = 1000;

// A namespace other than the default one (cluster/key_namespace.h). It stays for ever, and so does its policy.
struct ClusterNamespace {
  ConflictPolicy policy = ConflictPolicy::kSiblings;
  uint32_t read_quorum = 2;
  uint32_t write_quorum = 2;
  // The least R that it ever had while R + W was more than the number of copies, 0 if that was never so; and the least W
  // that it ever had. What was written then must outlast moves (MoveRulesOf).
  uint32_t least_read = 0;
  uint32_t least_write = 0;
  friend bool operator==(const ClusterNamespace&, const ClusterNamespace&) = default;
};

struct ClusterSettings {
  uint32_t copies = 3;  // wished for; fewer where there are fewer nodes
  // Of the default namespace. Never changed.
  uint32_t read_quorum = 2;
  uint32_t write_quorum = 2;
  ConflictPolicy policy = ConflictPolicy::kSiblings;
  SipKey secret{};  // of the contexts that clients carry
  std::map<std::string, ClusterNamespace, std::less<>> namespaces;
  friend bool operator==(const ClusterSettings&, const ClusterSettings&) = default;
};

// Lines "name value". Decode: kCorruption, or kNotSupported for names that it does not know.
std::string EncodeClusterSettings(const ClusterSettings& settings);
Result<ClusterSettings> DecodeClusterSettings(std::string_view text);
// kInvalidArgument unless 1 <= R, W <= copies <= kMaxCopies.
Status CheckClusterSettings(const ClusterSettings& settings);
const char* PolicyName(ConflictPolicy policy);

// Adds a namespace. kInvalidArgument: the name or the quorums are not legal, there are too many, or it is there already.
Status AddNamespace(const std::string& name, ConflictPolicy policy, uint32_t read_quorum, uint32_t write_quorum,
                    ClusterSettings* settings);
// Gives one other quorums. Nodes hear of that one after the other: where reads are promised to see writes, before and
// after, they must do so by the old R with the new W and the other way round. kInvalidArgument: they would not, or the
// quorums are not legal; kNotFound.
Status SetNamespaceQuorums(const std::string& name, uint32_t read_quorum, uint32_t write_quorum, ClusterSettings* settings);

// What moves must keep for all namespaces, ever: acknowledged writes on W copies, and reads that see them where R + W is more
// than the number of copies. 0: a majority of those that there are.
MoveRules MoveRulesOf(const ClusterSettings& settings);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_SETTINGS_H_
