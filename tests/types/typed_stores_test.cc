// TypedDb over transactions and namespaces.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/typed_db.h"
#include "varve/write_batch.h"

namespace varve::test {
namespace typed_stores_test {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct User {
  std::string name;
  uint32_t age = 0;
  bool operator==(const User&) const = default;
};

template <typename Store>
using Users = TypedDb<int64_t, User, Store>;

static_assert(StoreLike<Namespace> && StoreLike<Transaction> && StoreLike<NamespaceInTransaction>);

class TypedStoresTest : public testing::Test {
 protected:
  TypedStoresTest() {
    Options options;
    options.env = &env_;
    options.memory_budget_bytes = 8 << 20;
    auto db = Db::Open("/db", options);
    EXPECT_OK(db);
    db_ = *std::move(db);
    auto space = db_->OpenNamespace("archive");
    EXPECT_OK(space);
    space_ = *std::move(space);
  }
  template <typename Store>
  static std::vector<int64_t> KeysOf(Users<Store> users,
                                     const TypedIteratorOptions<int64_t>& range = {}) {
    std::vector<int64_t> keys;
    auto it = users.NewIterator(range);
    for (it.SeekToFirst(); it.Valid(); it.Next()) keys.push_back(it.key());
    EXPECT_OK(it.status());
    return keys;
  }
  // The same for every kind of store.
  template <typename Store>
  static void UseAll(Store* store, const std::string& prefix) {
    Users<Store> users(store, prefix);
    EXPECT_STATUS(kNotFound, users.Get(7));
    for (const int64_t key : {-3, 7, 9, 12}) ASSERT_OK(users.Put(key, {"Ann", 41}));
    ASSERT_OK(users.Put(7, {"Bob", 1}));
    const Result<User> got = users.Get(7);
    ASSERT_OK(got);
    EXPECT_EQ(*got, (User{"Bob", 1}));
    TypedDb<int64_t, double, Store> wrong(store, prefix);
    EXPECT_STATUS(kInvalidArgument, wrong.Get(7));
    EXPECT_THAT(KeysOf(users, {.lower_bound = -3, .upper_bound = 9}), ElementsAre(-3, 7));
    ASSERT_OK(users.Delete(-3));
    ASSERT_OK(users.DeleteRange(9, 12));
    EXPECT_THAT(KeysOf(users), ElementsAre(7, 12));
    ASSERT_OK(varve::Put(*store, "plain", uint32_t{5}));
    EXPECT_EQ(*varve::Get<uint32_t>(*store, "plain"), 5u);
  }

  CrashEnv env_;
  std::unique_ptr<Db> db_;
  std::shared_ptr<Namespace> space_;
};

TEST_F(TypedStoresTest, ANamespaceIsAStore) {
  Users<Db> outside(db_.get(), "u/");
  ASSERT_OK(outside.Put(100, {"Eve", 2}));
  UseAll(space_.get(), "u/");
  EXPECT_THAT(KeysOf(outside), ElementsAre(100));
  Users<Namespace> users(space_.get(), "u/");
  EXPECT_THAT(KeysOf(users), ElementsAre(7, 12));
  EXPECT_EQ(users.MultiGet({7, 8})[0]->name, "Bob");
  EXPECT_STATUS(kNotFound, users.MultiGet({7, 8})[1]);
  ASSERT_OK(users.CompareAndSet(7, User{"Bob", 1}, User{"Bob", 2}));
  EXPECT_STATUS(kConflict, users.CompareAndSet(7, User{"Bob", 1}, User{"Bob", 3}));
  EXPECT_EQ(users.Get(7)->age, 2u);
}

TEST_F(TypedStoresTest, BatchesPutIntoTheNamespaceOfTheirTypedDb) {
  Users<Db> outside(db_.get());
  Users<Namespace> inside(space_.get());
  Users<Namespace> of_default(db_.get(), "d/");
  ASSERT_OK(inside.Put(3, {"gone", 0}));
  WriteBatch batch;
  ASSERT_OK(outside.BatchPut(&batch, 1, {"out", 1}));
  ASSERT_OK(inside.BatchPut(&batch, 2, {"in", 2}));
  ASSERT_OK(of_default.BatchPut(&batch, 4, {"default", 4}));
  inside.BatchDelete(&batch, 3);
  ASSERT_OK(db_->Write(batch));
  EXPECT_THAT(KeysOf(inside), ElementsAre(2));
  EXPECT_STATUS(kNotFound, outside.Get(2));
  EXPECT_EQ(outside.Get(1)->name, "out");
  EXPECT_EQ(Users<Db>(db_.get(), "d/").Get(4)->name, "default");
}

TEST_F(TypedStoresTest, ATransactionIsAStore) {
  ASSERT_OK(db_->Transact([&](Transaction& t) -> Status {
    UseAll(&t, "u/");
    EXPECT_THAT(KeysOf(Users<Db>(db_.get(), "u/")), IsEmpty());  // nobody else sees it yet
    return Status::Ok();
  }));
  EXPECT_THAT(KeysOf(Users<Db>(db_.get(), "u/")), ElementsAre(7, 12));
  EXPECT_THAT(KeysOf(Users<Namespace>(space_.get(), "u/")), IsEmpty());
}

TEST_F(TypedStoresTest, ANamespaceInATransactionIsAStore) {
  ASSERT_OK(db_->Transact([&](Transaction& t) -> Status {
    NamespaceInTransaction in_space(&t, space_.get());
    UseAll(&in_space, "u/");
    return Status::Ok();
  }));
  EXPECT_THAT(KeysOf(Users<Namespace>(space_.get(), "u/")), ElementsAre(7, 12));
  EXPECT_THAT(KeysOf(Users<Db>(db_.get(), "u/")), IsEmpty());
}

TEST_F(TypedStoresTest, OneTransactionMovesAValueBetweenNamespaces) {
  Users<Db> users(db_.get(), "user/");
  Users<Namespace> archived(space_.get());
  ASSERT_OK(users.Put(7, {"Ann", 41}));
  const auto move = [&](Transaction& t) -> Status {
    Users<Transaction> from(&t, "user/");
    NamespaceInTransaction in_space(&t, space_.get());
    Users<NamespaceInTransaction> to(&in_space);
    Result<User> ann = from.Get(7);
    if (!ann.ok()) return ann.status();
    Status put = to.Put(7, *ann);
    return put.ok() ? from.Delete(7) : put;
  };
  ASSERT_OK(db_->Transact(move));
  EXPECT_EQ(archived.Get(7)->name, "Ann");
  EXPECT_STATUS(kNotFound, users.Get(7));
  EXPECT_STATUS(kNotFound, db_->Transact(move));  // and changes nothing
  EXPECT_EQ(archived.Get(7)->name, "Ann");
}

TEST_F(TypedStoresTest, TypedReadsCountForConflicts) {
  Users<Db> users(db_.get(), "user/");
  ASSERT_OK(users.Put(7, {"Ann", 41}));
  const auto transaction = db_->Begin();
  Users<Transaction> in_transaction(transaction.get(), "user/");
  EXPECT_EQ(in_transaction.Get(7)->age, 41u);
  ASSERT_OK(in_transaction.Put(8, {"Bob", 42}));
  ASSERT_OK(users.Put(7, {"Ann", 43}));
  EXPECT_EQ(in_transaction.Get(7)->age, 41u);
  EXPECT_STATUS(kConflict, transaction->Commit());
  EXPECT_STATUS(kNotFound, users.Get(8));
}

TEST_F(TypedStoresTest, AValueThatCannotBeEncodedChangesNothing) {
  ASSERT_OK(db_->Transact([&](Transaction& t) -> Status {
    TypedDb<std::vector<std::string>, int, Transaction> db(&t);
    EXPECT_STATUS(kInvalidArgument, db.Put({std::string(70'000, 'x')}, 1));
    return db.Put({"short"}, 2);
  }));
  TypedDb<std::vector<std::string>, int> db(db_.get());
  EXPECT_EQ(*db.Get({"short"}), 2);
}

}  // namespace typed_stores_test
}  // namespace varve::test
