#include "client/remote_space.h"

#include <algorithm>

#include "base/status_macros.h"

namespace varve::client {

namespace {

int64_t MillisAt(std::chrono::system_clock::time_point when) {
  return std::chrono::floor<std::chrono::milliseconds>(when.time_since_epoch()).count();
}

Status UnexpectedReply(const RemoteConnection& connection, std::string_view command) {
  return Status::Unavailable(connection.client->name() + ": the reply to " + std::string(command) +
                             " makes no sense");
}

}  // namespace

Status RemoteConnection::Select(uint32_t database) {
  if (selected == database) return Status::Ok();
  VARVE_RETURN_IF_ERROR(client->Call({"SELECT", std::to_string(database)}).status());
  selected = database;
  return Status::Ok();
}

std::optional<Expiry> ExpiryOf(const WriteOptions& options, const Clock& clock) {
  if (!options.expire_at) {
    if (!options.ttl) return std::nullopt;
    return Expiry{.is_moment = false, .millis = options.ttl->count()};
  }
  int64_t moment = MillisAt(*options.expire_at);
  const int64_t now = static_cast<int64_t>(clock.WallMillis());
  if (options.ttl) moment = std::min(moment, now + options.ttl->count());
  if (moment <= now) return Expiry{};
  return Expiry{.is_moment = true, .millis = moment};
}

std::string_view RequestList::Keep(std::string text) {
  return *texts_.emplace_back(std::make_unique<std::string>(std::move(text)));
}

void RequestList::Put(std::string_view key, std::string_view value,
                      const std::optional<Expiry>& expiry) {
  if (!expiry) return Add({"SET", key, value});
  if (expiry->millis <= 0) return Delete(key);
  Add({"SET", key, value, expiry->is_moment ? "PXAT" : "PX", Keep(std::to_string(expiry->millis))});
}

void RequestList::Delete(std::string_view key) { Add({"DEL", key}); }

void RequestList::Expire(std::string_view key, const std::optional<Expiry>& expiry) {
  if (!expiry) return Add({"PERSIST", key});
  if (expiry->millis <= 0) return Delete(key);
  Add({expiry->is_moment ? "PEXPIREAT" : "PEXPIRE", key, Keep(std::to_string(expiry->millis))});
}

void RequestList::Select(uint32_t database) { Add({"SELECT", Keep(std::to_string(database))}); }

Result<Reply> RemoteSpace::Call(const Request& request) {
  VARVE_RETURN_IF_ERROR(connection_->Select(database_));
  return connection_->client->Call(request);
}

Result<std::vector<Reply>> RemoteSpace::Run(const std::vector<Request>& requests) {
  VARVE_RETURN_IF_ERROR(connection_->Select(database_));
  return connection_->client->Run(requests);
}

Result<std::vector<Reply>> RemoteSpace::RunDurably(const std::vector<Request>& requests,
                                                   const WriteOptions& options, Status* durability) {
  if (options.durability != Durability::kSync) return Run(requests);
  std::vector<Request> all = requests;
  all.push_back({"WAITAOF", "1", "0", "0"});
  VARVE_ASSIGN_OR_RETURN(std::vector<Reply> replies, Run(all));
  const Reply& synced = replies.back();
  if (synced.elements.empty() || synced.elements[0].integer < 1) {
    *durability = Status::NotSupported(
        "it is written, but this server does not say when that survives loss of power; one that is "
        "started with --sync answers no sooner");
  }
  replies.pop_back();
  return replies;
}

Status RemoteSpace::Apply(const std::vector<Request>& requests, const WriteOptions& options) {
  Status durability;
  VARVE_ASSIGN_OR_RETURN(const std::vector<Reply> replies, RunDurably(requests, options, &durability));
  for (const Reply& reply : replies) VARVE_RETURN_IF_ERROR(StatusOf(reply));
  return durability;
}

Result<bool> RemoteSpace::ApplyTransaction(const std::vector<Request>& requests,
                                           const WriteOptions& options) {
  Status durability;
  VARVE_ASSIGN_OR_RETURN(const std::vector<Reply> replies, RunDurably(requests, options, &durability));
  for (const Reply& reply : replies) VARVE_RETURN_IF_ERROR(StatusOf(reply));
  const Reply& done = replies.back();
  if (done.type == Reply::Type::kNull) return false;
  for (const Reply& reply : done.elements) VARVE_RETURN_IF_ERROR(StatusOf(reply));
  VARVE_RETURN_IF_ERROR(durability);
  return true;
}

Status RemoteSpace::Put(std::string_view key, std::string_view value, const WriteOptions& options) {
  RequestList list;
  list.Put(key, value, ExpiryOf(options, *connection_->clock));
  return Apply(list.requests(), options);
}

Status RemoteSpace::Delete(std::string_view key, const WriteOptions& options) {
  return Apply({{"DEL", key}}, options);
}

Status RemoteSpace::DeleteRange(std::string_view begin, std::string_view end, const WriteOptions& options) {
  return Apply({{"V.DELRANGE", begin, end}}, options);
}

Status RemoteSpace::Clear(const WriteOptions& options) { return Apply({{"FLUSHDB"}}, options); }

Result<std::string> RemoteSpace::Get(std::string_view key) {
  VARVE_ASSIGN_OR_RETURN(Reply reply, Call({"GET", key}));
  if (reply.type == Reply::Type::kNull) return Status::NotFound();
  return std::move(reply.text);
}

Result<std::optional<std::chrono::milliseconds>> RemoteSpace::TimeToLive(std::string_view key) {
  VARVE_ASSIGN_OR_RETURN(const Reply reply, Call({"PTTL", key}));
  if (reply.integer == -2) return Status::NotFound();
  if (reply.integer == -1) return std::optional<std::chrono::milliseconds>();
  return std::optional<std::chrono::milliseconds>(reply.integer);
}

Result<std::vector<std::optional<std::string>>> RemoteSpace::GetMany(
    const std::vector<std::string_view>& keys) {
  std::vector<std::optional<std::string>> values(keys.size());
  if (keys.empty()) return values;
  Request request = {"MGET"};
  request.insert(request.end(), keys.begin(), keys.end());
  VARVE_ASSIGN_OR_RETURN(Reply reply, Call(request));
  if (reply.elements.size() != keys.size()) return UnexpectedReply(*connection_, "MGET");
  for (size_t i = 0; i < keys.size(); ++i) {
    if (reply.elements[i].type != Reply::Type::kNull) values[i] = std::move(reply.elements[i].text);
  }
  return values;
}

Result<uint64_t> RemoteSpace::CountKeys() {
  VARVE_ASSIGN_OR_RETURN(const Reply reply, Call({"DBSIZE"}));
  return static_cast<uint64_t>(std::max<int64_t>(reply.integer, 0));
}

}  // namespace varve::client
