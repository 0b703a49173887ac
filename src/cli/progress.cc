#include "cli/progress.h"

#include <algorithm>
#include <cstdio>

#include "cli/text.h"

namespace varve::cli {
namespace {

constexpr uint64_t kNanosBetweenDraws = 100'000'000;
constexpr int kLongestBar = 30;
constexpr int kShortestBar = 5;
constexpr std::string_view kEraseLine = "\r\x1b[K";

std::string Clock(double seconds) {
  const auto whole = static_cast<unsigned long long>(seconds + 0.5);
  char buffer[48];
  if (whole < 3600) {
    std::snprintf(buffer, sizeof(buffer), "%llu:%02llu", whole / 60, whole % 60);
  } else {
    std::snprintf(buffer, sizeof(buffer), "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60,
                  whole % 60);
  }
  return buffer;
}

std::string Bar(double fraction, int length) {
  const int filled = static_cast<int>(fraction * length);
  std::string bar("[");
  bar.append(static_cast<size_t>(filled), '#');
  bar.append(static_cast<size_t>(length - filled), '.');
  return bar + "]";
}

}  // namespace

std::string RenderProgress(std::string_view activity, const ProgressState& state, int width) {
  const double seconds = static_cast<double>(state.elapsed_nanos) / 1e9;
  std::string head(activity);
  const uint64_t count = state.counts_bytes ? state.done : state.records;
  const auto show = state.counts_bytes ? HumanBytes : WithThousands;
  std::string tail = show(count) + (state.counts_bytes ? "" : " records");
  if (seconds > 0) {
    tail += "  " + show(static_cast<uint64_t>(static_cast<double>(count) / seconds)) + "/s";
  }
  if (state.total == 0) return head + "  " + tail;

  const double fraction =
      std::min(1.0, static_cast<double>(state.done) / static_cast<double>(state.total));
  char percent[16];
  std::snprintf(percent, sizeof(percent), " %3d %%", static_cast<int>(fraction * 100));
  head += percent;
  if (fraction > 0 && seconds > 0) tail += "  " + Clock(seconds / fraction - seconds) + " left";
  // Two brackets, and a space on either side.
  const int room = width - static_cast<int>(head.size() + tail.size()) - 5;
  if (room < kShortestBar) return head + "  " + tail;
  return head + " " + Bar(fraction, std::min(room, kLongestBar)) + " " + tail;
}

Progress::Progress(const Console& console, Words words, uint64_t total, bool lines)
    : console_(console),
      words_(words),
      total_(total),
      lines_(lines),
      started_at_(console.now_nanos()),
      drawn_at_(started_at_) {}

Progress::~Progress() {
  if (is_drawn_) console_.err << kEraseLine << std::flush;
}

void Progress::Update(uint64_t records, uint64_t done) {
  if (lines_) {
    console_.err << words_.past << " " << (words_.counts_bytes ? done : records)
                 << (words_.counts_bytes ? " bytes\n" : " records\n") << std::flush;
    return;
  }
  if (!console_.err_is_terminal) return;
  const uint64_t now = console_.now_nanos();
  if (now - drawn_at_ < kNanosBetweenDraws) return;
  drawn_at_ = now;
  is_drawn_ = true;
  const ProgressState state{.records = records,
                            .done = done,
                            .total = total_,
                            .elapsed_nanos = now - started_at_,
                            .counts_bytes = words_.counts_bytes};
  console_.err << kEraseLine << RenderProgress(words_.activity, state, console_.width)
               << std::flush;
}

}  // namespace varve::cli
