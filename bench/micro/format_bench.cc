// What building and reading segments costs, an entry at a time, without a file system.
//
// Entries as in the workloads: 16-byte keys, 100-byte values. "ns/entry" and "ns/lookup" are wall
// time of one thread.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "env/env.h"
#include "format/block.h"
#include "format/block_file.h"
#include "format/point_index.h"
#include "format/segment.h"
#include "format/segment_builder.h"
#include "format/wal.h"

namespace varve {
namespace {

constexpr size_t kEntries = 400'000;
constexpr size_t kKeyBytes = 16;
constexpr size_t kValueBytes = 100;
constexpr uint64_t kSalt = 42;
constexpr uint64_t kFileNumber = 7;

// Keeps the bytes in memory that was touched before.
class MemoryFile : public WritableFile, public RandomAccessFile {
 public:
  explicit MemoryFile(size_t capacity) : bytes_(capacity, '\0') {}
  void Clear() { size_ = 0; }
  const char* data() const { return bytes_.data(); }

  Status Write(uint64_t offset, std::string_view data) override {
    if (offset + data.size() > bytes_.size()) bytes_.resize(offset + data.size());
    std::memcpy(bytes_.data() + offset, data.data(), data.size());
    size_ = std::max<uint64_t>(size_, offset + data.size());
    return Status::Ok();
  }
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    const size_t got = std::min<uint64_t>(size, size_ - std::min<uint64_t>(size_, offset));
    std::memcpy(buffer, bytes_.data() + offset, got);
    return got;
  }
  Result<uint64_t> Size() const override { return size_; }
  Status Allocate(uint64_t, uint64_t) override { return Status::Ok(); }
  Status Truncate(uint64_t size) override {
    size_ = size;
    return Status::Ok();
  }
  Status Sync() override { return Status::Ok(); }
  void StartWriteback(uint64_t, uint64_t) override {}
  Status Close() override { return Status::Ok(); }
  void WillNeed(uint64_t, uint64_t) const override {}
  void DontNeed(uint64_t, uint64_t) const override {}

 private:
  std::string bytes_;
  uint64_t size_ = 0;
};

// Sorted keys, and values of which half compresses.
struct Input {
  std::vector<std::string> keys;
  std::string values;

  Input() {
    Random random(1);
    for (size_t i = 0; i < kEntries; ++i) {
      char key[kKeyBytes + 1];
      std::snprintf(key, sizeof(key), "%016zu", i * 7919);
      keys.emplace_back(key, kKeyBytes);
    }
    values.resize(kEntries + kValueBytes);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = i % 100 < 50 ? static_cast<char>(random.Next()) : 'v';
    }
  }
  Entry At(size_t i) const {
    return {keys[i], std::string_view(values).substr(i, kValueBytes), i + 1, EntryKind::kValue};
  }
};
const Input& TheInput() {
  static const Input* const input = new Input;
  return *input;
}

SegmentProperties Build(MemoryFile* file, Compression compression) {
  const Input& input = TheInput();
  file->Clear();
  SegmentBuilder builder(file, {.file_number = kFileNumber,
                                .compression = compression,
                                .hash_salt = kSalt,
                                .expected_entries = kEntries});
  for (size_t i = 0; i < kEntries; ++i) {
    if (!builder.Add(input.At(i)).ok() || builder.IsFull(uint64_t{1} << 30)) std::abort();
  }
  return *builder.Finish();
}

void BM_SegmentBuilder(benchmark::State& state) {
  MemoryFile file(size_t{72} << 20);
  for (auto _ : state) {
    benchmark::DoNotOptimize(Build(&file, static_cast<Compression>(state.range(0))));
  }
  state.counters["ns/entry"] =
      benchmark::Counter(static_cast<double>(state.iterations() * kEntries),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_SegmentBuilder)
    ->Arg(static_cast<int>(Compression::kNone))
    ->Arg(static_cast<int>(Compression::kLz4))
    ->Arg(static_cast<int>(Compression::kZstd))
    ->Unit(benchmark::kMillisecond);

// A built segment with its tail opened.
struct Fixture {
  MemoryFile file{size_t{72} << 20};
  SegmentProperties properties = Build(&file, Compression::kNone);
  OpenedSegment segment = *OpenSegment(file, kFileNumber);
};
const Fixture& TheFixture() {
  static const Fixture* const fixture = new Fixture;
  return *fixture;
}

const char* PageOf(const Fixture& fixture, uint64_t hash) {
  return fixture.file.data() + fixture.properties.point_index_offset +
         PointIndexPageOf(hash, fixture.properties.point_index_page_count) * kPageBytes;
}

bool FindByPointIndex(const Fixture& fixture, std::string_view key, Entry* entry) {
  const uint64_t hash = PointIndexHash(key, kSalt);
  PointIndexProbe probe(PageOf(fixture, hash), hash);
  for (PointLocation at; probe.Next(&at);) {
    BlockView block;
    const char* disk = fixture.file.data() + fixture.segment.index.block_offset(at.block);
    const uint32_t raw_bytes = LoadFixed<uint32_t>(disk + kPageBytes - 12);
    if (block.Parse({disk, raw_bytes}) && block.Decode(at.slot, entry) && entry->key == key) {
      return true;
    }
  }
  return false;
}

bool FindBySparseIndex(const Fixture& fixture, std::string_view key, Entry* entry) {
  BlockView block;
  const size_t at = fixture.segment.index.FindBlock(key);
  const char* disk = fixture.file.data() + fixture.segment.index.block_offset(at);
  const uint32_t raw_bytes = LoadFixed<uint32_t>(disk + kPageBytes - 12);
  if (!block.Parse({disk, raw_bytes})) return false;
  const int slot = block.LowerBound(key, kMaxSequence);
  return slot >= 0 && block.Decode(slot, entry) && entry->key == key;
}

// One lookup at a time, each key chosen by the result of the one before, over blocks in memory.
template <bool (*Find)(const Fixture&, std::string_view, Entry*)>
void BM_PointLookup(benchmark::State& state) {
  const Fixture& fixture = TheFixture();
  const Input& input = TheInput();
  Random random(2);
  uint64_t dependent = 0;
  for (auto _ : state) {
    Entry entry;
    if (!Find(fixture, input.keys[random.Uniform(kEntries - 1) + (dependent & 1)], &entry)) {
      state.SkipWithError("a key is missing");
      break;
    }
    dependent += entry.sequence;
  }
}
BENCHMARK(BM_PointLookup<FindByPointIndex>)->Name("BM_PointLookup/point_index");
BENCHMARK(BM_PointLookup<FindBySparseIndex>)->Name("BM_PointLookup/sparse_index");

void BM_PointLookupOfAbsentKey(benchmark::State& state) {
  const Fixture& fixture = TheFixture();
  Random random(3);
  uint64_t dependent = 0;
  for (auto _ : state) {
    char key[kKeyBytes];
    StoreFixed(key, random.Next() + dependent);
    StoreFixed(key + 8, random.Next());
    Entry entry;
    dependent += FindByPointIndex(fixture, {key, sizeof(key)}, &entry) ? 1 : 0;
  }
  benchmark::DoNotOptimize(dependent);
}
BENCHMARK(BM_PointLookupOfAbsentKey);

void BM_FindBlock(benchmark::State& state) {
  const Fixture& fixture = TheFixture();
  const Input& input = TheInput();
  Random random(4);
  size_t dependent = 0;
  for (auto _ : state) {
    dependent =
        fixture.segment.index.FindBlock(input.keys[random.Uniform(kEntries - 1) + (dependent & 1)]);
  }
  benchmark::DoNotOptimize(dependent);
}
BENCHMARK(BM_FindBlock);

void BM_OpenBlock(benchmark::State& state) {
  const Fixture& fixture = TheFixture();
  for (auto _ : state) {
    benchmark::DoNotOptimize(OpenBlock({fixture.file.data(), kPageBytes}, kFileNumber, 0));
  }
}
BENCHMARK(BM_OpenBlock);

void BM_ScanBlock(benchmark::State& state) {
  const Fixture& fixture = TheFixture();
  const BlockFrame frame = *OpenBlock({fixture.file.data(), kPageBytes}, kFileNumber, 0);
  BlockView block;
  block.Parse(frame.payload);
  uint64_t sum = 0;
  for (auto _ : state) {
    Entry entry;
    for (int slot = 0; slot < block.count() && block.Decode(slot, &entry); ++slot) {
      sum += entry.sequence + entry.key.size();
    }
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * block.count());
}
BENCHMARK(BM_ScanBlock);

void BM_OpenSegment(benchmark::State& state) {
  const Fixture& fixture = TheFixture();
  for (auto _ : state) {
    benchmark::DoNotOptimize(OpenSegment(fixture.file, kFileNumber).ok());
  }
}
BENCHMARK(BM_OpenSegment)->Unit(benchmark::kMicrosecond);

// Header, hash and copy of a put of 116 bytes into a log that lies in memory.
void BM_WalAppend(benchmark::State& state) {
  const Input& input = TheInput();
  std::string log(size_t{4} << 20, '\0');
  uint64_t offset = kWalFileHeaderBytes;
  size_t i = 0;
  for (auto _ : state) {
    const Entry entry = input.At(i);
    i = i + 1 == kEntries ? 0 : i + 1;
    const WalOp op{static_cast<uint8_t>(EntryKind::kValue), entry.key, entry.value};
    const size_t payload_bytes = WalOpBytes(op.kind, op.key.size(), op.value.size());
    if (offset + WalRecordBytes(payload_bytes) > log.size()) offset = kWalFileHeaderBytes;
    char* to = log.data() + offset;
    StoreWalOp(op, to + kWalRecordHeaderBytes);
    EncodeWalRecordHeader({.payload_bytes = static_cast<uint32_t>(payload_bytes),
                           .first_sequence = entry.sequence,
                           .count = 1},
                          WalPayloadHash({to + kWalRecordHeaderBytes, payload_bytes}), kSalt,
                          offset, to);
    offset += WalRecordBytes(payload_bytes);
  }
}
BENCHMARK(BM_WalAppend);

}  // namespace
}  // namespace varve
