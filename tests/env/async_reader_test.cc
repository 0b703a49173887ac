// What every AsyncReader promises, held against io_uring, where the kernel has it, and threads.
#include "env/async_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "base/random.h"
#include "env/worker_pool.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace async_reader_test {

enum class Kind { kUring, kThreads };

// A read that its test waits for.
class TestRead final : public AsyncRead {
 public:
  TestRead(const RandomAccessFile* file, uint64_t offset, size_t size, std::counting_semaphore<>* ended)
      : AsyncRead(file, offset, size), ended_(ended), buffer_(size, '?') {}

  char* Begin() override { return is_wanted ? buffer_.data() : nullptr; }
  void Done(Result<size_t> got) override {
    result = std::move(got);
    if (on_done) on_done();
    ended_->release();
  }
  std::string content() const { return buffer_.substr(0, *result); }

  bool is_wanted = true;
  std::function<void()> on_done;
  Result<size_t> result = Status(StatusCode::kUnavailable);

 private:
  std::counting_semaphore<>* const ended_;
  std::string buffer_;
};

// A file that the operating system does not know, and whose reads fail from some offset on.
class OwnFile final : public RandomAccessFile {
 public:
  explicit OwnFile(uint64_t bad_from) : bad_from_(bad_from) {}
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    if (offset >= bad_from_) return Status::IoError("read own file: bad");
    std::fill_n(buffer, size, 'o');
    return size;
  }
  Result<uint64_t> Size() const override { return bad_from_; }
  void WillNeed(uint64_t, uint64_t) const override {}
  void DontNeed(uint64_t, uint64_t) const override {}

 private:
  const uint64_t bad_from_;
};

class AsyncReaderTest : public ::testing::TestWithParam<Kind> {
 protected:
  static constexpr size_t kBytes = 300'000;

  void SetUp() override {
    if (GetParam() == Kind::kUring) {
      reader_ = Env::Default()->NewAsyncReader();
      if (reader_ == nullptr) GTEST_SKIP() << "NOT TESTED: no io_uring on this machine";
      EXPECT_EQ(reader_->name(), "io_uring");
    } else {
      reader_ = NewThreadedReader(&pool_);
      EXPECT_EQ(reader_->name(), "threads");
    }
    Random random(7);
    for (size_t i = 0; i < kBytes; ++i) content_.push_back(static_cast<char>(random.Next()));
    auto to = Env::Default()->OpenWritable(dir_.Sub("file"), Env::OpenMode::kCreateNew);
    ASSERT_OK(to);
    ASSERT_OK((*to)->Write(0, content_));
    ASSERT_OK((*to)->Close());
    auto file = Env::Default()->OpenRandomAccess(dir_.Sub("file"));
    ASSERT_OK(file);
    file_ = *std::move(file);
  }

  TestRead* Add(const RandomAccessFile* file, uint64_t offset, size_t size) {
    return reads_.emplace_back(std::make_unique<TestRead>(file, offset, size, &ended_)).get();
  }
  void SubmitAll() {
    std::vector<AsyncRead*> all;
    for (const auto& read : reads_) all.push_back(read.get());
    reader_->Submit(all);
  }
  void Await(size_t count) {
    for (size_t i = 0; i < count; ++i) ended_.acquire();
  }

  TempDir dir_;
  std::string content_;
  std::unique_ptr<RandomAccessFile> file_;
  std::counting_semaphore<> ended_{0};
  std::vector<std::unique_ptr<TestRead>> reads_;
  WorkerPool pool_{Env::Default(), "test", 4};
  std::unique_ptr<AsyncReader> reader_;  // goes first
};

TEST_P(AsyncReaderTest, AnyNumberOfReadsAtOnce) {
  constexpr size_t kReads = 5000;
  Random random(1);
  for (size_t i = 0; i < kReads; ++i) {
    Add(file_.get(), random.Uniform(kBytes), 1 + random.Uniform(random.OneIn(10) ? 50'000 : 500));
  }
  SubmitAll();
  Await(kReads);
  for (const auto& read : reads_) {
    ASSERT_OK(read->result);
    ASSERT_EQ(read->content(), content_.substr(read->offset(), read->size())) << read->offset();
  }
}

TEST_P(AsyncReaderTest, EndOfTheFileCutsAndEndsReads) {
  TestRead* cut = Add(file_.get(), kBytes - 10, 4096);
  TestRead* behind = Add(file_.get(), kBytes + 10, 4096);
  SubmitAll();
  Await(2);
  ASSERT_OK(cut->result);
  EXPECT_EQ(cut->content(), content_.substr(kBytes - 10));
  ASSERT_OK(behind->result);
  EXPECT_EQ(*behind->result, 0u);
}

TEST_P(AsyncReaderTest, UnwantedReadsAreNotMade) {
  for (int i = 0; i < 600; ++i) Add(file_.get(), 0, 100)->is_wanted = i % 2 == 0;
  SubmitAll();
  Await(600);
  for (size_t i = 0; i < reads_.size(); ++i) {
    if (i % 2 == 0) {
      ASSERT_OK(reads_[i]->result);
    } else {
      ASSERT_STATUS(kAborted, reads_[i]->result);
    }
  }
}

TEST_P(AsyncReaderTest, ManyUnwantedReadsBeforeAWantedOne) {
  for (int i = 0; i < 2000; ++i) Add(file_.get(), 0, 100)->is_wanted = false;
  TestRead* wanted = Add(file_.get(), 0, 100);
  SubmitAll();
  Await(2001);
  EXPECT_OK(wanted->result);
}

TEST_P(AsyncReaderTest, FilesThatTheSystemDoesNotKnowAndErrors) {
  const OwnFile own(1000);
  TestRead* good = Add(&own, 10, 5);
  TestRead* bad = Add(&own, 1000, 5);
  SubmitAll();
  Await(2);
  ASSERT_OK(good->result);
  EXPECT_EQ(good->content(), "ooooo");
  ASSERT_STATUS(kIoError, bad->result);
  EXPECT_EQ(bad->result.status().message(), "read own file: bad");
}

TEST_P(AsyncReaderTest, ErrorsOfTheSystemSayWhatPlainReadsSay) {
  auto folder = Env::Default()->OpenRandomAccess(dir_.path());
  ASSERT_OK(folder);
  char byte;
  const Result<size_t> plain = (*folder)->Read(0, 1, &byte);
  ASSERT_STATUS(kIoError, plain);
  TestRead* read = Add(folder->get(), 0, 1);
  SubmitAll();
  Await(1);
  ASSERT_STATUS(kIoError, read->result);
  EXPECT_EQ(read->result.status().ToString(), plain.status().ToString());
}

TEST_P(AsyncReaderTest, DoneMaySubmit) {
  constexpr int kLinks = 1000;
  for (int i = 0; i < kLinks; ++i) Add(file_.get(), static_cast<uint64_t>(i), 8);
  for (size_t i = 0; i + 1 < kLinks; ++i) {
    reads_[i]->on_done = [this, i] {
      AsyncRead* next[] = {reads_[i + 1].get()};
      reader_->Submit(next);
    };
  }
  AsyncRead* first[] = {reads_[0].get()};
  reader_->Submit(first);
  Await(kLinks);
  for (const auto& read : reads_) ASSERT_EQ(read->content(), content_.substr(read->offset(), 8));
}

TEST_P(AsyncReaderTest, ComesAndGoesManyTimes) {
  for (int i = 0; i < 30; ++i) {
    auto reader = GetParam() == Kind::kUring ? Env::Default()->NewAsyncReader()
                                             : NewThreadedReader(&pool_);
    ASSERT_NE(reader, nullptr);
    if (i % 2 == 0) continue;
    TestRead* read = Add(file_.get(), 0, 10);
    AsyncRead* one[] = {read};
    reader->Submit(one);
    Await(1);
    ASSERT_OK(read->result);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, AsyncReaderTest, ::testing::Values(Kind::kUring, Kind::kThreads),
                         [](const auto& variant) {
                           return variant.param == Kind::kUring ? "Uring" : "Threads";
                         });

TEST(WorkerPoolTest, RunsEverythingBeforeItGoes) {
  std::atomic<int> count{0};
  {
    WorkerPool pool(Env::Default(), "test", 3);
    for (int i = 0; i < 1000; ++i) {
      pool.Run([&] {
        if (++count % 10 == 0) pool.Run([&] { ++count; });
      });
    }
  }
  EXPECT_GE(count.load(), 1000);
}

}  // namespace async_reader_test
}  // namespace varve::test
