// Session: one end of a TLS connection, over bytes in memory. Knows no sockets.
#ifndef VARVE_TLS_SESSION_H_
#define VARVE_TLS_SESSION_H_

#include <memory>
#include <string>
#include <string_view>

#include "tls/context.h"
#include "varve/status.h"

struct ssl_st;

namespace varve::tls {

// Thread-compatible. "wire" is what goes through the network; what is to be sent is always appended to `*wire`.
// After an error nothing but an alert in `*wire` is left to send.
class Session {
 public:
  // As the context says a server or a client; a client wants a certificate for `host`, a name or an address.
  // nullptr when there is no memory, or `host` is no name.
  static std::unique_ptr<Session> Create(std::shared_ptr<const Context> context, const std::string& host = "");
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Takes all of `received`, and appends what it says to `*clear`. A client calls it first with nothing, to
  // begin. kUnavailable: the other end is not trusted, does not speak TLS, or its bytes were changed.
  Status Receive(std::string_view received, std::string* clear, std::string* wire);
  // REQUIRES: is_established().
  Status Send(std::string_view clear, std::string* wire);
  // Says that nothing more will come. Idempotent.
  void Close(std::string* wire);

  // Whether the other end has shown a certificate, as the context demands, that is for `name`, a name or an address.
  // REQUIRES: is_established().
  bool IsPeer(const std::string& name) const;

  bool is_established() const { return is_established_; }
  // The other end has said that nothing more will come.
  bool has_ended() const { return has_ended_; }

 private:
  struct Free {
    void operator()(ssl_st* handle) const;
  };
  Session(std::shared_ptr<const Context> context, ssl_st* handle);
  void TakeWire(std::string* wire);
  Status Failure();

  const std::shared_ptr<const Context> context_;
  const std::unique_ptr<ssl_st, Free> handle_;
  bool is_established_ = false;
  bool has_ended_ = false;
  bool is_closed_ = false;
};

}  // namespace varve::tls

#endif  // VARVE_TLS_SESSION_H_
