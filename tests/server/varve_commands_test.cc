// Our own commands, and dumps.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "server/rdb_string.h"
#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace varve_commands_test {

class VarveCommandsTest : public ServerTest {};

TEST_F(VarveCommandsTest, RangesAreInOrder) {
  const auto a = Connect();
  for (const std::string_view key : {"b", "a", "d", "c"}) a->Call({"SET", key, key});
  EXPECT_EQ(a->Call({"V.RANGE", "", "", "KEYS"}), "*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n");
  EXPECT_EQ(a->Call({"V.RANGE", "b", "d"}), "*4\r\n$1\r\nb\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nc\r\n");
  EXPECT_EQ(a->Call({"V.RANGE", "b", "d", "REV", "KEYS"}), "*2\r\n$1\r\nc\r\n$1\r\nb\r\n");
  EXPECT_EQ(a->Call({"V.RANGE", "b", "", "LIMIT", "1", "KEYS"}), "*1\r\n$1\r\nb\r\n");
  EXPECT_EQ(a->Call({"V.RANGE", "d", "b"}), "*0\r\n");
  EXPECT_EQ(a->Call({"V.RANGE", "", "", "LIMIT", "0"}), "*0\r\n");
  EXPECT_EQ(a->Call({"V.RANGE", "", "", "LIMIT", "-1"}), "-ERR LIMIT can't be negative\r\n");
  EXPECT_EQ(a->Call({"V.RANGE", "", "", "AFTER", "b"}), "-ERR syntax error\r\n");
}

// Against a map, over what lies in memory, in segments, has expired and was deleted; also within a transaction.
TEST_F(VarveCommandsTest, RangesAreThoseOfAMap) {
  const auto client = Connect();
  Random random(1);
  std::map<std::string, std::string> map;
  const auto key = [&] { return "k" + std::string(random.Uniform(3), 'x') + std::to_string(random.Uniform(100)); };
  for (int step = 0; step < 3000; ++step) {
    const std::string name = key();
    const uint64_t kind = random.Uniform(20);
    if (kind < 8) {
      const std::string value = std::to_string(step);
      client->Call({"SET", name, value});
      map[name] = value;
    } else if (kind < 10) {
      client->Call({"SET", name, "short", "PX", "1"});
      AdvanceMillis(2);
      map.erase(name);
    } else if (kind < 13) {
      client->Call({"DEL", name});
      map.erase(name);
    } else if (kind == 13 && step % 10 == 0) {
      ASSERT_OK(db_->Flush());
    } else {
      std::string from = random.OneIn(5) ? "" : key();
      std::string to = random.OneIn(5) ? "" : key();
      const bool reverses = random.OneIn(2);
      const bool only_keys = random.OneIn(2);
      const std::string limit = std::to_string(random.Uniform(8));
      std::vector<std::string_view> command = {"V.RANGE", from, to};
      const bool has_limit = random.OneIn(2);
      if (has_limit) command.insert(command.end(), {"LIMIT", limit});
      if (reverses) command.emplace_back("REV");
      if (only_keys) command.emplace_back("KEYS");
      std::vector<std::pair<std::string, std::string>> found;
      for (const auto& pair : map) {
        if (pair.first >= from && (to.empty() || pair.first < to)) found.push_back(pair);
      }
      if (reverses) std::reverse(found.begin(), found.end());
      if (has_limit) found.resize(std::min<size_t>(found.size(), std::stoul(limit)));
      std::vector<std::string_view> expected;
      for (const auto& pair : found) {
        expected.push_back(pair.first);
        if (!only_keys) expected.push_back(pair.second);
      }
      if (random.OneIn(4)) {
        client->Call({"MULTI"});
        client->Call(command);
        EXPECT_EQ(client->Call({"EXEC"}), "*1\r\n" + Encode(expected)) << step;
      } else {
        ASSERT_EQ(client->Call(command), Encode(expected)) << step << ": from " << from << " to " << to;
      }
    }
  }
}

TEST_F(VarveCommandsTest, NestedKeys) {
  const auto a = Connect();
  for (const std::string_view key : {"s/f/apple", "s/f/pear", "s/f", "s/v", "t"}) a->Call({"SET", key, "1"});
  EXPECT_EQ(a->Call({"V.LS", "s"}), "*2\r\n*3\r\n$1\r\nf\r\n:1\r\n:1\r\n*3\r\n$1\r\nv\r\n:1\r\n:0\r\n");
  EXPECT_EQ(a->Call({"V.LS", "s", "AFTER", "f"}), "*1\r\n*3\r\n$1\r\nv\r\n:1\r\n:0\r\n");
  EXPECT_EQ(a->Call({"V.TREE", "s/f", "KEYS"}), "*3\r\n$3\r\ns/f\r\n$9\r\ns/f/apple\r\n$8\r\ns/f/pear\r\n");
  EXPECT_EQ(a->Call({"V.MVTREE", "s/f", "t"}), "-BUSYKEY Target node already exists.\r\n");
  EXPECT_EQ(a->Call({"V.MVTREE", "nosuch", "x"}), "-ERR no such node\r\n");
  EXPECT_EQ(a->Call({"V.MVTREE", "s/f", "u"}), "+OK\r\n");
  EXPECT_EQ(a->Call({"V.TREE", "u", "KEYS", "LIMIT", "2"}), "*2\r\n$1\r\nu\r\n$7\r\nu/apple\r\n");
  EXPECT_EQ(a->Call({"V.MVTREE", "u", "t", "REPLACE"}), "+OK\r\n");
  EXPECT_EQ(a->Call({"V.RMTREE", "t"}), "+OK\r\n");
  EXPECT_EQ(a->Call({"KEYS", "*"}), "*1\r\n$3\r\ns/v\r\n");
  for (const std::string_view key : {"r1", "r2", "r3"}) a->Call({"SET", key, "1"});
  EXPECT_EQ(a->Call({"V.DELRANGE", "r1", "r3"}), "+OK\r\n");
  EXPECT_EQ(a->Call({"V.DELRANGE", "r4", "r3"}), "+OK\r\n");
  EXPECT_EQ(a->Call({"V.DELRANGE", "r3", ""}), "+OK\r\n") << "nothing is before an empty text";
  EXPECT_EQ(a->Call({"KEYS", "r*"}), "*1\r\n$2\r\nr3\r\n");
  EXPECT_TRUE(a->Call({"V.LS", "a//b"}).starts_with("-ERR "));
  a->Call({"MULTI"});
  a->Call({"SET", "s/w", "1"});
  a->Call({"V.LS", "s"});
  a->Call({"V.RMTREE", "s"});
  a->Call({"EXISTS", "s/w"});
  EXPECT_EQ(a->Call({"EXEC"}),
            "*4\r\n+OK\r\n*2\r\n*3\r\n$1\r\nv\r\n:1\r\n:0\r\n*3\r\n$1\r\nw\r\n:1\r\n:0\r\n+OK\r\n:0\r\n");
}

TEST_F(VarveCommandsTest, CompareAndSet) {
  const auto a = Connect();
  EXPECT_EQ(a->Call({"V.CAS", "k", "IF", "x", "SET", "y"}), ":0\r\n");
  EXPECT_EQ(a->Call({"V.CAS", "k", "IFABSENT", "SET", "x"}), ":1\r\n");
  EXPECT_EQ(a->Call({"V.CAS", "k", "IFABSENT", "SET", "z"}), ":0\r\n");
  EXPECT_EQ(a->Call({"V.CAS", "k", "IF", "x", "SET", "y"}), ":1\r\n");
  EXPECT_EQ(a->Call({"GET", "k"}), "$1\r\ny\r\n");
  EXPECT_EQ(a->Call({"V.CAS", "k", "IF", "x", "DEL"}), ":0\r\n");
  EXPECT_EQ(a->Call({"V.CAS", "k", "IF", "y", "DEL"}), ":1\r\n");
  EXPECT_EQ(a->Call({"EXISTS", "k"}), ":0\r\n");
  for (const auto& bad : std::vector<std::vector<std::string_view>>{
           {"V.CAS", "k", "IF", "x"}, {"V.CAS", "k", "IF", "x", "SET"}, {"V.CAS", "k", "IFABSENT", "x"},
           {"V.CAS", "k", "NX", "SET", "x"}, {"V.CAS", "k", "IFABSENT", "DEL", "x"}}) {
    EXPECT_EQ(a->Call(bad), "-ERR syntax error\r\n");
  }
}

// What is answered after V.DURABILITY sync survives a power cut; without, it need not.
TEST_F(VarveCommandsTest, DurabilityOfAConnection) {
  const auto a = Connect();
  EXPECT_EQ(a->Call({"V.DURABILITY"}), "$7\r\nprocess\r\n");
  EXPECT_EQ(a->Call({"V.DURABILITY", "sync"}), "+OK\r\n");
  EXPECT_EQ(a->Call({"V.DURABILITY"}), "$4\r\nsync\r\n");
  a->Call({"SET", "k", "v"});
  const std::unique_ptr<CrashEnv> after = env_.CloneAfterPowerCut({});
  varve::Options options;
  options.env = after.get();
  const Result<std::unique_ptr<Db>> db = Db::Open("/db", options);
  ASSERT_OK(db);
  EXPECT_OK((*db)->Get("k"));
  EXPECT_EQ(a->Call({"V.DURABILITY", "process"}), "+OK\r\n");
  EXPECT_EQ(a->Call({"WAITAOF", "1", "0", "0"}), "*2\r\n:1\r\n:0\r\n");
  EXPECT_EQ(a->Call({"V.DURABILITY", "never"}), "-ERR syntax error\r\n");
  a->Call({"SET", "later", "v"});
  EXPECT_EQ(a->Call({"WAITAOF", "1", "0", "0"}), "*2\r\n:1\r\n:0\r\n");
  const std::unique_ptr<CrashEnv> then = env_.CloneAfterPowerCut({});
  options.env = then.get();
  const Result<std::unique_ptr<Db>> waited = Db::Open("/db", options);
  ASSERT_OK(waited);
  EXPECT_OK((*waited)->Get("later")) << "WAITAOF has waited until a loss of power takes nothing";
}

TEST(RdbString, RoundTrips) {
  EXPECT_EQ(Crc64("123456789"), 0xe9c6d914c4b8d9ca);
  for (const std::string& value : {std::string(), std::string("x"), std::string("-128"), std::string("127"),
                                  std::string("-32768"), std::string("2147483647"), std::string("2147483648"),
                                  std::string("007"), std::string(63, 'x'), std::string(64, 'x'),
                                  std::string(16383, 'x'), std::string(16384, 'x'), std::string(70000, '\0')}) {
    const std::string dump = DumpString(value);
    ASSERT_TRUE(IsWholeDump(dump));
    EXPECT_EQ(RestoreString(dump, 1 << 20), value);
    if (!value.empty()) {
      EXPECT_EQ(RestoreString(dump, value.size() - 1), std::nullopt);
    }
  }
}

// No damage gets past the checksum; and behind a right checksum nothing makes it read what is not there.
TEST(RdbString, DamageIsSeen) {
  const std::string dump = DumpString("hello world");
  for (size_t bit = 0; bit < dump.size() * 8; ++bit) {
    std::string damaged = dump;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(IsWholeDump(damaged)) << bit;
  }
  EXPECT_FALSE(IsWholeDump(dump.substr(0, 9)));
  uint64_t state = 1;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(1, '\0');
    state = state * 6364136223846793005 + 1442695040888963407;
    for (uint64_t left = state >> 60; left > 0; --left) {
      state = state * 6364136223846793005 + 1442695040888963407;
      bytes.push_back(static_cast<char>((state >> 33) % 3 == 0 ? 0xC3 : state >> 40));
    }
    bytes.append(10, '\0');
    const std::optional<std::string> value = RestoreString(bytes, 1 << 16);
    if (value) {
      EXPECT_LE(value->size(), size_t{1} << 16);
    }
  }
}

}  // namespace varve_commands_test
}  // namespace varve::server::test
