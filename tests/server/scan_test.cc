// SCAN: every key that is there throughout is shown, whatever happens to the numbers of positions.
#include <atomic>
#include <set>
#include <thread>

#include "base/random.h"
#include "server/glob.h"
#include "server/scan_cursors.h"
#include "tests/server/server_fixture.h"
#include "tests/support/workload.h"

namespace varve::server::test {
namespace scan_test {

TEST(ScanCursors, PositionIsBehindTheKey) {
  ScanCursors cursors(/*seed=*/1);
  for (const std::string key : {"a", "ab", "abc", "", "\xff\xff\xff", "key:1"}) {
    const uint64_t number = cursors.After(key);
    EXPECT_GT(number, 0u);
    EXPECT_LT(number, uint64_t{1} << 63);
    EXPECT_EQ(cursors.Position(number), key + '\0');
  }
}

// Without memory the position is at or before the key, and never behind it.
TEST(ScanCursors, ForgottenPositionsLeaveNothingOut) {
  ScanCursors none(/*seed=*/1, /*max_bytes=*/0);
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string key(random.Uniform(6), '\0');
    for (char& byte : key) byte = static_cast<char>(random.Uniform(256));
    const std::string position = none.Position(none.After(key));
    EXPECT_LE(position, key + '\0');
    EXPECT_EQ(key.substr(0, position.size()), position);
  }
}

// Two keys of one hash must not have one number: the scan of the second would go on behind the first.
TEST(ScanCursors, KeysOfOneHashHaveNumbersOfTheirOwn) {
  ScanCursors cursors([](std::string_view) { return ~uint64_t{0}; }, 1 << 20);
  std::set<uint64_t> numbers;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key" + std::to_string(i);
    const uint64_t number = cursors.After(key);
    EXPECT_TRUE(numbers.insert(number).second);
    EXPECT_EQ(cursors.Position(number), key + '\0');
    EXPECT_EQ(cursors.After(key), number);
  }
}

TEST(ScanCursors, AnyNumberIsTaken) {
  ScanCursors cursors(/*seed=*/1);
  for (const uint64_t number : {uint64_t{0}, uint64_t{1}, uint64_t{12345}, ~uint64_t{0}, uint64_t{1} << 62}) {
    EXPECT_LE(cursors.Position(number).size(), 2u);
  }
}

class ScanTest : public ServerTest {
 protected:
  // Calls SCAN until the end. `between` runs between the steps.
  template <typename Between>
  std::set<std::string> ScanAll(const std::unique_ptr<TestClient>& client, std::string_view count, const Between& between) {
    std::set<std::string> seen;
    std::string cursor = "0";
    do {
      const std::string reply = client->Call({"SCAN", cursor, "COUNT", count});
      std::vector<std::string_view> lines = Words(reply, '\n');
      cursor = std::string(lines[2].substr(0, lines[2].size() - 1));
      for (size_t i = 5; i < lines.size(); i += 2) {
        seen.emplace(lines[i].substr(0, lines[i].size() - 1));
      }
      between();
    } while (cursor != "0");
    return seen;
  }
};

TEST_F(ScanTest, ShowsEveryKeyThatStays) {
  const auto client = Connect();
  const size_t count = varve::test::Scaled(300);
  for (size_t i = 0; i < count; ++i) client->Call({"SET", "stays" + std::to_string(i), "v"});
  int step = 0;
  const std::set<std::string> seen = ScanAll(client, "7", [&] {
    client->Call({"SET", "comes" + std::to_string(step), "v"});
    client->Call({"DEL", "comes" + std::to_string(step / 2)});
    ++step;
  });
  for (size_t i = 0; i < count; ++i) EXPECT_TRUE(seen.contains("stays" + std::to_string(i))) << i;
}

// Keys in segments and memtables, whose beginnings are all one, while others write, flush and merge.
TEST_F(ScanTest, ShowsEveryKeyThatStaysInSegments) {
  const auto client = Connect();
  const size_t count = varve::test::Scaled(5000);
  const auto name = [](size_t i) { return "the same beginning " + std::to_string(i); };
  for (size_t i = 0; i < count; ++i) {
    client->Call({"SET", name(i), "v"});
    if (i % (count / 4) == 0) {
      ASSERT_OK(db_->Flush());
    }
  }
  std::atomic<bool> ends{false};
  std::thread other([&] {
    const auto writer = Connect(1);
    for (int i = 0; !ends; ++i) {
      writer->Call({"SET", "the same beginning comes" + std::to_string(i), "v"});
      writer->Call({"DEL", "the same beginning comes" + std::to_string(i / 2)});
    }
  });
  int step = 0;
  const std::set<std::string> seen = ScanAll(client, "100", [&] {
    if (++step % 10 == 0) {
      EXPECT_OK(step % 20 == 0 ? db_->Compact() : db_->Flush());
    }
  });
  ends = true;
  other.join();
  for (size_t i = 0; i < count; ++i) EXPECT_TRUE(seen.contains(name(i))) << i;
}

TEST_F(ScanTest, GoesOnAfterARestart) {
  auto client = Connect();
  // Keys whose first two bytes tell them apart: a position that was forgotten makes progress.
  for (char c = 'a'; c <= 'z'; ++c) client->Call({"SET", std::string(1, c) + "x", "v"});
  const std::set<std::string> seen = ScanAll(client, "3", [&] {
    client.reset();
    Restart();
    client = Connect();
  });
  EXPECT_EQ(seen.size(), 26u);
}

TEST(Glob, MatchesInBoundedTime) {
  EXPECT_TRUE(MatchesGlob("a*b?[c-e]\\*", "aXYZbQd*"));
  EXPECT_FALSE(MatchesGlob("a*b?[c-e]\\*", "aXYZbQf*"));
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  EXPECT_FALSE(MatchesGlob(pattern + "b", std::string(2000, 'a')));
}

TEST(Glob, LiteralPrefix) {
  EXPECT_EQ(LiteralPrefix("user:*"), "user:");
  EXPECT_EQ(LiteralPrefix("*"), "");
  for (const std::string pattern : {"a\\*b*", "ab[c]", "a?"}) {
    EXPECT_TRUE(std::string("a").starts_with(LiteralPrefix(pattern)) || pattern.starts_with(LiteralPrefix(pattern)));
  }
}

}  // namespace scan_test
}  // namespace varve::server::test
