#include "client/remote_db.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "tests/client/fake_server.h"
#include "tests/support/status_matchers.h"
#include "varve/tree.h"

namespace varve::client {
namespace remote_db_test {

// With and without V.RANGE.
class RemoteDbTest : public testing::TestWithParam<bool> {
 protected:
  RemoteDbTest()
      : store_(NewFakeStore(GetParam())),
        server_([this] { return NewStoreSession(store_); }),
        db_(Open()) {}

  std::unique_ptr<Db> Open() {
    auto client = Client::Connect(server_.endpoint());
    EXPECT_TRUE(client.ok()) << client.status().ToString();
    return RemoteDb::Make(*std::move(client), 0, Env::Default()->clock());
  }
  size_t CountRequests(const std::string& name) {
    size_t count = 0;
    for (const Words& words : server_.Requests()) count += words[0] == name ? 1 : 0;
    return count;
  }

  std::shared_ptr<FakeStore> store_;
  FakeServer server_;
  std::unique_ptr<Db> db_;
};

INSTANTIATE_TEST_SUITE_P(WithAndWithoutRanges, RemoteDbTest, testing::Bool());

TEST_P(RemoteDbTest, PutGetDelete) {
  const std::string key("k\0\xff\r\n", 5);
  ASSERT_TRUE(db_->Put(key, "v").ok());
  EXPECT_EQ(*db_->Get(key), "v");
  EXPECT_EQ(db_->GetPinned(key)->view(), "v");
  EXPECT_TRUE(db_->Get("other").status().IsNotFound());
  EXPECT_TRUE(db_->GetPinned("other").status().IsNotFound());
  const auto both = db_->MultiGet({"other", key});
  EXPECT_TRUE(both[0].status().IsNotFound());
  EXPECT_EQ(*both[1], "v");
  ASSERT_TRUE(db_->Delete(key).ok());
  EXPECT_TRUE(db_->Get(key).status().IsNotFound());
}

TEST_P(RemoteDbTest, TimeToLive) {
  using std::chrono::milliseconds;
  ASSERT_TRUE(db_->Put("k", "v", {.ttl = milliseconds(1500)}).ok());
  EXPECT_EQ(**db_->TimeToLive("k"), milliseconds(1500));
  ASSERT_TRUE(db_->Expire("k", milliseconds(700)).ok());
  EXPECT_EQ(**db_->TimeToLive("k"), milliseconds(700));
  ASSERT_TRUE(db_->Persist("k").ok());
  EXPECT_FALSE(db_->TimeToLive("k")->has_value());
  EXPECT_TRUE(db_->TimeToLive("absent").status().IsNotFound());
  EXPECT_TRUE(db_->Expire("absent", milliseconds(700)).IsNotFound());
  EXPECT_TRUE(db_->Persist("absent").IsNotFound());
  ASSERT_TRUE(db_->Expire("k", milliseconds(0)).ok());
  EXPECT_TRUE(db_->Get("k").status().IsNotFound());
  ASSERT_TRUE(db_->Put("k", "v").ok());
  ASSERT_TRUE(db_->Put("k", "v", {.ttl = milliseconds(-1)}).ok());
  EXPECT_TRUE(db_->Get("k").status().IsNotFound());
}

TEST_P(RemoteDbTest, ConditionalWritesAreOneStep) {
  EXPECT_EQ(*db_->Increment("n", 5), 5);
  ASSERT_TRUE(db_->Expire("n", std::chrono::milliseconds(900)).ok());
  EXPECT_EQ(*db_->Increment("n", 5), 10);
  EXPECT_EQ(**db_->TimeToLive("n"), std::chrono::milliseconds(900));
  EXPECT_TRUE(db_->CompareAndSet("n", "10", "11").ok());
  EXPECT_EQ(db_->CompareAndSet("n", "10", "12").code(), StatusCode::kConflict);
  EXPECT_EQ(*db_->Get("n"), "11");
}

// Goal: no increment is lost between two clients. Method: both increment; a WATCH that meets the
// other's change makes it try again.
TEST_P(RemoteDbTest, ConditionalWritesOfTwoClientsAreAllCounted) {
  constexpr int kEach = 50;
  const auto count = [](Db* db) {
    for (int i = 0; i < kEach; ++i) ASSERT_TRUE(db->Increment("n").ok());
  };
  const auto other = Open();
  std::thread thread([&] { count(other.get()); });
  count(db_.get());
  thread.join();
  EXPECT_EQ(*db_->Get("n"), std::to_string(2 * kEach));
}

TEST_P(RemoteDbTest, ABatchIsOneTransactionOverDatabases) {
  const auto space = db_->OpenNamespace("db2");
  ASSERT_TRUE(space.ok()) << space.status().ToString();
  WriteBatch batch;
  batch.Put("\xff" "a", "1");
  batch.Put(**space, "b", "2");
  batch.Put("c", "3", std::chrono::milliseconds(800));
  batch.Delete("absent");
  ASSERT_TRUE(db_->Write(batch).ok());
  EXPECT_EQ(CountRequests("MULTI"), 1u);
  EXPECT_EQ(*db_->Get("\xff" "a"), "1");
  EXPECT_TRUE(db_->Get("b").status().IsNotFound());
  EXPECT_EQ(*(*space)->Get("b"), "2");
  EXPECT_EQ(**db_->TimeToLive("c"), std::chrono::milliseconds(800));
  batch.DeleteRange("a", "b");
  EXPECT_EQ(db_->Write(batch).code(), StatusCode::kNotSupported);
}

TEST_P(RemoteDbTest, RangesAreDeletedByServersThatKnowHow) {
  for (const char* key : {"a", "b", "b1", "c"}) ASSERT_TRUE(db_->Put(key, "v").ok());
  const Status status = db_->DeleteRange("b", "c");
  EXPECT_EQ(db_->Get("c").ok(), true);
  if (!GetParam()) {
    EXPECT_EQ(status.code(), StatusCode::kNotSupported) << status.ToString();
    EXPECT_TRUE(db_->Get("b").ok());
    return;
  }
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_TRUE(db_->Get("a").ok());
  EXPECT_TRUE(db_->Get("b").status().IsNotFound());
  EXPECT_TRUE(db_->Get("b1").status().IsNotFound());
}

TEST_P(RemoteDbTest, NamespacesAreDatabases) {
  for (const char* name : {"", "users", "db", "db0", "db01", "dbx", "db-1"}) {
    EXPECT_EQ(db_->OpenNamespace(name).status().code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_FALSE(db_->OpenNamespace("db99").ok());
  const auto third = db_->OpenNamespace("db3");
  ASSERT_TRUE(third.ok());
  ASSERT_TRUE((*third)->Put("k", "third").ok());
  ASSERT_TRUE(db_->Put("k", "first").ok());
  EXPECT_EQ(*(*third)->Get("k"), "third");
  EXPECT_EQ(*db_->Get("k"), "first");
  const auto infos = db_->ListNamespaces();
  ASSERT_TRUE(infos.ok());
  ASSERT_EQ(infos->size(), 1u);
  EXPECT_EQ((*infos)[0].name, "db3");
  ASSERT_TRUE((*third)->Clear().ok());
  EXPECT_TRUE((*third)->Get("k").status().IsNotFound());
  EXPECT_EQ(*db_->Get("k"), "first");
}

TEST_P(RemoteDbTest, SyncSaysWhenTheServerCannotTell) {
  const Status status = db_->Put("k", "v", {.durability = Durability::kSync});
  EXPECT_EQ(status.code(), StatusCode::kNotSupported);
  EXPECT_EQ(status.message().substr(0, 13), "it is written") << status.ToString();
  EXPECT_EQ(*db_->Get("k"), "v");
}

// Goal: an iterator shows what a map shows. Method: random keys, many with the bytes that bounds and
// patterns trip over, random bounds, random moves, against std::map.
TEST_P(RemoteDbTest, IteratorsAgreeWithAMap) {
  Random random(7);
  const auto random_key = [&] {
    static constexpr std::string_view kBytes("\0\x01*?[]\\^-ab\xfe\xff", 13);
    std::string key;
    for (uint64_t i = random.Uniform(4); i > 0; --i) key.push_back(kBytes[random.Uniform(kBytes.size())]);
    return key;
  };
  std::map<std::string, std::string> model;
  WriteBatch batch;
  for (int i = 0; i < 300; ++i) {
    const std::string key = random_key() + random_key();
    model[key] = std::to_string(i);
    batch.Put(key, model[key]);
  }
  ASSERT_TRUE(db_->Write(batch).ok());
  for (int round = 0; round < 40; ++round) {
    const std::string prefix = random.Uniform(2) == 0 ? "" : random_key().substr(0, 1);
    IteratorOptions options{.prefix = prefix};
    const std::string lower = random_key();
    const std::string upper = random_key();
    if (random.Uniform(2) == 0) options.lower_bound = lower;
    if (random.Uniform(2) == 0) options.upper_bound = upper;
    std::vector<std::string> expected;
    for (const auto& [key, value] : model) {
      if (key.starts_with(prefix) && (!options.lower_bound || key >= lower) &&
          (!options.upper_bound || key < upper)) {
        expected.push_back(key);
      }
    }
    const auto it = db_->NewIterator(options);
    std::vector<std::string> seen;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      seen.emplace_back(it->key());
      if (round % 2 == 0) { ASSERT_EQ(it->value(), model[seen.back()]); }
    }
    ASSERT_TRUE(it->status().ok()) << it->status().ToString();
    ASSERT_EQ(seen, expected) << round;
    seen.clear();
    for (it->SeekToLast(); it->Valid(); it->Prev()) seen.insert(seen.begin(), std::string(it->key()));
    ASSERT_EQ(seen, expected) << round;
    for (int move = 0; move < 8; ++move) {
      const std::string target = random_key();
      it->Seek(target);
      const auto at = std::lower_bound(expected.begin(), expected.end(), target);
      ASSERT_EQ(it->Valid(), at != expected.end());
      if (it->Valid()) { ASSERT_EQ(it->key(), *at); }
      if (it->Valid()) {
        it->Prev();
        ASSERT_EQ(it->Valid(), at != expected.begin());
        if (it->Valid()) { ASSERT_EQ(it->key(), *(at - 1)); }
      }
      it->SeekForPrev(target);
      const auto after = std::upper_bound(expected.begin(), expected.end(), target);
      ASSERT_EQ(it->Valid(), after != expected.begin());
      if (!it->Valid()) continue;
      ASSERT_EQ(it->key(), *(after - 1));
      it->Next();
      ASSERT_EQ(it->Valid(), after != expected.end());
      if (it->Valid()) { ASSERT_EQ(it->key(), *after); }
    }
  }
}

TEST_P(RemoteDbTest, AWalkOfKeysAsksForFewValues) {
  WriteBatch batch;
  for (int i = 1000; i < 2000; ++i) batch.Put(std::to_string(i), "v");
  ASSERT_TRUE(db_->Write(batch).ok());
  const auto it = db_->NewIterator();
  int count = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++count;
  EXPECT_EQ(count, 1000);
  EXPECT_LE(CountRequests("MGET"), 1u);
  EXPECT_LE(CountRequests("V.RANGE"), 12u);
  size_t with_values = 0;
  for (const Words& words : server_.Requests()) {
    with_values += words[0] == "V.RANGE" && words.back() != "KEYS" ? 1 : 0;
  }
  EXPECT_LE(with_values, 1u + (GetParam() ? 0 : 1));
}

TEST_P(RemoteDbTest, AnIteratorSeesDeadlines) {
  ASSERT_TRUE(db_->Put("a", "1").ok());
  ASSERT_TRUE(db_->Put("b", "2", {.ttl = std::chrono::milliseconds(5)}).ok());
  const auto it = db_->NewIterator();
  it->SeekToFirst();
  EXPECT_EQ(it->expire_at_millis(), 0u);
  it->Next();
  EXPECT_EQ(it->expire_at_millis(), 1'700'000'000'005u);
  EXPECT_EQ(it->value(), "2");
}

TEST_P(RemoteDbTest, AnIteratorOfABrokenConnectionSaysSo) {
  FakeServer server([](const Words&) -> std::optional<std::string> { return std::nullopt; });
  const std::unique_ptr<Db> db =
      RemoteDb::Make(*Client::Connect(server.endpoint()), 0, Env::Default()->clock());
  const auto it = db->NewIterator();
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  EXPECT_EQ(it->status().code(), StatusCode::kUnavailable);
}

TEST_P(RemoteDbTest, TreesWorkOverIt) {
  Tree tree(db_.get());
  for (const char* path : {"shop/fruit/apple", "shop/fruit/pear", "shop/tea", "other"}) {
    ASSERT_TRUE(tree.Put(path, path).ok());
  }
  const auto children = tree.Children("shop");
  ASSERT_TRUE(children.ok());
  ASSERT_EQ(children->size(), 2u);
  EXPECT_EQ((*children)[0].name, "fruit");
  EXPECT_EQ((*children)[1].name, "tea");
  EXPECT_EQ(*tree.Count("shop"), 3u);
  const Status removed = RemoteDb::From(db_.get())->RemoveTree(*db_, "shop/fruit", {});
  if (!GetParam()) {
    EXPECT_EQ(removed.code(), StatusCode::kNotSupported);
    return;
  }
  ASSERT_TRUE(removed.ok()) << removed.ToString();
  EXPECT_EQ(*tree.Count("shop"), 1u);
  RemoteDb* const remote = RemoteDb::From(db_.get());
  EXPECT_TRUE(remote->MoveTree(*db_, "absent", "x", false, {}).IsNotFound());
  EXPECT_EQ(remote->MoveTree(*db_, "shop", "taken", false, {}).code(), StatusCode::kConflict);
}

}  // namespace remote_db_test
}  // namespace varve::client
