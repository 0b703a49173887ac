// A later version of the messages between nodes, as there may be one: its messages bear another number, have a field more at
// their end, and there is a kind that this version does not know. What nodes of this version do not know they refuse.
#ifndef VARVE_SIM_CLUSTER_VERSIONS_H_
#define VARVE_SIM_CLUSTER_VERSIONS_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace varve::sim {

inline constexpr char kThisVersion = 1;  // of cluster/message_codec.h
inline constexpr char kLaterVersion = 2;

bool IsLater(std::string_view bytes);
// Makes a message of this version one of the later one, with a field of `size` bytes, 255 at most.
void ToLater(uint64_t size, std::string* bytes);
// The way back. False: it is of the kind that this version does not have.
bool FromLater(std::string* bytes);
// A message of that kind. Not `is_later`: as who forgets that it needs the later version would write it.
std::string News(bool is_later);

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_VERSIONS_H_
