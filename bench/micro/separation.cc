// varve_separation DIR: what it costs to keep values of a size within the runs, and apart from them
// (docs/design/0004-value-separation.md). Each store gets 512 MiB of values in random order, then as many
// overwrites, comes to rest, and is read at random and in order.

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "base/random.h"
#include "engine/tuning.h"
#include "varve/varve.h"

namespace varve {
namespace {

constexpr uint64_t kDataBytes = uint64_t{512} << 20;
constexpr int kGets = 100'000;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string KeyOf(uint64_t i) {
  char key[17];
  std::snprintf(key, sizeof(key), "%016llx", static_cast<unsigned long long>(i * 0x9e3779b97f4a7c15));
  return {key, 16};
}

Status Measure(const std::string& dir, size_t value_bytes, bool apart) {
  std::filesystem::remove_all(dir);
  Options options;
  Tuning tuning = Tuning::FromOptions(options);
  tuning.separation_threshold_bytes = apart ? 4096 : size_t{1} << 30;
  auto opened = OpenTuned(dir, options, tuning);
  if (!opened.ok()) return opened.status();
  Db& db = **opened;
  Random random(1);
  std::string value(value_bytes, '\0');
  for (char& byte : value) byte = static_cast<char>(random.Next());
  const uint64_t keys = kDataBytes / value_bytes;
  double start = Seconds();
  for (uint64_t i = 0; i < 2 * keys; ++i) {
    Status status = db.Put(KeyOf(i < keys ? i : random.Uniform(keys)), value);
    if (!status.ok()) return status;
  }
  const double put = (Seconds() - start) / static_cast<double>(2 * keys);
  Status status = db.Flush();
  if (status.ok()) status = db.WaitForBackgroundWork();
  if (!status.ok()) return status;
  const double written = (Seconds() - start) / static_cast<double>(2 * keys);

  std::string found;
  double get = 0;
  for (int round = 0; round < 2; ++round) {  // the first one warms up
    start = Seconds();
    for (int i = 0; i < kGets; ++i) {
      status = db.Get(KeyOf(random.Uniform(keys)), &found);
      if (!status.ok()) return status;
    }
    get = (Seconds() - start) / kGets;
  }
  start = Seconds();
  uint64_t bytes = 0;
  const auto it = db.NewIterator();
  for (it->SeekToFirst(); it->Valid(); it->Next()) bytes += it->value().size();
  const double scan = (Seconds() - start) / static_cast<double>(keys);
  const Statistics stats = db.Stats();
  std::printf("%8zu %-7s %9.2f %9.2f %9.2f %9.2f %9.2f %9.2f\n", value_bytes, apart ? "apart" : "within",
              put * 1e6, written * 1e6, get * 1e6, scan * 1e6, stats.WriteAmplification(),
              static_cast<double>(stats.segment_bytes + stats.value_log_bytes) / static_cast<double>(kDataBytes));
  std::fflush(stdout);
  return bytes == keys * value_bytes ? it->status() : Status::Corruption("the scan has missed something");
}

int Run(const std::string& dir) {
  std::printf("microseconds an operation; bytes written per byte put; bytes on disk per live byte\n");
  std::printf("%8s %-7s %9s %9s %9s %9s %9s %9s\n", "value", "kept", "put", "to rest", "get", "scan",
              "written", "disk");
  for (const size_t value_bytes : {size_t{4096}, size_t{8192}, size_t{16384}, size_t{65536}}) {
    for (const bool apart : {false, true}) {
      const Status status = Measure(dir, value_bytes, apart);
      std::filesystem::remove_all(dir);
      if (status.ok()) continue;
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  if (argc == 2 && argv[1][0] != '-') return varve::Run(argv[1]);
  std::fprintf(stderr, "usage: varve_separation DIR, a directory that is made and removed\n");
  return 2;
}
