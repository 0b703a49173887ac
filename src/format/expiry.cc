#include "format/expiry.h"

#include <bit>

namespace varve {

uint64_t ExpirySummary::ExpiredBytes(uint64_t now) const {
  uint64_t bytes = 0;
  for (const Share& share : shares) {
    if (share.until > now) break;
    bytes += share.bytes;
  }
  return bytes;
}

size_t ExpirySummaryBuilder::BucketOf(uint64_t distance) {
  if (distance < 4) return static_cast<size_t>(distance);
  const size_t log = static_cast<size_t>(std::bit_width(distance)) - 1;
  return (log - 1) * 4 + ((distance >> (log - 2)) & 3);
}

uint64_t ExpirySummaryBuilder::LastOf(size_t bucket) {
  if (bucket < 4) return bucket;
  return ((4 + bucket % 4 + 1) << (bucket / 4 - 1)) - 1;
}

void ExpirySummaryBuilder::Add(uint64_t deadline, uint64_t bytes) {
  ++count_;
  min_ = std::min(min_, deadline);
  max_ = std::max(max_, deadline);
  bytes_[BucketOf(deadline - std::min(deadline, now_))] += bytes;
}

ExpirySummary ExpirySummaryBuilder::Finish() const {
  ExpirySummary summary;
  if (count_ == 0) return summary;
  summary.entry_count = count_;
  summary.min_deadline = min_;
  summary.max_deadline = max_;
  for (size_t i = 0; i < kBuckets; ++i) {
    if (bytes_[i] == 0) continue;
    summary.shares.push_back({std::min(now_ + LastOf(i), max_), bytes_[i]});
  }
  return summary;
}

void AppendExpirySummary(const ExpirySummary& summary, std::string* to) {
  AppendVarint(to, summary.entry_count);
  AppendVarint(to, summary.min_deadline);
  AppendVarint(to, summary.max_deadline - summary.min_deadline);
  AppendVarint(to, summary.shares.size());
  uint64_t before = 0;
  for (const ExpirySummary::Share& share : summary.shares) {
    AppendVarint(to, share.until - before);
    AppendVarint(to, share.bytes);
    before = share.until;
  }
}

bool ConsumeExpirySummary(std::string_view* from, ExpirySummary* summary) {
  uint64_t span, count;
  if (!ConsumeVarint(from, &summary->entry_count) || !ConsumeVarint(from, &summary->min_deadline) ||
      !ConsumeVarint(from, &span) || !ConsumeVarint(from, &count) || summary->entry_count == 0 ||
      summary->min_deadline > kMaxDeadline || span > kMaxDeadline - summary->min_deadline ||
      count > from->size() / 2) {
    return false;
  }
  summary->max_deadline = summary->min_deadline + span;
  summary->shares.resize(count);
  uint64_t before = 0;
  for (ExpirySummary::Share& share : summary->shares) {
    uint64_t later;
    if (!ConsumeVarint(from, &later) || !ConsumeVarint(from, &share.bytes) ||
        later > summary->max_deadline - before) {
      return false;
    }
    share.until = before += later;
  }
  return true;
}

}  // namespace varve
