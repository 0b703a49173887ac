// What Redis has no word for: ranges of keys in their order, nested keys, comparing and setting, durability.
#include <limits>

#include "base/status_macros.h"
#include "server/call.h"
#include "server/service.h"
#include "server/session.h"
#include "varve/tree.h"

namespace varve::server {
namespace {

// LIMIT, AFTER, REV, KEYS: which of them a command takes, and what they said.
struct ListOptions {
  bool may_reverse = false;
  bool may_follow = false;
  bool may_hide_values = false;

  int64_t limit = std::numeric_limits<int64_t>::max();
  std::string_view after;
  bool is_reverse = false;
  bool only_keys = false;
};

bool ParseList(Call& call, size_t first, ListOptions* options) {
  for (size_t i = first; i < call.count(); ++i) {
    const bool has_value = i + 1 < call.count();
    if (call.Is(i, "limit") && has_value) {
      if (!call.TakeInteger(++i, &options->limit)) return false;
      if (options->limit < 0) {
        static_cast<void>(call.Error("LIMIT can't be negative"));
        return false;
      }
    } else if (options->may_follow && call.Is(i, "after") && has_value) {
      options->after = call.arg(++i);
    } else if (options->may_reverse && call.Is(i, "rev")) {
      options->is_reverse = true;
    } else if (options->may_hide_values && call.Is(i, "keys")) {
      options->only_keys = true;
    } else {
      static_cast<void>(call.SyntaxError());
      return false;
    }
  }
  return true;
}

// An array of keys, or of keys and values in turn: maps of clients have no order. Written at the end, for
// its count stands first.
class PairsReply {
 public:
  PairsReply(Call& call, const ListOptions& options) : call_(call), options_(options) {}

  // False when there are enough, or too many bytes.
  bool Add(std::string_view key, std::string_view value) {
    pairs_.emplace_back(key, options_.only_keys ? std::string_view() : value);
    bytes_ += key.size() + pairs_.back().second.size();
    return !is_full() && bytes_ <= call_.reply.limit();
  }
  bool is_full() const { return pairs_.size() >= static_cast<uint64_t>(options_.limit); }
  Status Write() {
    if (bytes_ > call_.reply.limit()) return call_.TooLarge();
    call_.reply.Array(pairs_.size() * (options_.only_keys ? 1 : 2));
    for (const auto& [key, value] : pairs_) {
      call_.reply.Bulk(key);
      if (!options_.only_keys) call_.reply.Bulk(value);
    }
    return Status::Ok();
  }

 private:
  Call& call_;
  const ListOptions& options_;
  std::vector<std::pair<std::string, std::string>> pairs_;
  size_t bytes_ = 0;
};

Status Range(Call& call) {
  ListOptions options{.may_reverse = true, .may_hide_values = true};
  if (!ParseList(call, 3, &options)) return Status::Ok();
  IteratorOptions bounds;
  if (!call.arg(1).empty()) bounds.lower_bound = call.arg(1);
  if (!call.arg(2).empty()) bounds.upper_bound = call.arg(2);
  const std::unique_ptr<Iterator> iterator =
      call.transaction != nullptr ? call.transaction->NewIterator(call.space(), bounds)
                                  : call.space().NewIterator(bounds);
  PairsReply reply(call, options);
  options.is_reverse ? iterator->SeekToLast() : iterator->SeekToFirst();
  while (iterator->Valid() && !reply.is_full()) {
    if (!reply.Add(iterator->key(), options.only_keys ? std::string_view() : iterator->value())) break;
    options.is_reverse ? iterator->Prev() : iterator->Next();
  }
  VARVE_RETURN_IF_ERROR(iterator->status());
  return reply.Write();
}

Tree TreeOf(Call& call) { return Tree(call.service.db(), &call.space()); }

Status Ls(Call& call) {
  ListOptions options{.may_follow = true};
  if (!ParseList(call, 2, &options)) return Status::Ok();
  const TreePageOptions page{.start_after = options.after, .limit = static_cast<size_t>(options.limit)};
  Tree tree = TreeOf(call);
  VARVE_ASSIGN_OR_RETURN(const std::vector<TreeChild> children,
                         call.transaction != nullptr
                             ? tree.Children(*call.transaction, call.arg(1), page)
                             : tree.Children(call.arg(1), page));
  call.reply.Array(children.size());
  for (const TreeChild& child : children) {
    call.reply.Array(3);
    call.reply.Bulk(child.name);
    call.reply.Integer(child.has_value ? 1 : 0);
    call.reply.Integer(child.has_children ? 1 : 0);
  }
  return Status::Ok();
}

Status WalkTree(Call& call) {
  ListOptions options{.may_follow = true, .may_hide_values = true};
  if (!ParseList(call, 2, &options)) return Status::Ok();
  const TreePageOptions page{.start_after = options.after, .limit = static_cast<size_t>(options.limit)};
  PairsReply reply(call, options);
  VARVE_RETURN_IF_ERROR(TreeOf(call).Walk(
      call.arg(1), [&](std::string_view path, std::string_view value) { return reply.Add(path, value); }, page));
  return reply.Write();
}

Status RmTree(Call& call) {
  call.session.NoteWrite();
  VARVE_RETURN_IF_ERROR(TreeOf(call).DeleteSubtree(*call.transaction, call.arg(1)));
  call.NotifyOfMany();
  return call.Ok();
}

Status DelRange(Call& call) {
  call.session.NoteWrite();
  VARVE_RETURN_IF_ERROR(call.transaction->DeleteRange(call.space(), call.arg(1), call.arg(2)));
  call.NotifyOfMany();
  return call.Ok();
}

Status MvTree(Call& call) {
  if (call.count() > 4 || (call.count() == 4 && !call.Is(3, "replace"))) return call.SyntaxError();
  call.session.NoteWrite();
  const Status status = TreeOf(call).RenameSubtree(*call.transaction, call.arg(1), call.arg(2),
                                                   /*replace=*/call.count() == 4);
  if (status.IsNotFound()) return call.Error("no such node");
  if (status.code() == StatusCode::kConflict) {
    call.reply.Error("BUSYKEY Target node already exists.");
    return Status::Ok();
  }
  if (!status.ok()) return status;
  call.NotifyOfMany();
  return call.Ok();
}

// V.CAS key IF value | IFABSENT, SET value | DEL
Status Cas(Call& call) {
  size_t i = 2;
  std::optional<std::string_view> expected;
  if (call.Is(i, "if")) {
    expected = call.arg(++i);
  } else if (!call.Is(i, "ifabsent")) {
    return call.SyntaxError();
  }
  ++i;
  if (i >= call.count()) return call.SyntaxError();
  const bool deletes = call.Is(i, "del") && i + 1 == call.count();
  if (!deletes && !(call.Is(i, "set") && i + 2 == call.count())) return call.SyntaxError();
  VARVE_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, call.GetPinned(call.arg(1)));
  const bool is_same = expected ? value && value->view() == *expected : !value;
  if (!is_same) return call.Integer(0);
  if (deletes) {
    VARVE_RETURN_IF_ERROR(call.Delete(call.arg(1)));
    call.Notify(kEventGeneric, "del", call.arg(1));
  } else {
    VARVE_RETURN_IF_ERROR(call.Put(call.arg(1), call.arg(i + 1)));
    call.Notify(kEventString, "set", call.arg(1));
  }
  return call.Integer(1);
}

// What the writes of this connection survive before they are answered.
Status SetDurability(Call& call) {
  if (call.count() > 2) return call.SyntaxError();
  if (call.count() == 1) {
    call.reply.Bulk(call.session.syncs() ? "sync" : "process");
    return Status::Ok();
  }
  if (call.Is(1, "sync")) {
    call.session.set_syncs(true);
  } else if (call.Is(1, "process")) {
    call.session.set_syncs(false);
  } else {
    return call.SyntaxError();
  }
  return call.Ok();
}

// There is one copy: the reply to WAITAOF says that it survives loss of power.
Status WaitAof(Call& call) {
  int64_t local = 0;
  int64_t replicas = 0;
  int64_t millis = 0;
  if (!call.TakeInteger(1, &local) || !call.TakeInteger(2, &replicas)) return Status::Ok();
  if (!call.TakeInteger(3, &millis, "timeout is not an integer or out of range")) return Status::Ok();
  if (millis < 0) return call.Error("timeout is negative");
  if (local < 0 || local > 1) return call.Error("value is out of range, must be between 0 and 1");
  if (local == 1) VARVE_RETURN_IF_ERROR(call.service.db()->Sync());
  call.reply.Array(2);
  call.reply.Integer(local);
  call.reply.Integer(0);
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> VarveCommands() {
  constexpr std::string_view kNone;
  const auto entry = [&](std::string_view name, int arity, std::string_view flags,
                         std::string_view keys, std::string_view summary, Status (*run)(Call&),
                         bool is_transaction = false) {
    return CommandSpec{name, arity, flags, "keyspace", keys, kNone, "0.1.0", "generic", summary, run, is_transaction};
  };
  return {
      entry("v.range", -3, "readonly", "RO access@1:1,1",
            "Returns the keys from one up to but not another, with their values, in order", Range),
      entry("v.delrange", 3, "write", "RM delete@1:1,1",
            "Deletes the keys from one up to but not another, in constant time", DelRange, true),
      entry("v.ls", -2, "readonly", "RO access@1:0,1", "Lists the children of a node of nested keys", Ls),
      entry("v.tree", -2, "readonly !no_multi", "RO access@1:0,1",
            "Returns a node and all that is below it", WalkTree),
      entry("v.rmtree", 2, "write", "RM delete@1:0,1",
            "Deletes a node and all that is below it, in constant time", RmTree, true),
      entry("v.mvtree", -3, "write denyoom", "RW access delete@1:0,1;OW update@2:0,1",
            "Moves a node with all that is below it", MvTree, true),
      entry("v.cas", -4, "write denyoom fast", "RW access update@1:0,1",
            "Sets or deletes a value if it is the one expected", Cas, true),
      {"v.durability", -1, "noscript loading stale fast", "connection", "", "", "0.1.0", "connection",
       "Says what a write of this connection survives when it is answered", SetDurability},
      {"waitaof", 4, "noscript !no_multi", "connection", "",
       "request_policy:all_shards response_policy:agg_min", "7.2.0", "generic",
       "Waits until all that was written survives loss of power", WaitAof},
  };
}

}  // namespace varve::server
