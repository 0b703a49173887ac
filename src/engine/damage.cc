#include "engine/damage.h"

#include <algorithm>

namespace varve {

namespace {

// The part of `keys` that lies in `keyspace`, if any.
void AppendPart(const DamagedKeys& keys, const Keyspace& keyspace, std::string name,
                std::vector<KeyRange>* ranges) {
  const std::string first = keyspace.begin();
  const std::string last = keyspace.end();
  const std::string begin = std::max(keys.begin, first);
  const std::string end = keys.end ? std::min(*keys.end, last) : last;
  if (begin >= end) return;
  KeyRange range;
  range.name_space = std::move(name);
  // Bounds need not be stored keys: what lies between two keys is cut to fit.
  if (begin != first) range.begin = keyspace.ToUser(begin);
  if (end != last) range.end = keyspace.ToUser(end);
  if (!range.end || range.begin < *range.end) ranges->push_back(std::move(range));
}

}  // namespace

std::vector<KeyRange> ToKeyRanges(const DamagedKeys& keys, const NamespaceNames& names) {
  if (keys.begin.empty() && !keys.end) {
    KeyRange everything;
    everything.is_everything = true;
    return {everything};
  }
  std::vector<KeyRange> ranges;
  AppendPart(keys, Keyspace(), "", &ranges);
  AppendPart(keys, Keyspace::Named(kStoreNamespaceId), "#0", &ranges);
  for (const auto& [id, name] : names) {
    if (id == kStoreNamespaceId) continue;
    AppendPart(keys, Keyspace::Named(id), name.empty() ? "#" + std::to_string(id) : name, &ranges);
  }
  return ranges;
}

}  // namespace varve
