// Call: one command being executed: its arguments, its reply, and the store as it may use it.
#ifndef VARVE_SERVER_CALL_H_
#define VARVE_SERVER_CALL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/reply_writer.h"
#include "server/command.h"
#include "server/events.h"
#include "varve/db.h"

namespace varve::server {

class Service;
class Session;

// A value and when it is gone, in milliseconds since 1970; 0: never.
struct Entry {
  std::string value;
  uint64_t expire_at = 0;
};

// Thread-compatible. Reads and writes go to `transaction` if there is one, else to the store at once.
class Call {
 public:
  const Command& command;
  const std::vector<std::string_view>& args;
  resp::ReplyWriter& reply;
  Session& session;
  Service& service;
  Transaction* transaction = nullptr;
  uint64_t now = 0;  // milliseconds since 1970
  // Set by a command that is no transaction when it needs to be one after all: it is called again.
  bool wants_transaction = false;

  std::string_view arg(size_t i) const { return args[i]; }
  // As error texts show it: up to the first zero byte.
  std::string Shown(size_t i) const { return std::string(args[i].substr(0, args[i].find('\0'))); }
  size_t count() const { return args.size(); }
  bool Is(size_t i, std::string_view word) const { return EqualsIgnoreCase(args[i], word); }

  // --- Replies. These return OK, so that a command can return what they return.

  // With "ERR " in front.
  Status Error(std::string_view text);
  Status SyntaxError() { return Error("syntax error"); }
  Status ArityError();
  // "invalid expire time in '...' command".
  Status ExpireTimeError();
  // For returning, before such a reply is made: it has more bytes than a reply may.
  Status TooLarge() const {
    return Status::InvalidArgument("the reply would have more than " + std::to_string(reply.limit()) +
                                   " bytes: ask for less at a time");
  }
  Status Integer(int64_t value) { reply.Integer(value); return Status::Ok(); }
  Status Ok() { reply.Ok(); return Status::Ok(); }
  Status NeedTransaction() { wants_transaction = true; return Status::Ok(); }

  // The argument as a number. False after replying an error: `message`, or the usual one.
  bool TakeInteger(size_t i, int64_t* value, std::string_view message = {});
  // The same for one that must fit 32 bits.
  bool TakeInt(size_t i, int* value, std::string_view message = {});
  // The same for a database, and which that is.
  bool TakeDatabase(size_t i, int* index);
  // Whether a string of `size` bytes may grow by `more`; false after replying an error.
  bool CheckSize(uint64_t size, uint64_t more);

  // --- The store. Without a namespace: the database of the session.

  Namespace& space() const { return *space_; }
  // False: absent.
  Result<bool> Get(std::string_view key, std::string* value);
  Result<bool> Exists(std::string_view key) { return Exists(*space_, key); }
  Result<bool> Exists(Namespace& space, std::string_view key);
  // The value without a copy.
  Result<std::optional<PinnedValue>> GetPinned(std::string_view key);
  Result<std::optional<Entry>> Find(std::string_view key);
  // Only the deadline; std::nullopt: absent.
  Result<std::optional<uint64_t>> FindDeadline(std::string_view key);
  Status Put(std::string_view key, std::string_view value, uint64_t expire_at = 0) {
    return Put(*space_, key, value, expire_at);
  }
  Status Put(Namespace& space, std::string_view key, std::string_view value, uint64_t expire_at);
  Status Delete(std::string_view key);
  Status Clear(Namespace& space);
  // For writes that go to the store at once; notes that there was one.
  WriteOptions Writes(uint64_t expire_at = 0);

  // Tells who listens to keyspace notifications, once this is committed. `event` is a literal.
  void Notify(uint32_t flag, std::string_view event, std::string_view key) {
    NotifyIn(flag, event, key, -1);
  }
  // The same of more keys than can be named, for those who keep copies alone.
  void NotifyOfMany() { Notify(kEventOfMany, {}, {}); }
  // The same for a key of another database; -1: of the session's.
  void NotifyIn(uint32_t flag, std::string_view event, std::string_view key, int database);

  Call(const Command& c, const std::vector<std::string_view>& a, resp::ReplyWriter& r, Session& s,
       Service& v, Namespace* space)
      : command(c), args(a), reply(r), session(s), service(v), space_(space) {}

 private:
  std::unique_ptr<Iterator> At(std::string_view key);

  Namespace* space_;
};

}  // namespace varve::server

#endif  // VARVE_SERVER_CALL_H_
