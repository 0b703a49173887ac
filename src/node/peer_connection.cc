#include "node/peer_connection.h"

#include <optional>

#include "base/status_macros.h"

namespace varve::node {

namespace {
// Reads in one go, of a scratch buffer each.
constexpr int kMaxReads = 4;
}  // namespace

Status PeerConnection::Read(std::span<char> scratch, Nanos now) {
  for (int i = 0; i < kMaxReads; ++i) {
    VARVE_ASSIGN_OR_RETURN(const std::optional<size_t> size, socket_.Read(scratch.data(), scratch.size()));
    if (!size) return Status::Ok();
    if (*size == 0) return Status::Unavailable("the other end has closed");
    last_heard_ = now;
    counters_->received_bytes.fetch_add(*size, std::memory_order_relaxed);
    VARVE_RETURN_IF_ERROR(channel_->Receive({scratch.data(), *size}, now));
    if (*size < scratch.size()) return Status::Ok();
  }
  return Status::Ok();
}

Status PeerConnection::Flush() {
  VARVE_RETURN_IF_ERROR(channel_->Seal());
  while (!channel_->output().empty()) {
    VARVE_ASSIGN_OR_RETURN(const size_t size, socket_.Write(channel_->output()));
    if (size == 0) break;
    channel_->Taken(size);
    counters_->sent_bytes.fetch_add(size, std::memory_order_relaxed);
  }
  const bool wants_write = !channel_->output().empty();
  if (wants_write != wants_write_) {
    wants_write_ = wants_write;
    poller_->SetWantsWrite(socket_.descriptor(), key_, wants_write);
  }
  return Status::Ok();
}

}  // namespace varve::node
