#include "node/hello.h"

#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"
#include "base/planted_bug.h"

namespace varve::node {

namespace {
constexpr uint64_t kMagic = 0x65646f6e76726176;  // "varvnode"
}  // namespace

std::string EncodeHello(const Hello& hello) {
  std::string bytes;
  AppendFixed(&bytes, kMagic);
  AppendFixed(&bytes, hello.version);
  AppendFixed(&bytes, hello.oldest);
  AppendFixed(&bytes, hello.nonce);
  AppendFixed(&bytes, Value(hello.identity.node));
  AppendFixed(&bytes, hello.identity.incarnation);
  AppendFixed(&bytes, hello.identity.features);
  AppendFixed(&bytes, hello.identity.required);
  AppendLengthPrefixed(&bytes, hello.identity.cluster);
  return bytes;
}

Result<Hello> DecodeHello(std::string_view bytes) {
  uint64_t magic = 0;
  Hello hello;
  if (!ConsumeFixed(&bytes, &magic) || magic != kMagic || !ConsumeFixed(&bytes, &hello.version) ||
      !ConsumeFixed(&bytes, &hello.oldest) || hello.oldest > hello.version) {
    return Status::Corruption("no hello of a node");
  }
  if (hello.oldest > kProtocolVersion || hello.version < kOldestProtocolVersion) return hello;
  uint64_t node = 0;
  std::string_view cluster;
  Identity& identity = hello.identity;
  if (!ConsumeFixed(&bytes, &hello.nonce) || !ConsumeFixed(&bytes, &node) ||
      !ConsumeFixed(&bytes, &identity.incarnation) || !ConsumeFixed(&bytes, &identity.features) ||
      !ConsumeFixed(&bytes, &identity.required) || !ConsumeLengthPrefixed(&bytes, &cluster) || cluster.empty() ||
      cluster.size() > kMaxClusterNameBytes || node == 0 || (identity.required & ~identity.features) != 0) {
    return Status::Corruption("a hello that makes no sense");
  }
  identity.node = cluster::NodeId{node};
  identity.cluster = cluster;
  return hello;
}

Result<Agreement> Agree(const Hello& mine, const Hello& theirs) {
  if (theirs.oldest > mine.version || theirs.version < mine.oldest) {
    return Status::InvalidArgument("protocol versions " + std::to_string(theirs.oldest) + " to " +
                                   std::to_string(theirs.version) + " and " + std::to_string(mine.oldest) + " to " +
                                   std::to_string(mine.version) + " have none in common: upgrade the older node");
  }
  if (theirs.identity.cluster != mine.identity.cluster && !VARVE_PLANTED_BUG("hello.other_clusters_accepted")) {
    return Status::InvalidArgument("a node of the cluster '" + theirs.identity.cluster + "', not of '" +
                                   mine.identity.cluster + "'");
  }
  const uint64_t missing = (theirs.identity.required & ~mine.identity.features) |
                           (mine.identity.required & ~theirs.identity.features);
  if (missing != 0 && !VARVE_PLANTED_BUG("hello.required_features_ignored")) {
    return Status::InvalidArgument("one needs features that the other lacks: bits " + std::to_string(missing));
  }
  return Agreement{.version = std::min(mine.version, theirs.version),
                   .features = mine.identity.features & theirs.identity.features};
}

uint64_t FrameSeed(uint64_t dialers_nonce, uint64_t acceptors_nonce, bool by_dialer) {
  std::string both;
  AppendFixed(&both, dialers_nonce);
  AppendFixed(&both, acceptors_nonce);
  return Hash64(both, by_dialer ? 1 : 2);
}

}  // namespace varve::node
