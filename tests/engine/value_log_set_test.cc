#include "engine/value_log_set.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/block_cache.h"
#include "engine/chunk_pool.h"
#include "engine/directory_sync.h"
#include "env/crash_env.h"
#include "tests/support/forwarding_env.h"
#include "tests/support/status_matchers.h"

namespace varve {
namespace value_log_set_test {

// Calls back in the middle of every write of a record, before its bytes go to the file.
class HookedEnv : public test::ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  std::function<void()> in_write;
  std::vector<uint64_t> truncated;

  Result<std::unique_ptr<WritableFile>> OpenWritable(const std::string& path,
                                                     OpenMode mode) override {
    auto base = ForwardingEnv::OpenWritable(path, mode);
    if (!base.ok()) return base.status();
    return std::unique_ptr<WritableFile>(new File(this, *std::move(base)));
  }

 private:
  class File : public test::ForwardingFile {
   public:
    File(HookedEnv* env, std::unique_ptr<WritableFile> base)
        : ForwardingFile(std::move(base)), env_(env) {}
    Status WriteTwo(uint64_t offset, std::string_view head, std::string_view body) override {
      if (auto hook = std::exchange(env_->in_write, nullptr)) hook();
      return ForwardingFile::WriteTwo(offset, head, body);
    }
    Status Truncate(uint64_t size) override {
      env_->truncated.push_back(size);
      return ForwardingFile::Truncate(size);
    }

   private:
    HookedEnv* const env_;
  };
};

class ValueLogSetTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kFileBytes = 64 << 10;

  ValueLogSetTest() {
    EXPECT_OK(crash_env_.CreateDir("/db"));
    EXPECT_OK(crash_env_.SyncDir("/"));
    context_.cache = &cache_;
    context_.env = &env_;
    context_.dir = "/db";
    context_.directory = &directory_;
    context_.remove_file = [](const std::string&) {};
  }
  AppendedValue Append(const std::string& value) {
    auto appended = values_->Append("key", value);
    EXPECT_OK(appended);
    return *std::move(appended);
  }
  std::string Read(const ValuePointer& pointer) {
    std::string buffer;
    auto value = values_->Find(pointer.file_number)->ReadInto(pointer, &buffer);
    return value.ok() ? std::string(*value) : value.status().ToString();
  }

  CrashEnv crash_env_;
  ChunkPool pool_{&crash_env_, 1};
  BlockCache cache_{&pool_, 8 << 20};
  HookedEnv env_{&crash_env_};
  DirectorySync directory_{&env_, "/db"};
  ReaderContext context_;
  uint64_t last_number_ = 0;
  std::unique_ptr<ValueLogSet> values_ =
      std::make_unique<ValueLogSet>(&context_, kFileBytes, [this] { return ++last_number_; });
};

TEST_F(ValueLogSetTest, OneWriterStaysWithOneFile) {
  const AppendedValue a = Append(std::string(5'000, 'a'));
  const AppendedValue b = Append(std::string(6'000, 'b'));
  EXPECT_EQ(a.where.file_number, b.where.file_number);
  EXPECT_EQ(Read(a.where), std::string(5'000, 'a'));
  EXPECT_EQ(Read(b.where), std::string(6'000, 'b'));
}

TEST_F(ValueLogSetTest, WhoComesDuringAWriteGetsAnotherFile) {
  AppendedValue second, third;
  env_.in_write = [&] {
    second = Append(std::string(5'000, 'b'));
    // Nobody writes to the second file any more: no third one is begun.
    third = Append(std::string(5'000, 'c'));
  };
  const AppendedValue first = Append(std::string(5'000, 'a'));
  EXPECT_NE(first.where.file_number, second.where.file_number);
  EXPECT_EQ(second.where.file_number, third.where.file_number);
  EXPECT_EQ(Append(std::string(5'000, 'd')).where.file_number, first.where.file_number);
  EXPECT_EQ(values_->Files().size(), 2u);
  EXPECT_EQ(Read(first.where), std::string(5'000, 'a'));
  EXPECT_EQ(Read(second.where), std::string(5'000, 'b'));
  EXPECT_EQ(Read(third.where), std::string(5'000, 'c'));
}

TEST_F(ValueLogSetTest, AFailedWriteLeavesItsFileToOthers) {
  Append(std::string(5'000, 'o'));
  crash_env_.FailCall(1, Fault::kNoSpace);
  EXPECT_STATUS(kIoError, values_->Append("key", std::string(5'000, 'a')));
  crash_env_.ClearFaults();
  Append(std::string(5'000, 'b'));
  Append(std::string(5'000, 'c'));
  EXPECT_EQ(values_->Files().size(), 1u);
}

TEST_F(ValueLogSetTest, EveryFileThatIsAppendedToIsActive) {
  AppendedValue second;
  env_.in_write = [&] { second = Append(std::string(5'000, 'b')); };
  AppendedValue first = Append(std::string(5'000, 'a'));
  const uint64_t a = first.where.file_number, b = second.where.file_number;
  EXPECT_TRUE(values_->IsActive(a));
  EXPECT_TRUE(values_->IsActive(b));
  EXPECT_FALSE(values_->IsActive(b + 1));
  EXPECT_EQ(values_->ActiveFiles().size(), 2u);
  first = {};
  second = {};
  EXPECT_TRUE(values_->UnusedFiles().empty());  // though nobody holds them

  values_->Seal(b);
  EXPECT_TRUE(values_->IsActive(a));
  EXPECT_FALSE(values_->IsActive(b));
  ASSERT_EQ(values_->UnusedFiles().size(), 1u);
  EXPECT_EQ(values_->UnusedFiles()[0]->number(), b);
  values_->Seal(b);
  values_->Seal(a);
  EXPECT_TRUE(values_->ActiveFiles().empty());
  const AppendedValue next = Append(std::string(5'000, 'c'));
  EXPECT_NE(next.where.file_number, a);
  EXPECT_NE(next.where.file_number, b);
}

TEST_F(ValueLogSetTest, SyncCoversEveryFile) {
  AppendedValue second;
  env_.in_write = [&] { second = Append(std::string(5'000, 'b')); };
  const AppendedValue first = Append(std::string(5'000, 'a'));
  ASSERT_OK(values_->Sync());
  const auto after = crash_env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
  ReaderContext context;
  context.env = after.get();
  context.dir = "/db";
  context.cache = &cache_;
  ValueLogSet reopened(&context, kFileBytes, [] { return uint64_t{99}; });
  for (const AppendedValue* value : {&first, static_cast<const AppendedValue*>(&second)}) {
    const ValuePointer& where = value->where;
    reopened.AddExisting(where.file_number, kFileBytes);
    std::string buffer;
    EXPECT_OK(reopened.Find(where.file_number)->ReadInto(where, &buffer));
  }
}

TEST_F(ValueLogSetTest, BlocksKeptReadyAreGivenBackAtTheEnd) {
  AppendedValue value = Append(std::string(5'000, 'a'));
  const uint64_t end = values_->Find(value.where.file_number)->bytes();
  EXPECT_TRUE(env_.truncated.empty());
  value = {};
  values_.reset();
  EXPECT_EQ(env_.truncated, std::vector<uint64_t>{end});
}

}  // namespace value_log_set_test
}  // namespace varve
