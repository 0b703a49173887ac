// TypedDb over a store, and over what is merely like one.
#include "varve/typed_db.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "env/crash_env.h"
#include "tests/support/status_matchers.h"

namespace varve::test {
namespace typed_db_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct UserV1 {
  std::string name;
};
struct User {
  using VarvePrevious = UserV1;
  static User VarveUpgrade(UserV1 old) { return {std::move(old.name), 0}; }
  std::string name;
  uint32_t age = 0;
  bool operator==(const User&) const = default;
};
using EventKey = std::tuple<std::string, Descending<uint32_t>>;

class TypedDbTest : public testing::Test {
 protected:
  TypedDbTest() {
    Options options;
    options.env = &env_;
    options.memory_budget_bytes = 8 << 20;
    auto db = Db::Open("/db", options);
    EXPECT_OK(db);
    db_ = *std::move(db);
  }
  template <typename K, typename V>
  static std::vector<K> KeysOf(TypedIterator<K, V> it) {
    std::vector<K> keys;
    for (it.SeekToFirst(); it.Valid(); it.Next()) keys.push_back(it.key());
    EXPECT_OK(it.status());
    return keys;
  }

  CrashEnv env_;
  std::unique_ptr<Db> db_;
};

TEST_F(TypedDbTest, ReadsWhatItWrote) {
  TypedDb<int64_t, User> users(db_.get(), "user/");
  EXPECT_STATUS(kNotFound, users.Get(-7));
  ASSERT_OK(users.Put(-7, {"Ann", 41}));
  ASSERT_OK(users.Put(8, {"Bob", 7}, {.durability = Durability::kSync}));
  const Result<User> ann = users.Get(-7);
  ASSERT_OK(ann);
  EXPECT_EQ(*ann, (User{"Ann", 41}));
  const std::vector<Result<User>> both = users.MultiGet({8, 9, -7});
  ASSERT_EQ(both.size(), 3u);
  EXPECT_EQ(both[0]->name + both[2]->name, "BobAnn");
  EXPECT_STATUS(kNotFound, both[1]);
  ASSERT_OK(users.Delete(-7));
  EXPECT_STATUS(kNotFound, users.Get(-7));
  ASSERT_OK(users.Delete(8, {.durability = Durability::kNone}));
  EXPECT_THAT(KeysOf(users.NewIterator()), IsEmpty());
}

TEST_F(TypedDbTest, SnapshotsAreHonoured) {
  TypedDb<uint8_t, std::string> db(db_.get());
  ASSERT_OK(db.Put(1, "old"));
  const auto snapshot = db_->GetSnapshot();
  ASSERT_OK(db.Put(1, "new"));
  ASSERT_OK(db.Put(2, "new"));
  EXPECT_EQ(*db.Get(1, {.snapshot = snapshot.get()}), "old");
  EXPECT_THAT(KeysOf(db.NewIterator({.snapshot = snapshot.get()})), ElementsAre(1));
}

TEST_F(TypedDbTest, AnotherTypeIsAnError) {
  TypedDb<std::string, User> users(db_.get());
  TypedDb<std::string, double> numbers(db_.get());
  ASSERT_OK(users.Put("ann", {"Ann", 41}));
  EXPECT_STATUS(kInvalidArgument, numbers.Get("ann"));
  EXPECT_STATUS(kInvalidArgument, numbers.MultiGet({"ann"})[0]);
  ASSERT_OK(db_->Put("plain", "bytes"));
  EXPECT_STATUS(kInvalidArgument, users.Get("plain"));
  std::string damaged = *db_->Get("ann");
  damaged.pop_back();
  ASSERT_OK(db_->Put("ann", damaged));
  EXPECT_STATUS(kCorruption, users.Get("ann"));
}

TEST_F(TypedDbTest, RangesFollowTheOrderOfTheKeys) {
  TypedDb<int32_t, bool> db(db_.get(), "n/");
  ASSERT_OK(db_->Put("m", "before"));
  ASSERT_OK(db_->Put("n0", "after"));
  for (const int32_t key : {300, -5, 0, 2, -300}) ASSERT_OK(db.Put(key, true));
  EXPECT_THAT(KeysOf(db.NewIterator()), ElementsAre(-300, -5, 0, 2, 300));
  EXPECT_THAT(KeysOf(db.NewIterator({.lower_bound = -5, .upper_bound = 2})), ElementsAre(-5, 0));
  auto it = db.NewIterator();
  EXPECT_FALSE(it.Valid());
  it.Seek(1);
  ASSERT_TRUE(it.Valid());
  EXPECT_EQ(it.key(), 2);
  it.SeekForPrev(1);
  ASSERT_TRUE(it.Valid());
  EXPECT_EQ(it.key(), 0);
  it.Prev();
  EXPECT_EQ(it.key(), -5);
  it.SeekToLast();
  EXPECT_EQ(it.key(), 300);
  EXPECT_TRUE(it.value());
  it.Next();
  EXPECT_FALSE(it.Valid());
  EXPECT_OK(it.status());
  ASSERT_OK(db.DeleteRange(-5, 300));
  EXPECT_THAT(KeysOf(db.NewIterator()), ElementsAre(-300, 300));
}

TEST_F(TypedDbTest, PrefixesAreWholeParts) {
  TypedDb<EventKey, std::string> events(db_.get(), "e/");
  for (const char* user : {"an", "ann", "anna"}) {
    for (uint32_t when = 1; when <= 3; ++when) {
      ASSERT_OK(events.Put(EventKey(user, {when}), "x"));
    }
  }
  const auto keys = KeysOf(events.NewIterator({.prefix = events.Prefix("ann")}));
  EXPECT_THAT(keys, ElementsAre(EventKey("ann", {3}), EventKey("ann", {2}), EventKey("ann", {1})));
  TypedDb<std::string, int> plain(db_.get());
  ASSERT_OK(plain.Put("user:1", 1));
  ASSERT_OK(plain.Put("user:2", 2));
  EXPECT_THAT(KeysOf(plain.NewIterator({.prefix = "user:"})), ElementsAre("user:1", "user:2"));
}

TEST_F(TypedDbTest, IterationEndsAtAForeignEntry) {
  TypedDb<uint16_t, std::string> db(db_.get(), "d/");
  ASSERT_OK(db.Put(1, "one"));
  ASSERT_OK(db.Put(3, "three"));
  const std::string foreign_key = "d/" + std::string("\x00\x02\x00", 3);
  ASSERT_OK(db_->Put(foreign_key, "x"));
  auto it = db.NewIterator();
  it.SeekToFirst();
  ASSERT_TRUE(it.Valid());
  it.Next();
  EXPECT_FALSE(it.Valid());
  EXPECT_STATUS(kInvalidArgument, it.status());
  it.SeekToLast();  // and goes on elsewhere
  ASSERT_TRUE(it.Valid());
  EXPECT_OK(it.status());
  ASSERT_OK(db_->Delete(foreign_key));
  ASSERT_OK(db_->Put(db.RawKey(2), "not typed"));
  it = db.NewIterator();
  it.Seek(2);
  EXPECT_FALSE(it.Valid());
  EXPECT_STATUS(kInvalidArgument, it.status());
}

TEST_F(TypedDbTest, CompareAndSetComparesValues) {
  TypedDb<std::string, std::unordered_map<std::string, int>> db(db_.get());
  std::unordered_map<std::string, int> one, same;
  same.reserve(500);
  for (int i = 0; i < 50; ++i) one[std::to_string(i)] = same[std::to_string(49 - i)] = 0;
  EXPECT_STATUS(kConflict, db.CompareAndSet("k", one, std::nullopt));
  ASSERT_OK(db.CompareAndSet("k", std::nullopt, one));
  EXPECT_STATUS(kConflict, db.CompareAndSet("k", std::nullopt, one));
  same["0"] = 1;
  EXPECT_STATUS(kConflict, db.CompareAndSet("k", same, std::nullopt));
  same["0"] = 0;
  ASSERT_OK(db.CompareAndSet("k", same, std::nullopt));
  EXPECT_STATUS(kNotFound, db.Get("k"));
}

TEST_F(TypedDbTest, CompareAndSetSeesUpgradedValues) {
  TypedDb<std::string, UserV1> old(db_.get());
  TypedDb<std::string, User> users(db_.get());
  ASSERT_OK(old.Put("k", {"Ann"}));
  EXPECT_STATUS(kConflict, users.CompareAndSet("k", User{"Bob", 0}, User{"Bob", 1}));
  ASSERT_OK(users.CompareAndSet("k", *users.Get("k"), User{"Ann", 1}));
  EXPECT_EQ(users.Get("k")->age, 1u);
  EXPECT_STATUS(kConflict, users.CompareAndSet("absent", User{"Ann", 1}, std::nullopt));
}

TEST_F(TypedDbTest, BatchesSpanTypes) {
  TypedDb<uint32_t, User> users(db_.get(), "u/");
  TypedDb<std::string, uint32_t> ids(db_.get(), "i/");
  ASSERT_OK(ids.Put("old", 7));
  WriteBatch batch;
  ASSERT_OK(users.BatchPut(&batch, 1, {"Ann", 41}));
  ASSERT_OK(ids.BatchPut(&batch, "Ann", 1));
  ids.BatchDelete(&batch, "old");
  EXPECT_STATUS(kNotFound, ids.Get("Ann"));
  ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(users.Get(*ids.Get("Ann"))->name, "Ann");
  EXPECT_STATUS(kNotFound, ids.Get("old"));
}

TEST_F(TypedDbTest, SingleValuesUnderPlainKeys) {
  ASSERT_OK(varve::Put(*db_, "ann", User{"Ann", 41}));
  EXPECT_EQ(varve::Get<User>(*db_, "ann")->age, 41u);
  EXPECT_STATUS(kInvalidArgument, varve::Get<std::string>(*db_, "ann"));
}

TEST_F(TypedDbTest, LimitsOfTheStoreAreReported) {
  TypedDb<std::vector<std::string>, int> db(db_.get());
  EXPECT_STATUS(kInvalidArgument, db.Put({std::string(70'000, 'x')}, 1));
}

// What a transaction may look like: plain calls only.
class SmallStore {
 public:
  Status Put(std::string_view key, std::string_view value) {
    map_[std::string(key)] = value;
    return {};
  }
  Status Delete(std::string_view key) {
    map_.erase(std::string(key));
    return {};
  }
  Result<std::string> Get(std::string_view key) {
    const auto found = map_.find(std::string(key));
    return found == map_.end() ? Result<std::string>(Status::NotFound()) : found->second;
  }

 private:
  std::map<std::string, std::string> map_;
};

TEST(TypedStoreTest, PlainCallsAreEnough) {
  SmallStore store;
  TypedDb<uint32_t, User, SmallStore> users(&store, "u/");
  ASSERT_OK(users.Put(1, {"Ann", 41}));
  EXPECT_EQ(users.Get(1)->age, 41u);
  ASSERT_OK(users.Delete(1));
  EXPECT_STATUS(kNotFound, users.Get(1));
  ASSERT_OK(varve::Put(store, "x", 7));
  EXPECT_EQ(*varve::Get<int>(store, "x"), 7);
}

static_assert(StoreLike<Db> && StoreLike<SmallStore> && !StoreLike<WriteBatch>);

}  // namespace typed_db_test
}  // namespace varve::test
