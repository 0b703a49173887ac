// ChildLister: the children of a node, one after another, in the order of their names.
//
// Keys come in the order of whole paths, in which bytes below '/' spoil the order of names:
//
//   p/a            the value of a
//   p/a-1          the value of a-1
//   p/a/x          below a, which comes before a-1
//
// So a name that is first met as "p/a-1" may have one before it that is a prefix of it, and that only shows
// further on. These are looked for, one seek each, where such a byte is in a name.
#ifndef VARVE_TREE_CHILD_LISTER_H_
#define VARVE_TREE_CHILD_LISTER_H_

#include <string>
#include <string_view>

#include "varve/iterator.h"
#include "varve/tree.h"

namespace varve {

// Thread-compatible.
class ChildLister {
 public:
  // Lists the children of `path` (the root, too) whose escaped names come after `start_after`. `iterator` sees
  // all keys below `path`, and is borrowed.
  ChildLister(Iterator* iterator, std::string_view path, std::string_view start_after);

  // False at the end and after an error of the iterator.
  bool Next(TreeChild* child);

 private:
  // Stands on the first key whose name comes after last_ and has not been met.
  bool FindNextName();
  // The name of the child that the key under the iterator belongs to.
  std::string_view NameHere() const;
  // Whether the key under the iterator is that of `name` itself.
  bool StandsOnOwnKey(std::string_view name) const {
    return iterator_->key().size() == base_.size() + name.size();
  }
  // Whether there are keys below `name`. Moves the iterator.
  bool HasKeysBelow(std::string_view name);
  // The size of the first proper prefix of name_ that comes after last_ and has children alone, so that its
  // keys come after that of name_; 0: none. Then the iterator stays where it is; else it moves.
  size_t HiddenPrefix();
  // Moves on from the key of name_, no further than to the next that may have to be listed. Whether there are
  // keys below name_.
  bool LeaveOwnKey();

  void SeekTo(std::string_view name, std::string_view rest = {});

  Iterator* const iterator_;
  const std::string base_;  // what all keys here begin with
  std::string last_;        // the escaped name that was met last, or start_after
  std::string name_;
  std::string target_;
};

}  // namespace varve

#endif  // VARVE_TREE_CHILD_LISTER_H_
