// What the storage of a replica answers to ListKeys.
#ifndef VARVE_TESTS_CLUSTER_STORED_KEYS_H_
#define VARVE_TESTS_CLUSTER_STORED_KEYS_H_

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "cluster/action.h"
#include "cluster/hash_tree.h"
#include "cluster/message.h"

namespace varve::cluster::test {

inline std::vector<KeysReply::Item> ListStored(const std::map<std::string, std::string>& stored, const ListKeys& list) {
  std::vector<KeysReply::Item> items;
  for (auto it = stored.upper_bound(list.after); it != stored.end() && items.size() < list.at_most; ++it) {
    if (!std::binary_search(list.leaves.begin(), list.leaves.end(), HashTree::LeafOf(it->first))) continue;
    items.push_back({it->first, HashTree::HashOf(it->first, it->second)});
  }
  return items;
}

}  // namespace varve::cluster::test

#endif  // VARVE_TESTS_CLUSTER_STORED_KEYS_H_
