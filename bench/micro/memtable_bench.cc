// One memtable on one core: 500,000 entries of 16-byte keys and 100-byte values.
//
// Keys: 0 = random binary, 1 = random "%016d", 2 = ascending "%016d". Reads take the keys in an
// order that has nothing to do with that of the additions.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "engine/chunk_pool.h"
#include "engine/memtable.h"
#include "env/env.h"

namespace varve {
namespace {

constexpr size_t kEntries = 500000;
constexpr size_t kKeyBytes = 16;
constexpr size_t kMemtableBytes = size_t{64} << 20;
const std::string kValue(100, 'v');

enum KeyKind : int64_t { kRandomBinary, kRandomDecimal, kAscendingDecimal };

// Keys of kKeyBytes each, one after the other, and their hashes.
class Keys {
 public:
  // The same keys in another order.
  Keys Shuffled() const {
    Keys shuffled = *this;
    Random random(5);
    for (size_t i = kEntries - 1; i > 0; --i) {
      const size_t j = random.Uniform(i + 1);
      std::swap(shuffled.hashes_[i], shuffled.hashes_[j]);
      char* bytes = shuffled.bytes_.data();
      std::swap_ranges(bytes + i * kKeyBytes, bytes + (i + 1) * kKeyBytes, bytes + j * kKeyBytes);
    }
    return shuffled;
  }
  Keys(KeyKind kind, uint64_t seed) {
    Random random(seed);
    bytes_.resize(kEntries * kKeyBytes);
    for (size_t i = 0; i < kEntries; ++i) {
      char buffer[kKeyBytes + 1];
      const uint64_t words[2] = {random.Next(), random.Next()};
      if (kind == kRandomBinary) {
        std::memcpy(buffer, words, kKeyBytes);
      } else {
        const uint64_t number = kind == kRandomDecimal ? words[0] % 100000000 : i;
        std::snprintf(buffer, sizeof(buffer), "%016llu", static_cast<unsigned long long>(number));
      }
      std::memcpy(&bytes_[i * kKeyBytes], buffer, kKeyBytes);
      hashes_.push_back(Hash64({buffer, kKeyBytes}));
    }
  }
  std::string_view key(size_t i) const { return {&bytes_[i * kKeyBytes], kKeyBytes}; }
  uint64_t hash(size_t i) const { return hashes_[i]; }

 private:
  std::string bytes_;
  std::vector<uint64_t> hashes_;
};

void Fill(const Keys& keys, MemTable* memtable) {
  for (size_t i = 0; i < kEntries; ++i) {
    memtable->Add(i + 1, EntryKind::kValue, keys.key(i), kValue, keys.hash(i));
  }
}

// The keys, and a full memtable of them. Memory that was used before, as the store's is after its
// start.
struct FullMemTable {
  explicit FullMemTable(KeyKind kind)
      : keys(kind, 1),
        pool(Env::Default(), 128),
        memtable(MemTable::Create(&pool, kMemtableBytes)) {
    Fill(keys, memtable);
  }
  ~FullMemTable() { memtable->Unref(); }

  Keys keys;
  ChunkPool pool;
  MemTable* memtable;
};

void ReportPerEntry(benchmark::State& state, uint64_t entries) {
  state.SetItemsProcessed(static_cast<int64_t>(entries));
  state.counters["per_entry"] = benchmark::Counter(
      static_cast<double>(entries), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_Add(benchmark::State& state) {
  FullMemTable full(static_cast<KeyKind>(state.range(0)));
  size_t bytes = 0;
  for (auto _ : state) {
    full.memtable->Unref();
    full.memtable = MemTable::Create(&full.pool, kMemtableBytes);
    Fill(full.keys, full.memtable);
    bytes = full.memtable->memory_bytes();
  }
  ReportPerEntry(state, state.iterations() * kEntries);
  state.counters["bytes_per_entry"] = static_cast<double>(bytes) / kEntries;
}
BENCHMARK(BM_Add)
    ->Arg(kRandomBinary)
    ->Arg(kRandomDecimal)
    ->Arg(kAscendingDecimal)
    ->Unit(benchmark::kMillisecond);

void BM_GetPresent(benchmark::State& state) {
  const FullMemTable full(static_cast<KeyKind>(state.range(0)));
  const Keys keys = full.keys.Shuffled();
  uint64_t found = 0, gets = 0;
  Entry entry;
  for (auto _ : state) {
    const size_t i = gets++ % kEntries;
    found += full.memtable->Get(keys.key(i), keys.hash(i), kMaxSequence, &entry);
  }
  if (found != gets) state.SkipWithError("a key is missing");
  ReportPerEntry(state, gets);
}
BENCHMARK(BM_GetPresent)->Arg(kRandomBinary)->Arg(kRandomDecimal)->Arg(kAscendingDecimal);

void BM_GetAbsent(benchmark::State& state) {
  FullMemTable full(kRandomBinary);
  const Keys absent(kRandomBinary, 99);
  Entry entry;
  uint64_t found = 0, gets = 0;
  for (auto _ : state) {
    const size_t i = gets++ % kEntries;
    found += full.memtable->Get(absent.key(i), absent.hash(i), kMaxSequence, &entry);
  }
  if (found != 0) state.SkipWithError("an absent key was found");
  ReportPerEntry(state, gets);
}
BENCHMARK(BM_GetAbsent);

// Touches the key of each entry, as a merge does.
template <bool kForward>
void BM_Scan(benchmark::State& state) {
  FullMemTable full(static_cast<KeyKind>(state.range(0)));
  uint64_t entries = 0, sum = 0;
  for (auto _ : state) {
    MemTable::Cursor cursor(full.memtable);
    if constexpr (kForward) {
      for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next(), ++entries) {
        sum += static_cast<unsigned char>(cursor.entry().key.back());
      }
    } else {
      for (cursor.SeekToLast(); cursor.Valid(); cursor.Prev(), ++entries) {
        sum += static_cast<unsigned char>(cursor.entry().key.back());
      }
    }
  }
  benchmark::DoNotOptimize(sum);
  ReportPerEntry(state, entries);
}
BENCHMARK(BM_Scan<true>)
    ->Name("BM_ScanForward")
    ->Arg(kRandomBinary)
    ->Arg(kRandomDecimal)
    ->Arg(kAscendingDecimal)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Scan<false>)
    ->Name("BM_ScanBackward")
    ->Arg(kRandomBinary)
    ->Arg(kAscendingDecimal)
    ->Unit(benchmark::kMillisecond);

void BM_Seek(benchmark::State& state) {
  const FullMemTable full(static_cast<KeyKind>(state.range(0)));
  const Keys keys = full.keys.Shuffled();
  MemTable::Cursor cursor(full.memtable);
  uint64_t seeks = 0, sum = 0;
  for (auto _ : state) {
    cursor.Seek(keys.key(seeks++ % kEntries), kMaxSequence);
    sum += cursor.entry().sequence;
  }
  benchmark::DoNotOptimize(sum);
  ReportPerEntry(state, seeks);
}
BENCHMARK(BM_Seek)->Arg(kRandomBinary)->Arg(kRandomDecimal);

// Gets of one thread while another adds. Shows that neither stands in the other's way.
void BM_GetWhileAdding(benchmark::State& state) {
  FullMemTable full(kRandomBinary);
  const Keys more(kRandomBinary, 7);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> added{0};
  std::thread writer([&] {
    for (uint64_t n = 0; !stop.load(std::memory_order_relaxed) && n < 4 * kEntries; ++n) {
      full.memtable->Add(kEntries + n + 1, EntryKind::kValue, more.key(n % kEntries), kValue,
                         more.hash(n % kEntries));
      added.store(n, std::memory_order_relaxed);
    }
  });
  const Keys keys = full.keys.Shuffled();
  Entry entry;
  uint64_t found = 0, gets = 0;
  for (auto _ : state) {
    const size_t i = gets++ % kEntries;
    found += full.memtable->Get(keys.key(i), keys.hash(i), kMaxSequence, &entry);
  }
  stop = true;
  writer.join();
  if (found != gets) state.SkipWithError("a key is missing");
  ReportPerEntry(state, gets);
  state.counters["added"] = static_cast<double>(added.load());
}
BENCHMARK(BM_GetWhileAdding);

}  // namespace
}  // namespace varve
