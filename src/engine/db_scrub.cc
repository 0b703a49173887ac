// The background scrub of an open store (scrubber.h).
#include "engine/db_impl.h"

namespace varve {

Status DbImpl::StartScrub(const ScrubOptions& options) {
  constexpr uint64_t kMinBytesPerSecond = 4096;
  constexpr uint64_t kMaxBytesPerSecond = uint64_t{1} << 40;
  constexpr std::chrono::milliseconds kMaxInterval = std::chrono::hours(24 * 3650);
  if (options.bytes_per_second < kMinBytesPerSecond || options.bytes_per_second > kMaxBytesPerSecond) {
    return Status::InvalidArgument("ScrubOptions: bytes_per_second must be from 4096 to 2^40");
  }
  if (options.interval.count() < 0 || options.interval > kMaxInterval) {
    return Status::InvalidArgument("ScrubOptions: interval must be from 0 to ten years");
  }
  MutexLock lock(&scrub_mu_);
  if (scrub_ != nullptr && scrub_->state().is_running) {
    return Status::InvalidArgument("a scrub is running");
  }
  ScrubSource source;
  source.env = env_;
  source.hash_salt = context_.hash_salt;
  source.values = &values_;
  source.current = [this] { return versions_.current(); };
  source.check_manifest = [this](uint64_t* bytes) { return versions_.CheckManifest(bytes); };
  source.names = [this] { return NamesOfNamespaces(); };
  source.note_event = [this](std::string_view event) { events_.Add(event); };
  scrub_ = std::make_unique<ScrubThread>(std::move(source), options);
  return scrub_->Start();
}

void DbImpl::StopScrub() {
  MutexLock lock(&scrub_mu_);
  if (scrub_ != nullptr) scrub_->Stop();
}

void DbImpl::EndScrub() {
  MutexLock lock(&scrub_mu_);
  scrub_.reset();
}

ScrubState DbImpl::Scrub() {
  MutexLock lock(&scrub_mu_);
  return scrub_ == nullptr ? ScrubState{} : scrub_->state();
}

std::string DbImpl::ScrubText() {
  const ScrubState state = Scrub();
  std::string text = state.is_running ? "running" : "not running";
  const auto add = [&text](const char* label, uint64_t value) {
    text.append("\n").append(label).append(" ").append(std::to_string(value));
  };
  add("passes", state.pass_count);
  add("files", state.file_count);
  add("bytes", state.byte_count);
  add("vanished", state.vanished_count);
  add("findings", state.findings.size());
  for (const ScrubFinding& finding : state.findings) {
    text.append("\n").append(finding.file).append(" at offset ");
    text.append(std::to_string(finding.offset)).append(": ").append(finding.problem);
  }
  return text.append("\n");
}

}  // namespace varve
