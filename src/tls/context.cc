#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve::tls {

namespace {

// TLS 1.2 with forward secrecy and authenticated encryption; what 1.3 has is all right.
constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

// What went wrong first, and nothing left for the next call.
std::string TakeError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

Status Wrong(const std::string& what, const std::string& file) {
  return Status::InvalidArgument("TLS: " + what + " " + file + ": " + TakeError());
}

// A server must not stand still because a key wants a passphrase typed.
int NoPassphrase(char*, int, int, void*) { return 0; }

}  // namespace

void Context::Free::operator()(ssl_ctx_st* handle) const { SSL_CTX_free(handle); }

Context::Context(bool is_server)
    : is_server_(is_server), handle_(SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method())) {}

Result<std::shared_ptr<Context>> Context::Make(const Files& files, bool is_server) {
  ERR_clear_error();
  std::shared_ptr<Context> context(new Context(is_server));
  SSL_CTX* const handle = context->handle();
  if (handle == nullptr || SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(handle, kCiphers) != 1) {
    return Status::NotSupported("TLS: " + TakeError());
  }
  // Nothing is resumed: what was allowed by certificates that have been replaced ends with its connection.
  SSL_CTX_set_options(handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                  SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(handle, 0);
  SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_OFF);
  // Connections that are idle hold no buffers.
  SSL_CTX_set_mode(handle, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(handle, NoPassphrase);
  if (!files.certificate.empty() &&
      SSL_CTX_use_certificate_chain_file(handle, files.certificate.c_str()) != 1) {
    return Wrong("certificate", files.certificate);
  }
  if (!files.key.empty() && SSL_CTX_use_PrivateKey_file(handle, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool is_anothers = ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;
    return Wrong(is_anothers ? "the certificate " + files.certificate + " has not the key" : "key", files.key);
  }
  if (!files.authorities.empty() &&
      SSL_CTX_load_verify_locations(handle, files.authorities.c_str(), nullptr) != 1) {
    return Wrong("authorities", files.authorities);
  }
  return context;
}

Result<std::shared_ptr<const Context>> Context::ForServer(const Files& files) {
  if (files.certificate.empty() || files.key.empty()) {
    return Status::InvalidArgument("TLS: a server needs a certificate and its key");
  }
  VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<Context> context, Make(files, /*is_server=*/true));
  if (!files.authorities.empty()) {
    const int must_show = VARVE_PLANTED_BUG("tls.certificate_is_optional") ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context->handle(), SSL_VERIFY_PEER | must_show, nullptr);
    // Clients are told whose certificates are wanted.
    SSL_CTX_set_client_CA_list(context->handle(), SSL_load_client_CA_file(files.authorities.c_str()));
  }
  return std::shared_ptr<const Context>(context);
}

Result<std::shared_ptr<const Context>> Context::ForClient(const Files& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return Status::InvalidArgument("TLS: a certificate and its key come together");
  }
  VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<Context> context, Make(files, /*is_server=*/false));
  if (files.authorities.empty() && SSL_CTX_set_default_verify_paths(context->handle()) != 1) {
    return Wrong("authorities", "of the system");
  }
  SSL_CTX_set_verify(context->handle(), SSL_VERIFY_PEER, nullptr);
  return std::shared_ptr<const Context>(context);
}

}  // namespace varve::tls
