// KeyRange: keys of one namespace, or of all, as reports of damage name them.
#ifndef VARVE_KEY_RANGE_H_
#define VARVE_KEY_RANGE_H_

#include <optional>
#include <string>

namespace varve {

struct KeyRange {
  // Every key of the store, whatever its namespace; the other fields say nothing then.
  bool is_everything = false;
  // Empty: the default one. "#" and a number where the name is not known; "#0" is the table of namespaces.
  std::string name_space;
  std::string begin;
  std::optional<std::string> end;  // exclusive; unset: up to the last key of the namespace

  // REQUIRES: `key` is of the namespace `space`.
  bool Contains(const std::string& space, const std::string& key) const {
    return is_everything || (space == name_space && key >= begin && (!end || key < *end));
  }
  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

}  // namespace varve

#endif  // VARVE_KEY_RANGE_H_
