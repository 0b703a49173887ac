#include "engine/memtable.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "engine/chunk_pool.h"
#include "env/env.h"

namespace varve {
namespace memtable_test {

std::string BigEndian(uint64_t number) {
  std::string bytes(8, '\0');
  for (int i = 7; i >= 0; --i, number >>= 8) bytes[i] = static_cast<char>(number);
  return bytes;
}

std::string Decimal(const char* format, uint64_t number) {
  char buffer[64];
  return {buffer, static_cast<size_t>(std::snprintf(buffer, sizeof(buffer), format,
                                                    static_cast<unsigned long long>(number)))};
}

// The kinds of keys that stress different parts of the tree.
struct KeyShape {
  const char* name;
  // The key of the n-th addition.
  std::function<std::string(uint64_t n)> key;
};

// The same numbers for every run: the n-th draw.
uint64_t Draw(uint64_t n) { return Random(n).Next(); }

const KeyShape kShapes[] = {
    {"RandomBinary", [](uint64_t n) { return BigEndian(Draw(n)) + BigEndian(n); }},
    {"FewKeysManyVersions", [](uint64_t n) { return "k" + std::to_string(Draw(n) % 5); }},
    {"OneKey", [](uint64_t) { return std::string("the only key there is"); }},
    {"RandomDecimal", [](uint64_t n) { return Decimal("%016llu", Draw(n) % 3000); }},
    {"LongSharedPrefix",
     [](uint64_t n) { return "tenant/0000001/user:" + Decimal("%08llu", Draw(n) % 100000); }},
    {"NestedPrefixes",
     [](uint64_t n) {
       const uint64_t draw = Draw(n);
       std::string key = "a/" + std::string(draw % 7 * 3, 'x') + "/";
       return key + std::string(draw / 7 % 40, static_cast<char>('m' + draw / 280 % 3));
     }},
    {"ZerosAndOnes",
     [](uint64_t
            n) {  // short keys of 0x00 and 0xff: each a prefix of others, the empty key included
       uint64_t draw = Draw(n);
       std::string key;
       for (uint64_t size = draw % 19; key.size() < size; draw = draw / 2 * 7 + 3) {
         key.push_back(draw & 64 ? '\xff' : '\0');
       }
       return key;
     }},
    {"Ascending", [](uint64_t n) { return BigEndian(n); }},
    {"AscendingDecimal", [](uint64_t n) { return Decimal("user:%08llu", n * 13); }},
    {"Descending", [](uint64_t n) { return BigEndian(~n); }},
    {"AscendingInManyPlaces",
     [](uint64_t n) { return BigEndian(Draw(n % 30)) + Decimal("/%06llu", n / 30); }},
    {"AscendingByGrowingSteps",  // at the end of the tree the shared prefix gets shorter
     [](uint64_t n) { return Decimal("%020llu", n * n * n * n); }},
    {"PrefixLostLate",  // the shared prefix gets shorter again and again
     [](uint64_t n) {
       const std::string common(60 - std::min<uint64_t>(n / 70, 60), 'p');
       return common + BigEndian(Draw(n));
     }},
};

struct Position {
  std::string key;
  SequenceNumber sequence;
  bool operator<(const Position& other) const {
    return CompareInternal(key, sequence, other.key, other.sequence) < 0;
  }
  bool operator==(const Position&) const = default;
};

struct Content {
  EntryKind kind;
  std::string value;
  bool operator==(const Content&) const = default;
};

using Model = std::map<Position, Content>;

class MemTableTest : public ::testing::Test {
 protected:
  MemTableTest() { Reset(0); }

  void Reset(size_t expected_bytes) {
    memtable_.reset();
    memtable_.reset(MemTable::Create(&pool_, expected_bytes));
    model_.clear();
    sequence_ = 0;
  }

  void Add(const std::string& key, const std::string& value, EntryKind kind = EntryKind::kValue) {
    memtable_->Add(++sequence_, kind, key, value, Hash64(key));
    model_[{key, sequence_}] = {kind, value};
  }

  // The value of `key` at `max_sequence`; "-" when absent, "deleted" for a tombstone.
  std::string Get(const std::string& key, SequenceNumber max_sequence = kMaxSequence) const {
    Entry entry;
    if (!memtable_->Get(key, Hash64(key), max_sequence, &entry)) return "-";
    EXPECT_EQ(entry.key, key);
    EXPECT_LE(entry.sequence, max_sequence);
    return entry.kind == EntryKind::kDelete ? "deleted" : std::string(entry.value);
  }

  MemTable::Cursor NewCursor() const { return MemTable::Cursor(memtable_.get()); }

  static Position PositionOf(const MemTable::Cursor& cursor) {
    return {std::string(cursor.entry().key), cursor.entry().sequence};
  }

  void ExpectStandsAt(const MemTable::Cursor& cursor, Model::const_iterator expected) const {
    if (expected == model_.end()) {
      EXPECT_FALSE(cursor.Valid());
      return;
    }
    ASSERT_TRUE(cursor.Valid());
    EXPECT_EQ(PositionOf(cursor), expected->first);
    EXPECT_EQ(cursor.entry().kind, expected->second.kind);
    EXPECT_EQ(cursor.entry().value, expected->second.value);
  }

  void ExpectScansMatchModel() const {
    MemTable::Cursor cursor = NewCursor();
    cursor.SeekToFirst();
    for (auto it = model_.begin(); it != model_.end(); ++it) {
      ASSERT_NO_FATAL_FAILURE(ExpectStandsAt(cursor, it));
      cursor.Next();
    }
    EXPECT_FALSE(cursor.Valid());
    cursor.SeekToLast();
    for (auto it = model_.end(); it != model_.begin();) {
      ASSERT_NO_FATAL_FAILURE(ExpectStandsAt(cursor, --it));
      cursor.Prev();
    }
    EXPECT_FALSE(cursor.Valid());
  }

  void ExpectGetMatchesModel(const std::string& key, SequenceNumber max_sequence) const {
    Entry entry;
    const bool found = memtable_->Get(key, Hash64(key), max_sequence, &entry);
    const auto it = model_.lower_bound({key, max_sequence});
    ASSERT_EQ(found, it != model_.end() && it->first.key == key);
    if (!found) return;
    EXPECT_EQ(entry.sequence, it->first.sequence);
    EXPECT_EQ(entry.kind, it->second.kind);
    EXPECT_EQ(entry.value, it->second.value);
  }

  void ExpectSeeksMatchModel(const Position& target) const {
    MemTable::Cursor cursor = NewCursor();
    cursor.Seek(target.key, target.sequence);
    ASSERT_NO_FATAL_FAILURE(ExpectStandsAt(cursor, model_.lower_bound(target)));
    cursor.SeekForPrev(target.key, target.sequence);
    const auto after = model_.upper_bound(target);
    const auto expected = after == model_.begin() ? model_.end() : std::prev(after);
    ASSERT_NO_FATAL_FAILURE(ExpectStandsAt(cursor, expected));
  }

  // Walks to and fro from `target`, as far as the ends allow.
  void ExpectWalkMatchesModel(const Position& target, Random* random) const {
    auto it = model_.lower_bound(target);
    if (it == model_.end()) return;
    MemTable::Cursor cursor = NewCursor();
    cursor.Seek(target.key, target.sequence);
    bool forward = true;
    for (int step = 0; step < 200; ++step) {
      ASSERT_NO_FATAL_FAILURE(ExpectStandsAt(cursor, it));
      if (random->OneIn(20)) forward = !forward;
      if (forward) {
        if (std::next(it) == model_.end()) return;
        ++it;
        cursor.Next();
      } else {
        if (it == model_.begin()) return;
        --it;
        cursor.Prev();
      }
    }
  }

  struct Unreference {
    void operator()(MemTable* memtable) const { memtable->Unref(); }
  };

  ChunkPool pool_{Env::Default(), 4};
  std::unique_ptr<MemTable, Unreference> memtable_;
  Model model_;
  SequenceNumber sequence_ = 0;
};

TEST_F(MemTableTest, EmptyHasNothing) {
  EXPECT_TRUE(memtable_->empty());
  EXPECT_EQ(memtable_->entry_count(), 0u);
  EXPECT_EQ(Get(""), "-");
  EXPECT_EQ(Get("a"), "-");
  MemTable::Cursor cursor = NewCursor();
  EXPECT_FALSE(cursor.Valid());
  cursor.SeekToFirst();
  EXPECT_FALSE(cursor.Valid());
  cursor.SeekToLast();
  EXPECT_FALSE(cursor.Valid());
  cursor.SeekForPrev("a", 1);
  EXPECT_FALSE(cursor.Valid());
}

TEST_F(MemTableTest, GetFindsTheNewestVersionThatMayBeSeen) {
  Add("a", "1");
  Add("k", "2");
  Add("k", "3");
  Add("k", "", EntryKind::kDelete);
  Add("k", "5");
  EXPECT_EQ(Get("k", 1), "-");
  EXPECT_EQ(Get("k", 2), "2");
  EXPECT_EQ(Get("k", 3), "3");
  EXPECT_EQ(Get("k", 4), "deleted");
  EXPECT_EQ(Get("k", 5), "5");
  EXPECT_EQ(Get("k"), "5");
  EXPECT_EQ(Get("j"), "-");
  EXPECT_EQ(Get("l"), "-");
  EXPECT_EQ(memtable_->entry_count(), 5u);
}

TEST_F(MemTableTest, GetThatFindsNothingLeavesTheEntryAlone) {
  Add("b", "1");
  Entry entry{"untouched", "value", 7, EntryKind::kDelete};
  EXPECT_FALSE(memtable_->Get("a", Hash64("a"), kMaxSequence, &entry));
  EXPECT_FALSE(memtable_->Get("b", Hash64("b"), 0, &entry));
  EXPECT_EQ(entry.key, "untouched");
  EXPECT_EQ(entry.sequence, 7u);
}

TEST_F(MemTableTest, EmptyKeyAndEmptyValueAreOrdinary) {
  Add("", "value of the empty key");
  Add("k", "");
  EXPECT_EQ(Get(""), "value of the empty key");
  EXPECT_EQ(Get("k"), "");
  ExpectScansMatchModel();
}

TEST_F(MemTableTest, KeysWithZerosAtTheEndAreDistinct) {
  const std::string a = "a", a0 = std::string("a\0", 2), a00 = std::string("a\0\0", 3);
  Add(a00, "3");
  Add(a, "1");
  Add(a0, "2");
  EXPECT_EQ(Get(a), "1");
  EXPECT_EQ(Get(a0), "2");
  EXPECT_EQ(Get(a00), "3");
  ExpectScansMatchModel();
}

TEST_F(MemTableTest, EntriesAreCopied) {
  std::string key = "key", value = "value";
  memtable_->Add(1, EntryKind::kValuePointer, key, value, Hash64(key));
  key = "xxx";
  value = "yyyyy";
  Entry entry;
  ASSERT_TRUE(memtable_->Get("key", Hash64("key"), 1, &entry));
  EXPECT_EQ(entry.value, "value");
  EXPECT_EQ(entry.kind, EntryKind::kValuePointer);
}

TEST_F(MemTableTest, HugeKeysAndValuesGetMemoryOfTheirOwn) {
  const size_t empty_bytes = memtable_->memory_bytes();
  const std::string long_key(MemTable::kMaxKeyBytes, 'k');
  const std::string huge_value = std::string(5 << 20, 'v') + "end";
  Add("before", "1");
  Add(long_key, huge_value);
  Add(long_key + "", "short");
  Add("after", "2");
  Add(long_key.substr(1) + "l", std::string(ChunkPool::kChunkBytes - 100, 'w'));
  EXPECT_EQ(Get(long_key, 2), huge_value);
  EXPECT_EQ(Get(long_key), "short");
  EXPECT_EQ(Get("after"), "2");
  ExpectScansMatchModel();
  const size_t payload = huge_value.size() + ChunkPool::kChunkBytes + 3 * long_key.size();
  EXPECT_GE(memtable_->memory_bytes(), empty_bytes + payload);
  EXPECT_LE(memtable_->memory_bytes(), empty_bytes + payload + 1000);
}

TEST_F(MemTableTest, LastReferenceGivesTheMemoryBack) {
  for (int i = 0; i < 30000; ++i) Add(BigEndian(Draw(i)), std::string(100, 'v'));
  EXPECT_GE(pool_.allocated_bytes(), 30000u * 100);
  memtable_->Ref();
  memtable_->Unref();
  EXPECT_EQ(Get(BigEndian(Draw(7))), std::string(100, 'v'));
  memtable_.reset();
  EXPECT_EQ(pool_.allocated_bytes(), 0u);
}

TEST_F(MemTableTest, MemoryOfAnotherMemtableIsReusedSafely) {
  for (int round = 0; round < 3; ++round) {
    Reset(size_t{1} << 20);
    for (int i = 0; i < 20000; ++i) Add(BigEndian(Draw(i + round)), "value");
    ExpectScansMatchModel();
  }
}

TEST_F(MemTableTest, FilterPassesEveryKeyAndFewOthers) {
  constexpr uint64_t kKeys = 40000;
  Reset(kKeys * 100);
  for (uint64_t i = 0; i < kKeys; ++i) Add(BigEndian(i), "");
  uint64_t passed = 0;
  for (uint64_t i = 0; i < kKeys; ++i) {
    memtable_->PrefetchFilter(Hash64(BigEndian(i)));
    ASSERT_TRUE(memtable_->MayContain(Hash64(BigEndian(i))));
    passed += memtable_->MayContain(Hash64(BigEndian(kKeys + i)));
  }
  EXPECT_LT(passed, kKeys / 50);
}

TEST_F(MemTableTest, FilterThatIsFarTooSmallHidesNothing) {
  Reset(0);
  for (uint64_t i = 0; i < 20000; ++i) Add(BigEndian(i), std::to_string(i));
  for (uint64_t i = 0; i < 20000; ++i) ASSERT_EQ(Get(BigEndian(i)), std::to_string(i));
  EXPECT_EQ(Get(BigEndian(20000)), "-");
}

// Records of 32 bytes, and a leaf of 64 entries of about 20 bytes each if it is full.
TEST_F(MemTableTest, KeysInOrderFillTheirLeaves) {
  for (const bool ascending : {true, false}) {
    Reset(0);
    const size_t before = memtable_->memory_bytes();
    for (uint64_t i = 0; i < 50000; ++i) Add(BigEndian(ascending ? i : ~i), "12345678");
    EXPECT_LE(memtable_->memory_bytes() - before, 50000u * (32 + 24)) << ascending;
  }
}

TEST_F(MemTableTest, CursorSeesWhatWasAddedBeforeItMoved) {
  for (const char* key : {"b", "d", "h"}) Add(key, "");
  MemTable::Cursor cursor = NewCursor();
  const auto key = [&] { return cursor.Valid() ? std::string(cursor.entry().key) : "-"; };
  cursor.SeekToFirst();
  Add("c", "");
  cursor.Next();
  EXPECT_EQ(key(), "c");
  cursor.Next();
  Add("e", "");
  cursor.Next();
  EXPECT_EQ(key(), "e");
  Add("dd", "");
  cursor.Prev();
  EXPECT_EQ(key(), "dd");
  cursor.SeekToLast();
  Add("z", "");
  cursor.Next();
  EXPECT_EQ(key(), "z");
}

// Splits, and leaves that are replaced, while a cursor stands there.
TEST_F(MemTableTest, CursorKeepsItsPlaceWhileTheTreeGrows) {
  for (const KeyShape& shape : kShapes) {
    SCOPED_TRACE(shape.name);
    Reset(0);
    Add(shape.key(0), "");
    MemTable::Cursor forward = NewCursor(), backward = NewCursor();
    forward.SeekToFirst();
    backward.SeekToLast();
    for (uint64_t n = 1; n < 3000; ++n) {
      const Position forward_at = PositionOf(forward), backward_at = PositionOf(backward);
      Add(shape.key(n), "");
      if (auto it = model_.upper_bound(forward_at); it != model_.end()) {
        forward.Next();
        ASSERT_NO_FATAL_FAILURE(ExpectStandsAt(forward, it));
      } else {
        forward.SeekToFirst();
      }
      if (auto it = model_.find(backward_at); it != model_.begin()) {
        backward.Prev();
        ASSERT_NO_FATAL_FAILURE(ExpectStandsAt(backward, std::prev(it)));
      } else {
        backward.SeekToLast();
      }
    }
  }
}

class MemTableShapeTest : public MemTableTest, public ::testing::WithParamInterface<KeyShape> {};

TEST_P(MemTableShapeTest, AgreesWithAModel) {
  constexpr uint64_t kAdditions = 12000;
  const KeyShape& shape = GetParam();
  Random random(301);
  for (uint64_t n = 0; n < kAdditions; ++n) {
    const EntryKind kind = random.OneIn(8) ? EntryKind::kDelete : EntryKind::kValue;
    Add(shape.key(n), kind == EntryKind::kDelete ? "" : "value " + std::to_string(n), kind);
    // A key that was added, one that perhaps will be, and one nearby.
    std::string key = shape.key(random.Uniform(n + 1));
    const SequenceNumber max_sequence = random.Uniform(sequence_ + 2);
    ASSERT_NO_FATAL_FAILURE(ExpectGetMatchesModel(key, max_sequence));
    ASSERT_NO_FATAL_FAILURE(ExpectGetMatchesModel(key, kMaxSequence));
    ASSERT_NO_FATAL_FAILURE(ExpectSeeksMatchModel({key, max_sequence}));
    ASSERT_NO_FATAL_FAILURE(ExpectSeeksMatchModel({shape.key(n + 100), max_sequence}));
    if (!key.empty()) key[random.Uniform(key.size())] ^= static_cast<char>(1 + random.Uniform(255));
    ASSERT_NO_FATAL_FAILURE(ExpectGetMatchesModel(key, max_sequence));
    ASSERT_NO_FATAL_FAILURE(ExpectSeeksMatchModel({key, max_sequence}));
    key.resize(random.Uniform(key.size() + 1));
    ASSERT_NO_FATAL_FAILURE(ExpectSeeksMatchModel({key, max_sequence}));
    if (random.OneIn(50)) {
      ASSERT_NO_FATAL_FAILURE(ExpectWalkMatchesModel({key, max_sequence}, &random));
    }
  }
  EXPECT_EQ(memtable_->entry_count(), kAdditions);
  ExpectScansMatchModel();
}

// One writer and three readers. The n-th addition has sequence number n, so that a reader knows
// what must be there: after it has read that n is published, all additions up to n.
class MemTableConcurrencyTest : public MemTableShapeTest {
 protected:
  static constexpr uint64_t kAdditions = 15000;
  static constexpr int kReaders = 3;

  void Write() {
    for (uint64_t n = 1; n <= kAdditions; ++n) {
      const std::string key = GetParam().key(n);
      memtable_->Add(n, EntryKind::kValue, key, std::to_string(n), Hash64(key));
      published_.store(n, std::memory_order_release);
      if (n % 2500 == 0) WaitForEveryReader();
    }
  }

  // Until each has begun a check after this call: without that, a quick writer would be done before
  // the readers have begun.
  void WaitForEveryReader() {
    for (std::atomic<uint64_t>& checks : checks_begun_) {
      const uint64_t before = checks.load();
      while (checks.load() == before && before != kGone) std::this_thread::yield();
    }
  }

  // Checks what can be found at any moment, until everything is written and once more after that.
  template <typename Check>
  void Read(int reader, Check check) {
    Random random(static_cast<uint64_t>(reader));
    for (uint64_t published = 0; published < kAdditions && !HasFatalFailure();) {
      ++checks_begun_[reader];
      published = published_.load(std::memory_order_acquire);
      if (published > 0) check(published, &random);
    }
    checks_begun_[reader] = kGone;
  }

  void CheckPoints(uint64_t published, Random* random) {
    const SequenceNumber sequence = 1 + random->Uniform(published);
    const std::string key = GetParam().key(sequence);
    Entry entry;
    ASSERT_TRUE(memtable_->Get(key, Hash64(key), sequence, &entry)) << sequence;
    ASSERT_EQ(entry.sequence, sequence);
    ASSERT_EQ(entry.value, std::to_string(sequence));
    ASSERT_TRUE(memtable_->Get(key, Hash64(key), kMaxSequence, &entry));
    ASSERT_GE(entry.sequence, sequence);
    MemTable::Cursor cursor = NewCursor();
    cursor.Seek(key, sequence);
    ASSERT_TRUE(cursor.Valid());
    ASSERT_EQ(PositionOf(cursor), (Position{key, sequence}));
    cursor.SeekForPrev(key, sequence);
    ASSERT_TRUE(cursor.Valid());
    ASSERT_EQ(PositionOf(cursor), (Position{key, sequence}));
  }

  // Counts what the scan meets of the published entries; each is met once if the order is strict.
  void CheckForwardScan(uint64_t published, Random*) {
    MemTable::Cursor cursor = NewCursor();
    uint64_t met = 0;
    Position last;
    for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
      const Position position = PositionOf(cursor);
      ASSERT_TRUE(met == 0 || last < position);
      met += position.sequence <= published;
      last = position;
    }
    ASSERT_EQ(met, published);
  }

  void CheckBackwardScan(uint64_t published, Random*) {
    MemTable::Cursor cursor = NewCursor();
    uint64_t met = 0;
    Position last;
    for (cursor.SeekToLast(); cursor.Valid(); cursor.Prev()) {
      const Position position = PositionOf(cursor);
      ASSERT_TRUE(met == 0 || position < last);
      met += position.sequence <= published;
      last = position;
    }
    ASSERT_EQ(met, published);
  }

  static constexpr uint64_t kGone = ~uint64_t{0};
  std::atomic<uint64_t> published_{0};
  std::atomic<uint64_t> checks_begun_[kReaders] = {};
};

TEST_P(MemTableConcurrencyTest, ReadersFindEveryPublishedEntry) {
  Reset(size_t{1} << 20);
  std::vector<std::thread> readers;
  readers.emplace_back([&] { Read(0, [&](auto... args) { CheckPoints(args...); }); });
  readers.emplace_back([&] { Read(1, [&](auto... args) { CheckForwardScan(args...); }); });
  readers.emplace_back([&] { Read(2, [&](auto... args) { CheckBackwardScan(args...); }); });
  Write();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(memtable_->entry_count(), kAdditions);
}

std::string NameOf(const ::testing::TestParamInfo<KeyShape>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Keys, MemTableShapeTest, ::testing::ValuesIn(kShapes), NameOf);
INSTANTIATE_TEST_SUITE_P(Keys, MemTableConcurrencyTest, ::testing::ValuesIn(kShapes), NameOf);

}  // namespace memtable_test
}  // namespace varve
