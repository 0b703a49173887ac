// RemoteSpace: the keys of one database of a server, by plain Redis commands and V.RANGE.
#ifndef VARVE_CLIENT_REMOTE_SPACE_H_
#define VARVE_CLIENT_REMOTE_SPACE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.h"
#include "varve/iterator.h"
#include "varve/options.h"
#include "varve/status.h"

namespace varve::client {

// What the spaces of one server share. Thread-compatible.
struct RemoteConnection {
  std::unique_ptr<Client> client;
  uint32_t selected = 0;  // the database that the connection is on
  // Whether the server knows V.RANGE; unset: not asked yet.
  std::optional<bool> has_range = std::nullopt;
  Clock* clock = nullptr;

  // Makes `database` the one that the next request is for.
  Status Select(uint32_t database);
};

// When a key expires, as words of SET and of others.
struct Expiry {
  bool is_moment = false;  // milliseconds since 1970; else from now on
  int64_t millis = 0;      // at most 0: at once
};
// The earlier of what `options` ask for; std::nullopt: nothing.
std::optional<Expiry> ExpiryOf(const WriteOptions& options, const Clock& clock);

// Requests that belong together, with the bytes of what they are made of. Thread-compatible.
class RequestList {
 public:
  void Put(std::string_view key, std::string_view value, const std::optional<Expiry>& expiry);
  void Delete(std::string_view key);
  // std::nullopt: the key is to stay.
  void Expire(std::string_view key, const std::optional<Expiry>& expiry);
  void Select(uint32_t database);
  // `words` must outlive this.
  void Add(Request words) { requests_.push_back(std::move(words)); }
  const std::vector<Request>& requests() const { return requests_; }

 private:
  std::string_view Keep(std::string text);

  std::vector<Request> requests_;
  std::vector<std::unique_ptr<std::string>> texts_;
};

// Thread-compatible, all spaces of a connection together. A handle; borrows the connection.
class RemoteSpace {
 public:
  RemoteSpace(RemoteConnection* connection, uint32_t database)
      : connection_(connection), database_(database) {}

  uint32_t database() const { return database_; }
  RemoteConnection* connection() const { return connection_; }

  // In this database.
  Result<Reply> Call(const Request& request);
  Result<std::vector<Reply>> Run(const std::vector<Request>& requests);
  // Calls each; an error reply of any is the result. With kSync also waits until what was written survives
  // loss of power: kNotSupported, after writing, when the server cannot say so.
  Status Apply(const std::vector<Request>& requests, const WriteOptions& options);
  // The same for MULTI ... EXEC. False: a watched key has changed, and nothing was done.
  Result<bool> ApplyTransaction(const std::vector<Request>& requests, const WriteOptions& options);

  Status Put(std::string_view key, std::string_view value, const WriteOptions& options);
  Status Delete(std::string_view key, const WriteOptions& options);
  // V.DELRANGE: kNotSupported when the server does not know it.
  Status DeleteRange(std::string_view begin, std::string_view end, const WriteOptions& options);
  Status Clear(const WriteOptions& options);
  Result<std::string> Get(std::string_view key);
  // std::nullopt: stays; kNotFound.
  Result<std::optional<std::chrono::milliseconds>> TimeToLive(std::string_view key);
  // Absent ones are std::nullopt.
  Result<std::vector<std::optional<std::string>>> GetMany(const std::vector<std::string_view>& keys);
  Result<uint64_t> CountKeys();

 private:
  // The replies to `requests`; with kSync behind their effects.
  Result<std::vector<Reply>> RunDurably(const std::vector<Request>& requests,
                                        const WriteOptions& options, Status* durability);

  RemoteConnection* connection_;
  uint32_t database_;
};

}  // namespace varve::client

#endif  // VARVE_CLIENT_REMOTE_SPACE_H_
