#include "bench/runner.h"

#include <algorithm>
#include <barrier>
#include <cstdarg>
#include <cstdio>
#include <thread>
#include <vector>

#include "bench/measure.h"

namespace varve::bench {
namespace {

constexpr double kQuietTimeoutSeconds = 300;

}  // namespace

void Lane::Fail(std::string what) {
  error_count_ += 1;
  if (error_.empty()) error_ = std::move(what);
}

void Lane::GetAbsent(const Key& key) {
  const Status status = session->Get(key.view(), &buffer);
  if (status.IsNotFound()) [[likely]]
    return;
  Fail(status.ok() ? "found the absent key " + std::string(key.view()) : status.ToString());
}

bool Runner::Open() {
  EngineOptions options;
  options.dir = spec_.dir;
  options.sync = spec_.sync;
  options.transactions = spec_.transactions;
  options.cache_bytes = spec_.cache_bytes;
  options.data_exceeds_memory = spec_.memory_limit_bytes > 0;
  options.expected_keys = spec_.expected_keys;
  Result<std::unique_ptr<Engine>> engine = spec_.engine->open(options);
  if (!engine.ok()) {
    result_->Fail("open: " + engine.status().ToString());
    return false;
  }
  engine_ = *std::move(engine);
  return true;
}

Pass Runner::Run(int threads, double seconds, const Body& body) {
  const TickClock& clock = TickClock::Get();
  const uint64_t seed = 1000 * ++pass_count_;
  std::vector<std::unique_ptr<Lane>> lanes;
  for (int i = 0; i < threads; ++i) {
    lanes.push_back(std::make_unique<Lane>(spec_, i, seed + static_cast<uint64_t>(i)));
  }
  uint64_t start = 0;
  // The last thread to arrive sets the common start, and nobody leaves before that.
  std::barrier barrier(threads, [&]() noexcept {
    start = clock.Now();
    for (auto& lane : lanes) {
      if (seconds > 0) lane->deadline = start + clock.Ticks(seconds);
    }
  });
  std::vector<std::thread> running;
  for (auto& lane : lanes) {
    running.emplace_back([&, lane = lane.get()] {
      Result<std::unique_ptr<Session>> session = engine_->NewSession();
      lane->Check(session.status());
      barrier.arrive_and_wait();
      if (session.ok()) {
        lane->session = session->get();
        body(*lane);
      }
      lane->finished = clock.Now();
    });
  }
  for (std::thread& thread : running) thread.join();

  Pass pass;
  uint64_t finished = start;
  for (const auto& lane : lanes) {
    finished = std::max(finished, lane->finished);
    MergeLane(*lane, &pass);
  }
  pass.seconds = static_cast<double>(clock.Nanos(start, finished)) * 1e-9;
  return pass;
}

void Runner::MergeLane(const Lane& lane, Pass* pass) {
  pass->put.Merge(lane.put);
  pass->read.Merge(lane.read);
  pass->put_bytes += lane.put_bytes;
  pass->scanned.entry_count += lane.scanned.entry_count;
  pass->scanned.touched += lane.scanned.touched;
  result_->error_count += static_cast<double>(lane.error_count());
  if (result_->error.empty()) result_->error = lane.error();
}

void Runner::WarmUp(const Body& body) {
  Run(1, 0, [](Lane& lane) { lane.Check(lane.session->Scan({}, Lane::kForever, &lane.scanned)); });
  Run(spec_.threads, std::clamp(spec_.seconds / 5, 0.2, 5.0), body);
}

double Runner::QuietDown() {
  const uint64_t start = NowNs();
  const Status flushed = engine_->Flush();
  if (!flushed.ok()) result_->Fail("flush: " + flushed.ToString());
  const Status waited = engine_->WaitForBackgroundWork();
  if (!waited.ok()) result_->Fail("wait for background work: " + waited.ToString());
  if (!WaitUntilIdle(kQuietTimeoutSeconds)) {
    AddLine("not quiet after %.0f s", kQuietTimeoutSeconds);
  }
  const double seconds = static_cast<double>(NowNs() - start) * 1e-9;
  SyncFileSystem(spec_.dir);
  return seconds;
}

void Runner::StartMeasuring() {
  ResetPeakRss();
  cpu_seconds_at_start_ = CpuSeconds();
  written_bytes_at_start_ = WrittenBytes();
}

void Runner::Report(const Pass& pass, Kind kind) {
  RunResult& r = *result_;
  r.seconds = pass.seconds;
  r.operations = static_cast<double>(pass.operations());
  r.score = pass.rate();
  r.put = Latency::Of(pass.put);
  r.read = Latency::Of(pass.read);
  if (kind == Kind::kWrites) r.quiet_seconds = QuietDown();
  if (pass.operations() > 0) {
    r.cpu_seconds_per_operation = (CpuSeconds() - cpu_seconds_at_start_) / r.operations;
  }
  if (pass.put_bytes > 0) {
    r.bytes_written_per_byte_put = static_cast<double>(WrittenBytes() - written_bytes_at_start_) /
                                   static_cast<double>(pass.put_bytes);
  }
  r.peak_rss_bytes = static_cast<double>(PeakRssBytes());
  r.disk_bytes = static_cast<double>(DiskBytes(spec_.dir));
}

void Runner::AddLine(const char* format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  result_->lines.emplace_back(text);
}

}  // namespace varve::bench
