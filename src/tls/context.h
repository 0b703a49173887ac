// Certificates and keys, and what connections with them may speak: TLS 1.2 and 1.3. The one layer that knows OpenSSL.
#ifndef VARVE_TLS_CONTEXT_H_
#define VARVE_TLS_CONTEXT_H_

#include <memory>
#include <string>

#include "varve/status.h"

// OpenSSL's, so that its headers stay in this layer.
struct ssl_ctx_st;

namespace varve::tls {

// Paths of PEM files; empty: none.
struct Files {
  std::string certificate;  // with the chain behind it
  std::string key;          // without a passphrase
  std::string authorities;  // who may have signed the other end's certificate
};

// Immutable and thread-safe. Sessions keep it alive.
class Context {
 public:
  // For servers: `certificate` and `key` are needed. With `authorities` clients must show a certificate, too.
  // kInvalidArgument says which file is wrong and why.
  static Result<std::shared_ptr<const Context>> ForServer(const Files& files);
  // For clients, who always check the server's certificate and its name: without `authorities` against the
  // system's.
  static Result<std::shared_ptr<const Context>> ForClient(const Files& files);

  bool is_server() const { return is_server_; }
  ssl_ctx_st* handle() const { return handle_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* handle) const;
  };
  explicit Context(bool is_server);
  static Result<std::shared_ptr<Context>> Make(const Files& files, bool is_server);

  const bool is_server_;
  std::unique_ptr<ssl_ctx_st, Free> handle_;
};

}  // namespace varve::tls

#endif  // VARVE_TLS_CONTEXT_H_
