#include "client/load_generator.h"

#include <algorithm>

#include "base/status_macros.h"

namespace varve::client {

namespace {

constexpr size_t kLoadReadBytes = size_t{64} * 1024;
// A wait shorter than this ends too late more often than not: the loop turns without one instead.
constexpr uint64_t kShortestWaitNanos = 100'000;
constexpr uint64_t kLongestWaitNanos = 100'000'000;

}  // namespace

uint64_t LoadResult::Count() const {
  uint64_t count = 0;
  for (const LoadKindResult& kind : kinds) count += kind.latency_nanos.count();
  return count;
}

LoadGenerator::LoadGenerator(std::vector<StreamSocket> sockets, LoadSource* source, Clock* clock)
    : source_(source), clock_(clock) {
  for (StreamSocket& socket : sockets) connections_.push_back({.socket = std::move(socket)});
}

Result<LoadResult> LoadGenerator::Run(const LoadOptions& options) {
  options_ = options;
  result_ = LoadResult();
  result_.kinds.resize(source_->kind_count());
  added_ = 0;
  started_at_ = last_reply_at_ = clock_->MonotonicNanos();
  while (true) {
    const uint64_t now = clock_->MonotonicNanos();
    uint64_t idle = kLongestWaitNanos;
    if (options_.rate > 0) {
      idle = AddDue(now);
    } else {
      for (Connection& connection : connections_) {
        if (!connection.in_flight.empty()) continue;
        for (size_t i = 0; i < options_.pipeline && MaySend(now); ++i) Add(&connection, now);
      }
    }
    if (!HasInFlight()) {
      if (!MaySend(now)) break;
      last_reply_at_ = now;
    }
    if (now - std::min(now, last_reply_at_) > options_.reply_timeout_nanos) {
      return Status::TimedOut("no reply came in time");
    }
    VARVE_RETURN_IF_ERROR(Turn(idle < kShortestWaitNanos ? 0 : std::min(idle, kLongestWaitNanos)));
  }
  result_.elapsed_nanos = last_reply_at_ - started_at_;
  return std::move(result_);
}

bool LoadGenerator::MaySend(uint64_t now) const {
  if (options_.requests != 0 && added_ >= options_.requests) return false;
  return options_.duration_nanos == 0 || now - started_at_ < options_.duration_nanos;
}

void LoadGenerator::Add(Connection* connection, uint64_t since) {
  connection->in_flight.push_back({since, source_->Append(&connection->output)});
  ++added_;
}

uint64_t LoadGenerator::AddDue(uint64_t now) {
  while (true) {
    const double offset = static_cast<double>(added_) * 1e9 / options_.rate;
    const uint64_t due = started_at_ + static_cast<uint64_t>(offset);
    // What came due before the end is sent, however late.
    if (!MaySend(due)) return kLongestWaitNanos;
    if (due > now) return due - now;
    Add(&connections_[added_ % connections_.size()], due);
  }
}

bool LoadGenerator::HasInFlight() const {
  return std::any_of(connections_.begin(), connections_.end(),
                     [](const Connection& connection) { return !connection.in_flight.empty(); });
}

Status LoadGenerator::Turn(uint64_t timeout_nanos) {
  std::vector<SocketWait> waits;
  waits.reserve(connections_.size());
  for (Connection& connection : connections_) {
    VARVE_RETURN_IF_ERROR(Send(&connection));
    waits.push_back({.socket = &connection.socket, .wants_to_write = !connection.output.empty()});
  }
  VARVE_RETURN_IF_ERROR(WaitForSockets(&waits, timeout_nanos).status());
  for (size_t i = 0; i < waits.size(); ++i) {
    if (waits[i].can_read) VARVE_RETURN_IF_ERROR(Receive(&connections_[i]));
  }
  return Status::Ok();
}

Status LoadGenerator::Send(Connection* connection) {
  std::string& output = connection->output;
  while (connection->sent < output.size()) {
    const auto rest = std::string_view(output).substr(connection->sent);
    VARVE_ASSIGN_OR_RETURN(const size_t done, connection->socket.Write(rest));
    if (done == 0) return Status::Ok();
    connection->sent += done;
    result_.sent_bytes += done;
  }
  output.clear();
  connection->sent = 0;
  return Status::Ok();
}

Status LoadGenerator::Receive(Connection* connection) {
  std::string& input = connection->input;
  const size_t before = input.size();
  input.resize(before + kLoadReadBytes);
  const auto got = connection->socket.Read(input.data() + before, kLoadReadBytes);
  input.resize(before + (got.ok() ? got->value_or(0) : 0));
  if (!got.ok()) return got.status();
  if (got->has_value() && **got == 0) {
    return Status::Unavailable("the server has closed a connection");
  }
  result_.received_bytes += got->value_or(0);
  return TakeReplies(connection, clock_->MonotonicNanos());
}

Status LoadGenerator::TakeReplies(Connection* connection, uint64_t now) {
  using Outcome = resp::ReplyParser::Outcome;
  size_t consumed = 0;
  const std::string_view input = connection->input;
  while (consumed < input.size()) {
    resp::Reply reply;
    const Outcome outcome = connection->parser.Parse(input.substr(consumed), &reply);
    if (outcome == Outcome::kNeedMore) break;
    if (outcome == Outcome::kError || connection->in_flight.empty()) {
      return Status::Unavailable("the server does not speak the protocol");
    }
    consumed += connection->parser.consumed();
    const InFlight request = connection->in_flight.front();
    connection->in_flight.pop_front();
    LoadKindResult& kind = result_.kinds[request.kind];
    kind.latency_nanos.Record(now - std::min(now, request.since));
    if (reply.type == resp::Reply::Type::kNull) ++kind.nulls;
    if (reply.is_error()) {
      ++kind.errors;
      if (result_.first_error.empty()) result_.first_error = reply.text;
    }
    last_reply_at_ = now;
  }
  connection->input.erase(0, consumed);
  return Status::Ok();
}

}  // namespace varve::client
