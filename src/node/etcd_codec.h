// What etcd's JSON gateway (version 3.4) is sent and answers, as text and as what it means. Knows no network.
//
// Keys and values are base64, 64-bit numbers are strings, and what is zero, false or empty is left out.
#ifndef VARVE_NODE_ETCD_CODEC_H_
#define VARVE_NODE_ETCD_CODEC_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/topology_store.h"
#include "varve/status.h"

namespace varve::node {

std::string EtcdRangeRequest(const std::string& prefix);       // for /v3/kv/range
std::string EtcdTxnRequest(const TopologyCommit& commit);      // for /v3/kv/txn
std::string EtcdWatchRequest(const std::string& prefix, uint64_t start_revision);  // for /v3/watch
std::string EtcdAuthRequest(const std::string& user, const std::string& password);  // for /v3/auth/authenticate

// kCorruption: it makes no sense.
Result<TopologySnapshot> ParseEtcdRange(std::string_view text);
// kDone, kConflict, or kUnknown when it makes no sense: something may have happened.
CommitResult ParseEtcdTxn(std::string_view text);
std::optional<std::string> ParseEtcdToken(std::string_view text);
// The message of an error, or some of the text.
std::string ParseEtcdError(std::string_view text);

// One object of a watch's stream.
struct EtcdWatchMessage {
  uint64_t revision = 0;  // of the store
  // In their order. std::nullopt: deleted by the commit of that revision.
  struct Event {
    std::string key;
    std::optional<std::string> value;
    uint64_t revision = 0;
  };
  std::vector<Event> events;
  bool is_created = false;
  std::string end;  // not empty: the watch is over, for this reason
};
EtcdWatchMessage ParseEtcdWatch(std::string_view text);

}  // namespace varve::node

#endif  // VARVE_NODE_ETCD_CODEC_H_
