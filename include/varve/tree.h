// Tree: nested keys: nodes on paths such as "a/b/c", each with a value, with children, or with both.
//
//   varve::Tree tree(db.get());
//   tree.Put("shop/fruit/apple", "red");            // its parents need not exist
//   tree.Children("shop");                           // fruit
//   tree.DeleteSubtree("shop/fruit");                // one step, in constant time
//
// A node is a key: the value of a path is stored under the path itself, so that db->Get("shop/fruit/apple")
// and a tree see the same. docs/tree.md.
//
//   path     names with '/' between them. In a name '%' is written %25 and '/' is written %2F, in no other
//            way; every other byte stands for itself. The empty path is the root, which has children and no
//            value.
//   node     a path that has a value, or below which some path has one. There is nothing else to a node: one
//            with children alone is there for as long as they are.
//   subtree  a node and all that is below it: the key `path` and the keys from `path/` to before `path0`.
//
// Names are ordered by their bytes, but '/' comes right after '%'.
#ifndef VARVE_TREE_H_
#define VARVE_TREE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "varve/db.h"
#include "varve/options.h"
#include "varve/status.h"
#include "varve/transaction.h"

namespace varve {

// --- Paths.

// `name` as it stands in a path: "1/2 100%" gives "1%2F2 100%25".
std::string EscapeTreeName(std::string_view name);
// The path of these names, of none: the root. kInvalidArgument when one is empty.
Result<std::string> JoinTreePath(const std::vector<std::string_view>& names);
// The names of a path, unescaped. kInvalidArgument says what is wrong: an empty name, as in "a//b", "/a" and
// "a/", or a '%' that is not %25 or %2F.
Result<std::vector<std::string>> SplitTreePath(std::string_view path);

// --- Trees.

struct TreeChild {
  std::string name;           // not escaped
  bool has_value = false;     // Get finds one
  bool has_children = false;  // one of the two is true
};

// Which part of a list to give, for reading it page by page.
struct TreePageOptions {
  // Only what comes after this: the last name of the page before; any name does. Empty: from the beginning.
  std::string_view start_after = {};
  size_t limit = std::numeric_limits<size_t>::max();
  // Reads as of this snapshot, so that all pages show one state. nullptr: the newest. Borrowed.
  const Snapshot* snapshot = nullptr;
};

struct TreeRenameOptions {
  // Deletes the subtree that stands at the target; else that is kConflict.
  bool replace = false;
  // Unset: the namespace's.
  std::optional<Durability> durability = std::nullopt;
};

// A handle on all keys of a namespace as one tree: cheap, copyable, thread-safe. Borrows its store and
// namespace. Every call is one atomic step, and reads one state. Beside the errors of the store:
// kInvalidArgument for a path that is none.
//
// Keys that are no paths ("a//b", "100%"), written through the plain interface, are no nodes: lists, walks
// and counts pass over them. They lie in subtrees all the same, and go where these go.
class Tree {
 public:
  // Of the default namespace.
  explicit Tree(Db* db) : Tree(db, db) {}
  // `space` belongs to `db`.
  Tree(Db* db, Namespace* space) : db_(db), space_(space) {}

  // --- One node. A put leaves its parents and children alone, whether they have values or not.

  Status Put(std::string_view path, std::string_view value, const WriteOptions& = {});
  // kNotFound when it has no value.
  Result<std::string> Get(std::string_view path, const ReadOptions& = {});
  // Deletes the value and leaves the children. An absent one is not an error.
  Status Delete(std::string_view path, const WriteOptions& = {});

  // --- Lists.

  // The children of `path` in the order of their names; none when there is no such node. O(children): what
  // is below a child is leapt over, with a seek for each child that has children, and one or two for each byte
  // below '/' (' ', '-' and '.' among them) in a name.
  Result<std::vector<TreeChild>> Children(std::string_view path, const TreePageOptions& = {});

  // Called with the whole path of a node. Views live for the call. False ends the walk.
  using Visitor = std::function<bool(std::string_view path, std::string_view value)>;
  // Calls `visit` for the nodes of the subtree of `path` that have values, in the order of their keys: a node
  // before what is below it. (Between them may come siblings, as "a!" between "a" and "a/b".)
  // options.start_after is a whole path here.
  Status Walk(std::string_view path, const Visitor& visit, const TreePageOptions& = {});
  // How many nodes of the subtree have values, that of `path` itself included. O(count).
  Result<uint64_t> Count(std::string_view path, const Snapshot* snapshot = nullptr);

  // --- Subtrees.

  // Deletes the node and all that is below it, in constant time, whatever there is. The space comes back with
  // later merges. An absent one is not an error; of the root: everything. options.ttl is not looked at.
  // kInvalidArgument also for a path of Options::max_key_bytes, below which nothing can be.
  Status DeleteSubtree(std::string_view path, const WriteOptions& = {});

  // Moves the node at `from` with all that is below it to `to`. All of it is written anew in one transaction:
  // takes time and memory for what is moved.
  //   kNotFound         there is nothing at `from`
  //   kConflict         there is a node at `to`, and options.replace is off; or, after a hundred attempts,
  //                     others have always changed something of it meanwhile
  //   kInvalidArgument  either is the root, one lies within the other, a new key would be too long, or the
  //                     subtree is over the limit of a transaction (1 GiB)
  //   kNotSupported     a node has a time to live, which would be lost
  // Nothing has changed then.
  // A node renamed to itself stays as it is.
  Status RenameSubtree(std::string_view from, std::string_view to, const TreeRenameOptions& = {});

  // --- The same as a part of a transaction. Of a node's value, Get, Put and Delete of the transaction do.

  Result<std::vector<TreeChild>> Children(Transaction& transaction, std::string_view path,
                                          const TreePageOptions& = {});
  Status DeleteSubtree(Transaction& transaction, std::string_view path);
  // When it fails with kInvalidArgument over a limit, its writes so far have been taken back.
  Status RenameSubtree(Transaction& transaction, std::string_view from, std::string_view to,
                       bool replace = false);

 private:
  Db* db_;
  Namespace* space_;
};

}  // namespace varve

#endif  // VARVE_TREE_H_
