// The file of a FileTopologyStore: JSON that people can write.
//
//   {"format": 1, "revision": 7,
//    "records": [{"key": "nodes/1", "value": "...", "revision": 3}, ...]}
//
// Keys and values that are no UTF-8 stand in base64 as "key64", "value64". A record without a revision has
// that of the file; a file without one has 1.
#ifndef VARVE_NODE_TOPOLOGY_FILE_H_
#define VARVE_NODE_TOPOLOGY_FILE_H_

#include <string>
#include <string_view>

#include "node/topology_store.h"
#include "varve/status.h"

namespace varve::node {

std::string EncodeTopologyFile(const TopologySnapshot& snapshot);
// kCorruption with the reason; kNotSupported: of a newer format.
Result<TopologySnapshot> DecodeTopologyFile(std::string_view text);

}  // namespace varve::node

#endif  // VARVE_NODE_TOPOLOGY_FILE_H_
