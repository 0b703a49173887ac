#include "engine/expiry_notes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/chunk_pool.h"
#include "engine/memtable.h"
#include "env/crash_env.h"

namespace varve {
namespace expiry_notes_test {

class ExpiryNotesTest : public ::testing::Test {
 protected:
  ~ExpiryNotesTest() override { memtable_->Unref(); }
  void Add(uint64_t log_number, uint64_t deadline) {
    std::string value(kDeadlineBytes, '\0');
    StoreFixed(value.data(), EncodeDeadline(deadline, EntryKind::kExpiringValue));
    notes_.Add(log_number, memtable_->Add(++sequence_, EntryKind::kExpiringValue, "k", value, 0));
  }
  static std::vector<SequenceNumber> SequencesOf(const ExpiryNotes::OfMemTable& noted) {
    std::vector<SequenceNumber> sequences;
    for (const MemTableRecord* record : noted.records) sequences.push_back(record->sequence());
    return sequences;
  }
  using Sequences = std::vector<SequenceNumber>;

  CrashEnv env_;
  ChunkPool pool_{&env_, 0};
  MemTable* memtable_ = MemTable::Create(&pool_, 1 << 16);
  SequenceNumber sequence_ = 0;
  ExpiryNotes notes_{4};
};

TEST_F(ExpiryNotesTest, WhatIsThereAlreadyIsToBeSearchedForOnce) {
  notes_.TurnOn(7, 1000);
  const auto first = notes_.Take(1000);
  EXPECT_TRUE(first.has_unnoted);
  EXPECT_EQ(first.unnoted_until, 7u);
  EXPECT_FALSE(notes_.Take(1001).has_unnoted);
}

TEST_F(ExpiryNotesTest, NotesByMemTable) {
  notes_.TurnOn(0, 1000);
  Add(5, 1001);
  Add(5, 1002);
  Add(6, 1003);
  const auto taken = notes_.Take(1000);
  ASSERT_EQ(taken.memtables.size(), 2u);
  EXPECT_EQ(taken.memtables[0].log_number, 5u);
  EXPECT_EQ(SequencesOf(taken.memtables[0]), (Sequences{1, 2}));
  EXPECT_EQ(taken.memtables[1].log_number, 6u);
  EXPECT_EQ(SequencesOf(taken.memtables[1]), Sequences{3});
  EXPECT_TRUE(taken.late.empty());
  EXPECT_TRUE(notes_.Take(1001).memtables.empty());
}

TEST_F(ExpiryNotesTest, WhatIsPassedAlreadyIsLate) {
  notes_.TurnOn(0, 1000);
  Add(5, 1000);
  Add(5, 1001);
  EXPECT_EQ(notes_.Take(1001).late.size(), 1u);
  Add(5, 1001);
  Add(5, 1002);
  const auto taken = notes_.Take(1002);
  ASSERT_EQ(taken.late.size(), 1u);
  EXPECT_EQ(taken.late[0].key, "k");
  EXPECT_EQ(taken.late[0].deadline, 1001u);
  EXPECT_EQ(taken.late[0].sequence, 3u);
  ASSERT_EQ(taken.memtables.size(), 1u);
  EXPECT_EQ(SequencesOf(taken.memtables[0]), Sequences{4});
}

TEST_F(ExpiryNotesTest, WhatIsTooMuchIsToBeSearchedFor) {
  notes_.TurnOn(0, 1000);
  notes_.Take(1000);
  for (int i = 0; i < 11; ++i) Add(5, 2000);
  const auto taken = notes_.Take(1000);
  EXPECT_TRUE(taken.has_unnoted);
  EXPECT_EQ(taken.unnoted_until, 10u);
  ASSERT_EQ(taken.memtables.size(), 1u);
  EXPECT_EQ(SequencesOf(taken.memtables[0]), Sequences{11});
  Add(5, 2000);
  EXPECT_FALSE(notes_.Take(1000).has_unnoted);
}

TEST_F(ExpiryNotesTest, OffForgets) {
  notes_.TurnOn(0, 1000);
  Add(5, 2000);
  Add(5, 1);
  notes_.TurnOff();
  EXPECT_FALSE(notes_.is_on());
  notes_.TurnOn(2, 1000);
  const auto taken = notes_.Take(1000);
  EXPECT_TRUE(taken.memtables.empty());
  EXPECT_TRUE(taken.late.empty());
}

}  // namespace expiry_notes_test
}  // namespace varve
