// Paths: names with '/' between them, escaped so that a path is a key.
#ifndef VARVE_TREE_PATH_H_
#define VARVE_TREE_PATH_H_

#include <optional>
#include <string>
#include <string_view>

#include "varve/status.h"

namespace varve {

inline constexpr char kPathSeparator = '/';
// The byte after the separator: ends the range of what is below a node.
inline constexpr char kAfterPathSeparator = '0';
static_assert(kPathSeparator + 1 == kAfterPathSeparator);

// The name that `escaped` stands for; nullopt when it is empty or a '%' in it escapes nothing.
std::optional<std::string> UnescapeTreeName(std::string_view escaped);

// Ok when `path` is one; the root, which is empty, too.
Status CheckTreePath(std::string_view path);
inline bool IsTreePath(std::string_view path) { return CheckTreePath(path).ok(); }

// The keys below `path`: [BelowBegin, BelowEnd). REQUIRES: not the root.
inline std::string BelowBegin(std::string_view path) { return std::string(path) + kPathSeparator; }
inline std::string BelowEnd(std::string_view path) {
  return std::string(path) + kAfterPathSeparator;
}

// Whether `path` is below `above`, which may be the root.
bool IsBelow(std::string_view path, std::string_view above);

}  // namespace varve

#endif  // VARVE_TREE_PATH_H_
