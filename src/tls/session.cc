#include "tls/session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/planted_bug.h"

namespace varve::tls {

namespace {

constexpr size_t kPieceBytes = 16 * 1024;  // of a record

// The certificate must be for this name or address.
bool ExpectHost(SSL* handle, const std::string& host) {
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle), host.c_str()) == 1) return true;
  ERR_clear_error();
  return SSL_set_tlsext_host_name(handle, host.c_str()) == 1 && SSL_set1_host(handle, host.c_str()) == 1;
}

}  // namespace

void Session::Free::operator()(ssl_st* handle) const { SSL_free(handle); }

Session::Session(std::shared_ptr<const Context> context, ssl_st* handle)
    : context_(std::move(context)), handle_(handle) {}

Session::~Session() = default;

std::unique_ptr<Session> Session::Create(std::shared_ptr<const Context> context, const std::string& host) {
  SSL* const handle = SSL_new(context->handle());
  if (handle == nullptr) return nullptr;
  const bool is_server = context->is_server();
  std::unique_ptr<Session> session(new Session(std::move(context), handle));
  BIO* const input = BIO_new(BIO_s_mem());
  BIO* const output = BIO_new(BIO_s_mem());
  if (input == nullptr || output == nullptr) {
    BIO_free(input);
    BIO_free(output);
    return nullptr;
  }
  SSL_set_bio(handle, input, output);  // takes both
  if (is_server) {
    SSL_set_accept_state(handle);
  } else {
    SSL_set_connect_state(handle);
    if (!VARVE_PLANTED_BUG("tls.any_name_will_do") && !ExpectHost(handle, host)) return nullptr;
  }
  return session;
}

bool Session::IsPeer(const std::string& name) const {
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(handle_.get()), X509_free);
  if (shown == nullptr) return false;
  return X509_check_host(shown.get(), name.data(), name.size(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1 ||
         X509_check_ip_asc(shown.get(), name.c_str(), 0) == 1;
}

void Session::TakeWire(std::string* wire) {
  BIO* const output = SSL_get_wbio(handle_.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(output, &data);
  if (size > 0) wire->append(data, static_cast<size_t>(size));
  static_cast<void>(BIO_reset(output));
}

Status Session::Failure() {
  const long verified = SSL_get_verify_result(handle_.get());
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (!is_established_ && verified != X509_V_OK) {
    return Status::Unavailable(std::string("TLS: certificate: ") + X509_verify_cert_error_string(verified));
  }
  const char* const reason = ERR_reason_error_string(code);
  return Status::Unavailable(std::string("TLS: ") + (reason == nullptr ? "the connection is broken" : reason));
}

Status Session::Receive(std::string_view received, std::string* clear, std::string* wire) {
  ERR_clear_error();
  BIO* const input = SSL_get_rbio(handle_.get());
  while (!received.empty()) {
    const int piece = static_cast<int>(std::min(received.size(), size_t{1} << 20));
    if (BIO_write(input, received.data(), piece) != piece) return Status::Unavailable("TLS: no memory");
    received.remove_prefix(static_cast<size_t>(piece));
  }
  int result = is_established_ ? 1 : SSL_do_handshake(handle_.get());
  if (result == 1) {
    is_established_ = true;
    do {
      const size_t before = clear->size();
      clear->resize(before + kPieceBytes);
      size_t size = 0;
      result = SSL_read_ex(handle_.get(), clear->data() + before, kPieceBytes, &size);
      clear->resize(before + (result == 1 ? size : 0));
    } while (result == 1);
  }
  const int error = SSL_get_error(handle_.get(), result);
  TakeWire(wire);
  if (error == SSL_ERROR_WANT_READ) return Status::Ok();
  if (error == SSL_ERROR_ZERO_RETURN) {
    has_ended_ = true;
    return Status::Ok();
  }
  return Failure();
}

Status Session::Send(std::string_view clear, std::string* wire) {
  ERR_clear_error();
  while (!clear.empty()) {
    size_t size = 0;
    if (SSL_write_ex(handle_.get(), clear.data(), std::min(clear.size(), kPieceBytes), &size) != 1) {
      return Failure();
    }
    clear.remove_prefix(size);
    TakeWire(wire);
  }
  return Status::Ok();
}

void Session::Close(std::string* wire) {
  if (!is_established_ || is_closed_) return;
  is_closed_ = true;
  ERR_clear_error();
  static_cast<void>(SSL_shutdown(handle_.get()));
  ERR_clear_error();
  TakeWire(wire);
}

}  // namespace varve::tls
