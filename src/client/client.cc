#include "client/client.h"

#include <algorithm>
#include <array>

#include "base/status_macros.h"

namespace varve::client {

namespace {

constexpr size_t kReadBytes = size_t{64} * 1024;

uint64_t Nanos(std::chrono::milliseconds time) {
  return static_cast<uint64_t>(std::max<int64_t>(time.count(), 0)) * 1'000'000;
}

std::string Seconds(std::chrono::milliseconds time) {
  const int64_t millis = time.count();
  return millis % 1000 == 0 ? std::to_string(millis / 1000) + " s" : std::to_string(millis) + " ms";
}

bool StartsWithOneOf(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return text.starts_with(start); });
}

Result<StreamSocket> Dial(const Endpoint& endpoint, const ClientOptions& options) {
  Result<StreamSocket> socket =
      endpoint.unix_path.empty()
          ? StreamSocket::ConnectTcp(endpoint.host, endpoint.port, Nanos(options.connect_timeout))
          : StreamSocket::ConnectUnix(endpoint.unix_path);
  const StatusCode code = socket.status().code();
  if (code != StatusCode::kTimedOut && code != StatusCode::kUnavailable) return socket;
  std::string why(socket.status().message());
  if (code == StatusCode::kTimedOut) {
    why = "no answer within " + Seconds(options.connect_timeout);
  }
  return Status(code, "cannot connect to " + endpoint.Name() + ": " + why);
}

// What a new connection says first.
std::vector<Request> Greeting(const Endpoint& endpoint, const std::string& database) {
  std::vector<Request> requests;
  if (!endpoint.password.empty()) {
    Request& auth = requests.emplace_back(Request{"AUTH"});
    if (!endpoint.user.empty()) auth.push_back(endpoint.user);
    auth.push_back(endpoint.password);
  }
  if (endpoint.database != 0) requests.push_back({"SELECT", database});
  return requests;
}

}  // namespace

Status StatusOf(const Reply& reply) {
  if (!reply.is_error()) return Status::Ok();
  const std::string_view text = reply.text;
  if (StartsWithOneOf(text, {"ERR unknown command", "ERR unknown subcommand"})) {
    return Status::NotSupported(reply.text);
  }
  if (StartsWithOneOf(text, {"LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN",
                             "ERR max number of clients"})) {
    return Status::Unavailable(reply.text);
  }
  if (StartsWithOneOf(text, {"ERR corruption", "CORRUPTION"})) return Status::Corruption(reply.text);
  return Status::InvalidArgument(reply.text);
}

bool IsAuthenticationFailure(const Status& status) {
  return StartsWithOneOf(status.message(),
                         {"NOAUTH ", "WRONGPASS ", "NOPERM ", "DENIED ",
                          "ERR AUTH <password> called without any password",
                          "ERR Client sent AUTH, but no password is set"});
}

void AppendRequest(const Request& request, std::string* bytes) {
  bytes->append("*").append(std::to_string(request.size())).append("\r\n");
  for (const std::string_view argument : request) {
    bytes->append("$").append(std::to_string(argument.size())).append("\r\n");
    bytes->append(argument).append("\r\n");
  }
}

Client::Client(StreamSocket socket, std::string name, const ClientOptions& options)
    : socket_(std::move(socket)), name_(std::move(name)), options_(options) {}

Result<std::unique_ptr<Client>> Client::Connect(const Endpoint& endpoint,
                                                const ClientOptions& options) {
  VARVE_ASSIGN_OR_RETURN(StreamSocket socket, Dial(endpoint, options));
  auto client = std::make_unique<Client>(std::move(socket), endpoint.Name(), options);
  if (endpoint.is_tls) VARVE_RETURN_IF_ERROR(client->BeginTls(endpoint));
  const std::string database = std::to_string(endpoint.database);
  const std::vector<Request> greeting = Greeting(endpoint, database);
  if (greeting.empty()) return client;
  VARVE_ASSIGN_OR_RETURN(const std::vector<Reply> replies, client->Run(greeting));
  for (const Reply& reply : replies) VARVE_RETURN_IF_ERROR(StatusOf(reply));
  return client;
}

Status Client::BeginTls(const Endpoint& endpoint) {
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<const tls::Context> context, tls::Context::ForClient(options_.tls));
  tls_ = tls::Session::Create(std::move(context), endpoint.host);
  if (tls_ == nullptr) return Status::InvalidArgument("no certificate can be for the host " + endpoint.host);
  Status status = tls_->Receive("", &input_, &wire_);
  while (status.ok() && (!tls_->is_established() || has_wire())) {
    std::string_view nothing;
    VARVE_RETURN_IF_ERROR(SendSome(&nothing));
    if (tls_->is_established() && !has_wire()) break;
    VARVE_ASSIGN_OR_RETURN(const bool can_read, AwaitSocket(has_wire()));
    if (can_read) status = ReceiveSome();
  }
  return status;
}

Result<Reply> Client::Call(const Request& request) {
  std::vector<Reply> replies;
  std::string bytes;
  AppendRequest(request, &bytes);
  VARVE_RETURN_IF_ERROR(Exchange(bytes, 1, &replies));
  VARVE_RETURN_IF_ERROR(StatusOf(replies[0]));
  return std::move(replies[0]);
}

Result<std::vector<Reply>> Client::Run(const std::vector<Request>& requests) {
  std::vector<Reply> replies;
  std::string bytes;
  for (const Request& request : requests) AppendRequest(request, &bytes);
  VARVE_RETURN_IF_ERROR(Exchange(bytes, requests.size(), &replies));
  return replies;
}

Result<Reply> Client::Await(uint64_t timeout_nanos) {
  const uint64_t deadline = options_.clock->MonotonicNanos() + timeout_nanos;
  std::vector<Reply> replies;
  while (true) {
    VARVE_RETURN_IF_ERROR(TakeReplies(1, &replies));
    if (!replies.empty()) return std::move(replies[0]);
    const uint64_t now = options_.clock->MonotonicNanos();
    if (now >= deadline) return Status::TimedOut(name_ + ": nothing has come");
    std::vector<SocketWait> waits = {{.socket = &socket_}};
    VARVE_ASSIGN_OR_RETURN(const size_t ready, WaitForSockets(&waits, deadline - now));
    if (ready > 0) VARVE_RETURN_IF_ERROR(ReceiveSome());
  }
}

Status Client::Exchange(std::string_view bytes, size_t count, std::vector<Reply>* replies) {
  if (is_broken_) return Status::Unavailable(name_ + ": the connection is closed");
  while (true) {
    VARVE_RETURN_IF_ERROR(SendSome(&bytes));
    VARVE_RETURN_IF_ERROR(TakeReplies(count, replies));
    if (bytes.empty() && !has_wire() && replies->size() == count) return Status::Ok();
    VARVE_ASSIGN_OR_RETURN(const bool can_read, AwaitSocket(!bytes.empty() || has_wire()));
    if (can_read) VARVE_RETURN_IF_ERROR(ReceiveSome());
  }
}

Result<bool> Client::AwaitSocket(bool wants_to_write) {
  std::vector<SocketWait> waits = {{.socket = &socket_, .wants_to_write = wants_to_write}};
  const bool is_connecting = tls_ != nullptr && !tls_->is_established();
  const auto timeout = is_connecting ? options_.connect_timeout : options_.reply_timeout;
  const uint64_t deadline = options_.clock->MonotonicNanos() + Nanos(timeout);
  while (true) {
    const uint64_t now = options_.clock->MonotonicNanos();
    if (now >= deadline && is_connecting) {
      return Break(Status::TimedOut(name_ + ": TLS has not begun within " + Seconds(timeout)));
    }
    if (now >= deadline) {
      return Break(Status::TimedOut(name_ + ": no answer within " + Seconds(options_.reply_timeout) +
                                    "; whether the server has executed the command is not known"));
    }
    const Result<size_t> waited = WaitForSockets(&waits, deadline - now);
    if (!waited.ok()) return Break(waited.status());
    if (*waited > 0) return waits[0].can_read;
  }
}

Status Client::SendSome(std::string_view* bytes) {
  if (tls_ == nullptr) return WriteSome(bytes);
  if (!bytes->empty()) {
    const Status status = tls_->Send(*bytes, &wire_);
    *bytes = {};
    if (!status.ok()) return Break(status.WithContext(name_));
  }
  std::string_view rest = std::string_view(wire_).substr(wire_sent_);
  VARVE_RETURN_IF_ERROR(WriteSome(&rest));
  wire_sent_ = wire_.size() - rest.size();
  if (rest.empty()) {
    std::string().swap(wire_);
    wire_sent_ = 0;
  }
  return Status::Ok();
}

Status Client::WriteSome(std::string_view* bytes) {
  while (!bytes->empty()) {
    const Result<size_t> done = socket_.Write(*bytes);
    // A server that refuses says why before it closes: what it has sent can still be read.
    if (!done.ok() && input_.size() == consumed_ && ReceiveSome().ok()) {
      *bytes = {};
      return Status::Ok();
    }
    if (!done.ok()) return Break(done.status().WithContext(name_));
    if (*done == 0) break;
    bytes->remove_prefix(*done);
  }
  return Status::Ok();
}

Status Client::ReceiveSome() {
  if (consumed_ > 0) {
    input_.erase(0, consumed_);
    consumed_ = 0;
  }
  const size_t before = input_.size();
  // Room in proportion to what is there: a large reply comes in large pieces.
  std::string encrypted;
  std::string& target = tls_ == nullptr ? input_ : encrypted;
  const size_t begin = target.size();
  target.resize(begin + std::max(kReadBytes, before / 2));
  const Result<std::optional<size_t>> got = socket_.Read(target.data() + begin, target.size() - begin);
  target.resize(begin + (got.ok() ? got->value_or(0) : 0));
  if (!got.ok()) return Break(got.status().WithContext(name_));
  bool has_ended = got->has_value() && **got == 0;
  if (tls_ != nullptr && !encrypted.empty()) {
    const Status status = tls_->Receive(encrypted, &input_, &wire_);
    if (!status.ok()) return Break(status.WithContext(name_));
    has_ended = tls_->has_ended() && input_.size() == before;
  }
  if (has_ended) return Break(Status::Unavailable(name_ + ": the server has closed the connection"));
  return Status::Ok();
}

Status Client::TakeReplies(size_t count, std::vector<Reply>* replies) {
  using Outcome = resp::ReplyParser::Outcome;
  while (replies->size() < count && consumed_ < input_.size()) {
    Reply reply;
    const Outcome outcome = parser_.Parse(std::string_view(input_).substr(consumed_), &reply);
    if (outcome == Outcome::kNeedMore) break;
    if (outcome == Outcome::kError) {
      return Break(Status::Unavailable(name_ + " does not speak the protocol: " +
                                       std::string(parser_.error())));
    }
    consumed_ += parser_.consumed();
    replies->push_back(std::move(reply));
  }
  return Status::Ok();
}

Status Client::Break(Status status) {
  is_broken_ = true;
  return status;
}

}  // namespace varve::client
