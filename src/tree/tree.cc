#include "varve/tree.h"

#include <memory>
#include <utility>

#include "tree/child_lister.h"
#include "tree/path.h"
#include "varve/iterator.h"
#include "varve/namespace.h"
#include "varve/write_batch.h"

namespace varve {

namespace {

// Of a path that is to be a key.
Status CheckNode(std::string_view path) {
  if (path.empty()) return Status::InvalidArgument("the root of a tree has no value and no name");
  return CheckTreePath(path);
}

// What is below `path`. `begin` and `end` keep the bounds.
IteratorOptions Below(std::string_view path, const Snapshot* snapshot, std::string* begin,
                      std::string* end) {
  IteratorOptions options{.snapshot = snapshot};
  if (path.empty()) return options;
  options.lower_bound = *begin = BelowBegin(path);
  options.upper_bound = *end = BelowEnd(path);
  return options;
}

Result<std::vector<TreeChild>> List(Iterator* iterator, std::string_view path,
                                    const TreePageOptions& options) {
  ChildLister lister(iterator, path, EscapeTreeName(options.start_after));
  std::vector<TreeChild> children;
  TreeChild child;
  while (children.size() < options.limit && lister.Next(&child)) children.push_back(std::move(child));
  if (Status status = iterator->status(); !status.ok()) return status;
  return children;
}

// Stands an iterator on the first key of a subtree that is not before `from`, and leaps over what lies between
// the node's own key and those below it.
class SubtreeCursor {
 public:
  // `iterator` sees the keys from `path` to before `path0`, of the root: all keys. Borrowed.
  SubtreeCursor(Iterator* iterator, std::string_view path, std::string_view from)
      : iterator_(*iterator), path_(path) {
    if (from > path) {
      iterator_.Seek(from);
    } else {
      iterator_.Seek(path);
    }
    Settle();
  }
  bool Valid() const { return iterator_.Valid(); }
  void Next() {
    iterator_.Next();
    Settle();
  }

 private:
  void Settle() {
    if (!iterator_.Valid() || path_.empty() || iterator_.key() == path_) return;
    if (!IsBelow(iterator_.key(), path_)) iterator_.Seek(BelowBegin(path_));
  }

  Iterator& iterator_;
  const std::string path_;
};

// The bounds of SubtreeCursor.
IteratorOptions Subtree(std::string_view path, const Snapshot* snapshot, std::string* end) {
  IteratorOptions options{.snapshot = snapshot};
  if (path.empty()) return options;
  options.lower_bound = path;
  options.upper_bound = *end = BelowEnd(path);
  return options;
}

// Calls `visit` with the iterator on each value in the subtree of `path`, until it returns false.
template <typename Visit>
Status ForEachValue(Namespace* space, std::string_view path, const TreePageOptions& options,
                    const Visit& visit) {
  if (Status status = CheckTreePath(path); !status.ok()) return status;
  if (Status status = CheckTreePath(options.start_after); !status.ok()) return status;
  std::string end;
  const auto iterator = space->NewIterator(Subtree(path, options.snapshot, &end));
  const std::string from =
      options.start_after.empty() ? std::string() : std::string(options.start_after) + '\0';
  SubtreeCursor cursor(iterator.get(), path, from);
  for (size_t count = 0; count < options.limit && cursor.Valid(); cursor.Next()) {
    if (iterator->key().empty() || !IsTreePath(iterator->key())) continue;
    ++count;
    if (!visit(iterator.get())) break;
  }
  return iterator->status();
}

// Deletes the subtree of a node, not the root.
Status DeleteNode(Transaction& transaction, const Namespace& space, std::string_view path) {
  Status status = transaction.Delete(space, path);
  if (!status.ok()) return status;
  return transaction.DeleteRange(space, BelowBegin(path), BelowEnd(path));
}

// Whether anything is stored in the subtree of a node.
Result<bool> Exists(Transaction& transaction, const Namespace& space, std::string_view path) {
  std::string end;
  const auto iterator = transaction.NewIterator(space, Subtree(path, nullptr, &end));
  const bool exists = SubtreeCursor(iterator.get(), path, {}).Valid();
  if (Status status = iterator->status(); !status.ok()) return status;
  return exists;
}

// Puts all that is stored in the subtree of `from` under `to`. *count: how many keys that is.
Status CopySubtree(Transaction& transaction, const Namespace& space, std::string_view from,
                   std::string_view to, uint64_t* count) {
  std::string end, key;
  const auto iterator = transaction.NewIterator(space, Subtree(from, nullptr, &end));
  for (SubtreeCursor cursor(iterator.get(), from, {}); cursor.Valid(); cursor.Next()) {
    if (iterator->expire_at_millis() != 0) {
      return Status::NotSupported("'" + std::string(iterator->key()) +
                                  "' has a time to live, which a rename would lose");
    }
    key.assign(to).append(iterator->key().substr(from.size()));
    const std::string_view value = iterator->value();
    if (!iterator->status().ok()) break;
    if (Status status = transaction.Put(space, key, value); !status.ok()) {
      return status.WithContext("renaming '" + std::string(from) + "'");
    }
    ++*count;
  }
  return iterator->status();
}

Status Rename(Transaction& transaction, const Namespace& space, std::string_view from,
              std::string_view to, bool replace) {
  for (const std::string_view path : {from, to}) {
    if (Status status = CheckNode(path); !status.ok()) return status;
  }
  if (IsBelow(to, from) || IsBelow(from, to)) {
    return Status::InvalidArgument("one of '" + std::string(from) + "' and '" + std::string(to) +
                                   "' lies within the other");
  }
  const Result<bool> has_source = Exists(transaction, space, from);
  if (!has_source.ok()) return has_source.status();
  if (!*has_source) return Status::NotFound("there is no node '" + std::string(from) + "'");
  if (from == to) return Status::Ok();
  const Result<bool> has_target = Exists(transaction, space, to);
  if (!has_target.ok()) return has_target.status();
  if (*has_target && !replace) {
    return Status::Conflict("there is a node '" + std::string(to) + "' already");
  }
  Status status = *has_target ? DeleteNode(transaction, space, to) : Status::Ok();
  uint64_t count = 0;
  if (status.ok()) status = CopySubtree(transaction, space, from, to, &count);
  return status.ok() ? DeleteNode(transaction, space, from) : status;
}

}  // namespace

// --- One node.

Status Tree::Put(std::string_view path, std::string_view value, const WriteOptions& options) {
  if (Status status = CheckNode(path); !status.ok()) return status;
  return space_->Put(path, value, options);
}

Result<std::string> Tree::Get(std::string_view path, const ReadOptions& options) {
  if (Status status = CheckNode(path); !status.ok()) return status;
  return space_->Get(path, options);
}

Status Tree::Delete(std::string_view path, const WriteOptions& options) {
  if (Status status = CheckNode(path); !status.ok()) return status;
  return space_->Delete(path, options);
}

// --- Lists.

Result<std::vector<TreeChild>> Tree::Children(std::string_view path, const TreePageOptions& options) {
  if (Status status = CheckTreePath(path); !status.ok()) return status;
  std::string begin, end;
  const auto iterator = space_->NewIterator(Below(path, options.snapshot, &begin, &end));
  return List(iterator.get(), path, options);
}

Result<std::vector<TreeChild>> Tree::Children(Transaction& transaction, std::string_view path,
                                              const TreePageOptions& options) {
  if (Status status = CheckTreePath(path); !status.ok()) return status;
  std::string begin, end;
  const auto iterator = transaction.NewIterator(*space_, Below(path, nullptr, &begin, &end));
  return List(iterator.get(), path, options);
}

Status Tree::Walk(std::string_view path, const Visitor& visit, const TreePageOptions& options) {
  Status value_status;
  Status status = ForEachValue(space_, path, options, [&](Iterator* iterator) {
    const std::string_view value = iterator->value();
    value_status = iterator->status();
    return value_status.ok() && visit(iterator->key(), value);
  });
  return status.ok() ? value_status : status;
}

Result<uint64_t> Tree::Count(std::string_view path, const Snapshot* snapshot) {
  uint64_t count = 0;
  Status status = ForEachValue(space_, path, {.snapshot = snapshot}, [&](Iterator*) {
    ++count;
    return true;
  });
  if (!status.ok()) return status;
  return count;
}

// --- Subtrees.

Status Tree::DeleteSubtree(std::string_view path, const WriteOptions& options) {
  if (path.empty()) return space_->Clear({.durability = options.durability});
  if (Status status = CheckTreePath(path); !status.ok()) return status;
  WriteBatch batch;
  batch.Delete(*space_, path);
  batch.DeleteRange(*space_, BelowBegin(path), BelowEnd(path));
  return db_->Write(batch, {.durability = options.durability});
}

Status Tree::DeleteSubtree(Transaction& transaction, std::string_view path) {
  if (path.empty()) return transaction.DeleteAll(*space_);
  if (Status status = CheckTreePath(path); !status.ok()) return status;
  return transaction.Transact([&](Transaction& t) { return DeleteNode(t, *space_, path); });
}

Status Tree::RenameSubtree(std::string_view from, std::string_view to,
                           const TreeRenameOptions& options) {
  return db_->Transact(
      [&](Transaction& transaction) {
        return Rename(transaction, *space_, from, to, options.replace);
      },
      {.write = {.durability = options.durability}});
}

Status Tree::RenameSubtree(Transaction& transaction, std::string_view from, std::string_view to,
                           bool replace) {
  return transaction.Transact(
      [&](Transaction& t) { return Rename(t, *space_, from, to, replace); });
}

}  // namespace varve
