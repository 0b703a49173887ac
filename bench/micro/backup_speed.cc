// varve_backup_speed DIR [MIB [SECONDS]]: how fast a backup is, and what it costs those who read and write meanwhile.
//
// Fills a store of MIB in DIR. Then, in turns: a plain copy of as many bytes (reads and writes of 1 MiB, and a
// sync), and a backup into a file, while nobody else is at work. Then put and get by one thread, without and
// while backups are taken one after the other.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/histogram.h"
#include "base/random.h"
#include "env/env.h"
#include "varve/db.h"

namespace varve {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr size_t kValueBytes = 1000;
constexpr int kRounds = 5;

uint64_t Now() { return Env::Default()->clock()->MonotonicNanos(); }

void Check(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}
template <typename T>
T Take(Result<T> result) {
  Check(result.status());
  return *std::move(result);
}

std::string KeyOf(uint64_t i) {
  char key[24];
  std::snprintf(key, sizeof(key), "%016llx", static_cast<unsigned long long>(i * 0x9E3779B97F4A7C15ull));
  return key;
}

double MbPerSecond(uint64_t bytes, uint64_t nanos) {
  return static_cast<double>(bytes) / 1e6 / (static_cast<double>(nanos) / 1e9);
}

// Copies the files of the store as they are into one file.
double PlainCopy(const std::string& dir, const std::string& to) {
  Env* const env = Env::Default();
  const uint64_t begin = Now();
  uint64_t written = 0;
  auto file = Take(env->OpenWritable(to, Env::OpenMode::kCreateOrTruncate));
  std::vector<char> piece(kPieceBytes);
  for (const std::string& name : Take(env->ListDir(dir))) {
    if (!name.ends_with(".seg") && !name.ends_with(".val")) continue;
    auto opened = env->OpenRandomAccess(JoinPath(dir, name));
    if (opened.status().IsNotFound()) continue;  // merged, and removed just now
    const auto from = Take(std::move(opened));
    for (uint64_t offset = 0;;) {
      const size_t got = Take(from->Read(offset, piece.size(), piece.data()));
      if (got == 0) break;
      Check(file->Write(written, {piece.data(), got}));
      written += got;
      offset += got;
    }
  }
  Check(file->Sync());
  return MbPerSecond(written, Now() - begin);
}

double OneBackup(Db* db, const std::string& to) {
  const uint64_t begin = Now();
  const auto sink = Take(NewFileBackupSink(to));
  const BackupSummary summary = Take(db->Backup(*sink));
  return MbPerSecond(summary.carried_bytes, Now() - begin);
}

struct Latencies {
  Histogram put, get;
};

// Half of each, on random keys, at a rate that leaves the store time for its merges.
void Drive(Db* db, uint64_t keys, double seconds, Latencies* latencies) {
  Random random(3);
  const std::string value(kValueBytes, 'w');
  std::string found;
  const uint64_t end = Now() + static_cast<uint64_t>(seconds * 1e9);
  for (uint64_t due = Now(); Now() < end; due += 50'000) {
    const uint64_t now = Now();
    if (now < due) Env::Default()->clock()->SleepNanos(due - now);
    const std::string key = KeyOf(random.Uniform(keys));
    uint64_t begin = Now();
    Check(db->Get(key, &found));
    latencies->get.Record(Now() - begin);
    begin = Now();
    Check(db->Put(key, value));
    latencies->put.Record(Now() - begin);
  }
}

void Print(const char* what, const Histogram& without, const Histogram& with) {
  for (const double percent : {50.0, 99.0, 99.9}) {
    const double a = static_cast<double>(without.Percentile(percent)) / 1e3;
    const double b = static_cast<double>(with.Percentile(percent)) / 1e3;
    std::printf("%s p%-5g %10.1f us without, %10.1f us with backups: %.2f\n", what, percent, a, b, b / a);
  }
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: varve_backup_speed DIR [MIB [SECONDS]]\n");
    return 2;
  }
  const std::string base = argv[1];
  const uint64_t mib = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1000;
  const double seconds = argc > 3 ? std::strtod(argv[3], nullptr) : 10;
  Check(Env::Default()->CreateDir(base));
  const std::string dir = JoinPath(base, "store"), copy = JoinPath(base, "copy");
  const auto db = Take(Db::Open(dir, {.memory_budget_bytes = uint64_t{256} << 20, .error_if_exists = true}));
  const uint64_t keys = (mib << 20) / kValueBytes;
  Random random(1);
  for (uint64_t i = 0; i < keys; ++i) {
    std::string value(kValueBytes, '\0');
    for (char& c : value) c = static_cast<char>(random.Next());
    Check(db->Put(KeyOf(i), value));
  }
  Check(db->Compact());
  Check(db->WaitForBackgroundWork());

  std::vector<double> plain, backup;
  for (int round = 0; round < kRounds; ++round) {
    plain.push_back(PlainCopy(dir, copy));
    Check(Env::Default()->RemoveFile(copy));
    backup.push_back(OneBackup(db.get(), copy));
    Check(Env::Default()->RemoveFile(copy));
    std::printf("copy %.0f MB/s, backup %.0f MB/s\n", plain.back(), backup.back());
  }
  std::printf("median: copy %.0f MB/s, backup %.0f MB/s: %.2f\n", Median(plain), Median(backup),
              Median(backup) / Median(plain));

  Latencies without, with;
  std::vector<double> rates;
  for (int round = 0; round < 3; ++round) {
    Drive(db.get(), keys, seconds / 3, &without);
    std::atomic<bool> stop{false};
    std::thread other([&] {
      while (!stop) rates.push_back(OneBackup(db.get(), copy));
    });
    Drive(db.get(), keys, seconds / 3, &with);
    stop = true;
    other.join();
  }
  std::printf("%zu backups meanwhile, median %.0f MB/s\n", rates.size(), Median(rates));
  Print("get", without.get, with.get);
  Print("put", without.put, with.put);
  Check(Env::Default()->RemoveFile(copy));
  return 0;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) { return varve::Main(argc, argv); }
