#include "node/packer.h"

#include <string_view>

#include "base/planted_bug.h"

namespace varve::node {

bool Packer::Fill(Nanos now, Channel* channel) {
  while (channel->pending_bytes() < kFillBytes) {
    taken_.clear();
    outbox_->TakeSmall(peer_, now, kPieceBytes, &taken_);
    for (const Message& message : taken_) channel->SendMessage(message.bytes, message.deadline, now);
    sent_ += taken_.size();
    if (!FillPiece(now, channel) && taken_.empty()) return false;
  }
  return true;
}

// The next piece of a large message. False: there is none.
bool Packer::FillPiece(Nanos now, Channel* channel) {
  if (!large_) {
    large_ = outbox_->TakeLarge(peer_, now);
    offset_ = 0;
    if (!large_) return false;
  }
  if (offset_ > 0 && large_->deadline != 0 && large_->deadline <= now) {
    channel->SendAbandon();
    large_.reset();
    return true;
  }
  const std::string_view piece = std::string_view(large_->bytes).substr(offset_, kPieceBytes);
  if (offset_ == 0) {
    channel->SendFirstPiece(piece, large_->bytes.size(), large_->deadline, now);
  } else if (!VARVE_PLANTED_BUG("packer.loses_a_piece")) {
    channel->SendPiece(piece);
  }
  offset_ += piece.size();
  if (offset_ < large_->bytes.size()) return true;
  large_.reset();
  ++sent_;
  return true;
}

}  // namespace varve::node
