// Client: one connection to a server that speaks RESP, used synchronously.
#ifndef VARVE_CLIENT_CLIENT_H_
#define VARVE_CLIENT_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/endpoint.h"
#include "env/env.h"
#include "env/stream_socket.h"
#include "resp/reply_parser.h"
#include "tls/session.h"
#include "varve/status.h"

namespace varve::client {

using resp::Reply;
// A command and its arguments.
using Request = std::vector<std::string_view>;

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{5000};
  // Of every wait for the server: to take more bytes, or to send some.
  std::chrono::milliseconds reply_timeout{30000};
  // With TLS. Without authorities the system's say which servers are trusted.
  tls::Files tls = {};
  Clock* clock = Env::Default()->clock();
};

// What an error reply means to a program. The message is the server's text, with its code in front.
//   kNotSupported     the server does not know the command
//   kUnavailable      it cannot answer now: LOADING, BUSY, TRYAGAIN, CLUSTERDOWN, too many clients
//   kCorruption       its store is damaged
//   kInvalidArgument  anything else
// OK for replies that are no errors.
Status StatusOf(const Reply& reply);
// Whether a Status says that the server wants another user or password, or that this user may not.
bool IsAuthenticationFailure(const Status& status);

// `request` as an array of bulk strings, appended to `*bytes`.
void AppendRequest(const Request& request, std::string* bytes);

// Thread-compatible. After kUnavailable or kTimedOut from the connection itself is_broken() is true, and
// every call fails: whether requests that were under way have been executed is not known.
class Client {
 public:
  // Connects, gives user and password and selects the database.
  // kUnavailable, kTimedOut: nobody answers, or TLS finds a wrong certificate; kNotFound: no such host;
  // kInvalidArgument: the server refuses the password or the database, or a file of ClientOptions::tls is wrong.
  static Result<std::unique_ptr<Client>> Connect(const Endpoint& endpoint,
                                                 const ClientOptions& options = {});
  // Over a connection that is there already; nothing is sent.
  Client(StreamSocket socket, std::string name, const ClientOptions& options);

  // One request, one reply. An error reply is a Status here, as StatusOf says.
  Result<Reply> Call(const Request& request);
  // Sends all of them before it reads the first reply; as many replies, errors among them. Reads while it
  // writes: no amount of replies can block both ends.
  Result<std::vector<Reply>> Run(const std::vector<Request>& requests);
  // The next reply that nobody has asked for: after SUBSCRIBE or MONITOR. kTimedOut, without breaking the
  // connection, when none comes in `timeout_nanos`.
  Result<Reply> Await(uint64_t timeout_nanos);

  // The connection, for somebody who drives it in another way. REQUIRES: nothing is under way, and no
  // TLS.
  static StreamSocket Release(std::unique_ptr<Client> client) { return std::move(client->socket_); }

  const std::string& name() const { return name_; }
  bool is_broken() const { return is_broken_; }

 private:
  Status Exchange(std::string_view bytes, size_t count, std::vector<Reply>* replies);
  Status BeginTls(const Endpoint& endpoint);
  // Waits until there is something to read, or to write if that is wanted; true: to read. The connection is broken
  // when that takes longer than the reply timeout, or the connect timeout while TLS begins.
  Result<bool> AwaitSocket(bool wants_to_write);
  bool has_wire() const { return wire_sent_ < wire_.size(); }
  Status SendSome(std::string_view* bytes);
  Status WriteSome(std::string_view* bytes);
  Status ReceiveSome();
  // Takes replies out of the input, up to `count` altogether. kUnavailable when it makes no sense.
  Status TakeReplies(size_t count, std::vector<Reply>* replies);
  Status Break(Status status);

  StreamSocket socket_;
  std::unique_ptr<tls::Session> tls_;  // nullptr: bytes are as they are
  std::string wire_;                   // with TLS: encrypted, to be sent
  size_t wire_sent_ = 0;
  const std::string name_;
  const ClientOptions options_;
  resp::ReplyParser parser_;
  std::string input_;
  size_t consumed_ = 0;  // of the input
  bool is_broken_ = false;
};

}  // namespace varve::client

#endif  // VARVE_CLIENT_CLIENT_H_
