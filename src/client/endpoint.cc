#include "client/endpoint.h"

#include <charconv>
#include <optional>

#include "base/status_macros.h"

namespace varve::client {

namespace {

constexpr std::string_view kShape = "an address is redis://[[user]:password@]host[:port][/database], rediss:// for TLS, "
                                    "unix:///path, or host:port; ";

Status Refuse(std::string_view why) {
  return Status::InvalidArgument(std::string(kShape) + std::string(why));
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<char> HexByte(std::string_view digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
  return static_cast<char>(value);
}

Result<std::string> Decode(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes.push_back(text[i]);
      continue;
    }
    const std::optional<char> byte = HexByte(text.substr(i + 1, 2));
    if (!byte) return Refuse("a % begins %XX");
    bytes.push_back(*byte);
    i += 2;
  }
  return bytes;
}

Status TakeDatabase(std::string_view text, Endpoint* endpoint) {
  const std::optional<uint32_t> number = ParseNumber<uint32_t>(text);
  if (!number) return Refuse("the database is a number");
  endpoint->database = *number;
  return Status::Ok();
}

// "user:password", from before the '@'. What may be a password appears in no message.
Status TakeUser(std::string_view text, Endpoint* endpoint) {
  const size_t colon = text.find(':');
  if (colon == text.npos) return Refuse("before the @ come a user, a colon and a password");
  VARVE_ASSIGN_OR_RETURN(endpoint->user, Decode(text.substr(0, colon)));
  VARVE_ASSIGN_OR_RETURN(endpoint->password, Decode(text.substr(colon + 1)));
  if (endpoint->password.empty()) return Refuse("the password is empty");
  return Status::Ok();
}

Status TakePort(std::string_view text, Endpoint* endpoint) {
  const std::optional<uint16_t> port = ParseNumber<uint16_t>(text);
  if (!port || *port == 0) return Refuse("the port is a number from 1 to 65535");
  endpoint->port = *port;
  return Status::Ok();
}

// "host", "host:port", "[address]:port"; an empty one stays as it is.
Status TakeHost(std::string_view text, Endpoint* endpoint) {
  if (text.empty()) return Status::Ok();
  size_t end = 0;
  if (text[0] == '[') {
    end = text.find(']');
    if (end == text.npos) return Refuse("an IPv6 address stands in [ and ]");
    endpoint->host = text.substr(1, end - 1);
    ++end;
  } else {
    end = std::min(text.find(':'), text.size());
    if (text.find(':', end + 1) != text.npos) return Refuse("an IPv6 address stands in [ and ]");
    if (end > 0) endpoint->host = text.substr(0, end);
  }
  if (end == text.size()) return Status::Ok();
  if (text[end] != ':') return Refuse("after the host comes : and the port");
  return TakePort(text.substr(end + 1), endpoint);
}

// What follows "redis://".
Result<Endpoint> ParseTcp(std::string_view text) {
  Endpoint endpoint;
  // The last one: a password may hold others.
  const size_t at = text.rfind('@');
  if (at != text.npos) {
    VARVE_RETURN_IF_ERROR(TakeUser(text.substr(0, at), &endpoint));
    text.remove_prefix(at + 1);
  }
  const size_t slash = std::min(text.find('/'), text.size());
  if (text.size() > slash + 1) {
    VARVE_RETURN_IF_ERROR(TakeDatabase(text.substr(slash + 1), &endpoint));
  }
  VARVE_RETURN_IF_ERROR(TakeHost(text.substr(0, slash), &endpoint));
  return endpoint;
}

// What follows "unix://".
Result<Endpoint> ParseUnix(std::string_view text) {
  Endpoint endpoint;
  const size_t slash = text.find('/');
  if (slash == text.npos) return Refuse("a Unix socket has a path from / on");
  if (slash > 0) {
    if (text[slash - 1] != '@') return Refuse("a Unix socket has a path from / on");
    VARVE_RETURN_IF_ERROR(TakeUser(text.substr(0, slash - 1), &endpoint));
    text.remove_prefix(slash);
  }
  const size_t question = std::min(text.find('?'), text.size());
  if (question < text.size()) {
    const std::string_view query = text.substr(question + 1);
    if (!query.starts_with("db=")) return Refuse("after the ? comes db=NUMBER");
    VARVE_RETURN_IF_ERROR(TakeDatabase(query.substr(3), &endpoint));
  }
  VARVE_ASSIGN_OR_RETURN(endpoint.unix_path, Decode(text.substr(0, question)));
  return endpoint;
}

bool TakeScheme(std::string_view scheme, std::string_view* text) {
  if (!text->starts_with(scheme)) return false;
  text->remove_prefix(scheme.size());
  return true;
}

}  // namespace

std::string Endpoint::Name() const {
  if (!unix_path.empty()) return unix_path;
  const bool is_v6 = host.find(':') != host.npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> ParseEndpoint(std::string_view text) {
  if (TakeScheme("rediss://", &text)) {
    VARVE_ASSIGN_OR_RETURN(Endpoint endpoint, ParseTcp(text));
    endpoint.is_tls = true;
    return endpoint;
  }
  if (TakeScheme("redis://", &text)) return ParseTcp(text);
  if (TakeScheme("unix://", &text)) return ParseUnix(text);
  if (text.find("://") != text.npos) return Refuse("this one begins with another word");
  Endpoint endpoint;
  if (text.empty()) return Refuse("this one is empty");
  if (text[0] == '/') {
    endpoint.unix_path = text;
  } else {
    VARVE_RETURN_IF_ERROR(TakeHost(text, &endpoint));
  }
  return endpoint;
}

}  // namespace varve::client
