// ContextTokens: what a client has seen of a key, as bytes that it carries and cannot read, change or use for
// another key.
#ifndef VARVE_CLUSTER_CONTEXT_TOKEN_H_
#define VARVE_CLUSTER_CONTEXT_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/key_state.h"
#include "cluster/siphash.h"
#include "varve/status.h"

namespace varve::cluster {

// A context decides what a put may overwrite: a made-up or damaged one could erase what its bearer has never
// seen, and that of one key would erase values of another. So tokens carry a keyed hash over their
// content and their key.
//
// The secrets are those of the cluster, the same on all nodes. To change the secret, put the new one in front on
// all nodes while the old one stays; then take the old one away. Immutable; any thread.
class ContextTokens {
 public:
  struct Secret {
    uint8_t id;  // not two with the same
    SipKey key;
  };

  // The first secret signs; all are accepted. REQUIRES: not empty.
  explicit ContextTokens(std::vector<Secret> secrets);

  // The token for `seen` of `key` in the namespace with the number `space`.
  std::string Seal(uint64_t space, std::string_view key, const SeenContext& seen) const;

  // What Seal was given. An empty token is a client that has seen nothing. So is, by std::nullopt, one that a
  // secret has signed which is no longer there: the write that brings it becomes a sibling and is not lost. All
  // else is kInvalidArgument.
  Result<std::optional<SeenContext>> Open(uint64_t space, std::string_view key,
                                          std::string_view token) const;

 private:
  static uint64_t Signature(const Secret& secret, uint64_t space, std::string_view key,
                            std::string_view content);

  const std::vector<Secret> secrets_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_CONTEXT_TOKEN_H_
