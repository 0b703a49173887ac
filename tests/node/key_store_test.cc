#include "node/key_store.h"

#include <gtest/gtest.h>

#include <map>

#include "cluster/slot.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace varve::node {
namespace key_store_test {

using cluster::ActorId;
using cluster::Epoch;
using cluster::NodeId;
using cluster::PartitionId;
using Contents = std::map<std::string, std::string>;

class KeyStoreTest : public testing::Test {
 protected:
  // Another life of the node.
  void Open(const std::string& boot = "boot", uint64_t cluster = 7, NodeId self = NodeId{3}) {
    Close();
    auto db = Db::Open(dir_.path() + "/store");
    ASSERT_TRUE(db.ok()) << db.status().ToString();
    db_ = *std::move(db);
    Result<std::unique_ptr<KeyStore>> keys = KeyStore::Open(db_.get(), cluster, self, boot);
    opened_ = keys.status();
    if (keys.ok()) keys_ = *std::move(keys);
  }
  void Close() {
    keys_.reset();
    db_.reset();
  }
  bool MayHaveLost() { return keys_->LoadDurable()->may_have_lost_writes; }
  Contents In(SlotRange slots) {
    Contents contents;
    EXPECT_OK(keys_->Visit(slots, [&](std::string_view key, std::string_view bytes) {
      contents.emplace(key, bytes);
      return true;
    }));
    return contents;
  }

  varve::test::TempDir dir_;
  std::unique_ptr<Db> db_;
  std::unique_ptr<KeyStore> keys_;
  Status opened_;
};

TEST_F(KeyStoreTest, WhatIsKeptIsThereInTheNextLife) {
  Open();
  EXPECT_TRUE(keys_->is_new());
  EXPECT_EQ(keys_->life(), 1u);
  cluster::VersionVector floor;
  floor.Raise(ActorId{2}, 9);
  const cluster::StoreHint hint{.hint = 300, .owner = NodeId{4}, .partition = PartitionId{6}, .key = "k", .state = "s"};
  ASSERT_OK(keys_->Put(cluster::PersistLease{PartitionId{5}, ActorId{2}, 1000}));
  ASSERT_OK(keys_->Put(cluster::PersistEpoch{PartitionId{5}, Epoch{8}}));
  ASSERT_OK(keys_->Put(cluster::PersistFloor{PartitionId{256}, floor}));
  ASSERT_OK(keys_->Put(cluster::PersistTopology{"topology"}));
  ASSERT_OK(keys_->Put(cluster::ForsakeActor{ActorId{1}}));
  ASSERT_OK(keys_->Put(hint));
  ASSERT_OK(keys_->Put(cluster::StoreHint{.hint = 301, .owner = NodeId{4}, .partition = {}, .key = "k", .state = "s"}));
  ASSERT_OK(keys_->EraseHint(301));
  Open();
  EXPECT_FALSE(keys_->is_new());
  EXPECT_EQ(keys_->life(), 2u);
  const Result<cluster::NodeDurable> durable = keys_->LoadDurable();
  ASSERT_TRUE(durable.ok()) << durable.status().ToString();
  EXPECT_EQ(durable->topology, "topology");
  EXPECT_EQ(durable->forsaken, ActorId{1});
  ASSERT_EQ(durable->partitions.size(), 2u);
  const cluster::PartitionDurable& five = durable->partitions.at(PartitionId{5});
  EXPECT_EQ(five.epoch, Epoch{8});
  EXPECT_EQ(five.actor, ActorId{2});
  EXPECT_EQ(five.lease_end, 1000u);
  EXPECT_EQ(durable->partitions.at(PartitionId{256}).floor, floor);
  ASSERT_EQ(durable->hints.size(), 1u);
  EXPECT_EQ(durable->hints[0].hint, hint.hint);
  EXPECT_EQ(durable->hints[0].owner, hint.owner);
  EXPECT_EQ(durable->hints[0].partition, hint.partition);
  EXPECT_EQ(durable->hints[0].state, hint.state);
}

TEST_F(KeyStoreTest, WhatWasKnownOfTheClusterIsRecalled) {
  const auto recall = [this] {
    Result<std::optional<KnownCluster>> known = KeyStore::Recall(db_.get());
    EXPECT_TRUE(known.ok()) << known.status().ToString();
    return *std::move(known);
  };
  Open();
  EXPECT_FALSE(recall());
  ASSERT_OK(keys_->Put(cluster::PersistTopology{"topology"}));
  EXPECT_FALSE(recall());
  ASSERT_OK(keys_->PutSettings("settings", 300));
  ASSERT_OK(keys_->PutSettings("others", 301));
  Open();
  const std::optional<KnownCluster> known = recall();
  ASSERT_TRUE(known);
  EXPECT_EQ(known->topology, "topology");
  EXPECT_EQ(known->settings, "others");
  EXPECT_EQ(known->settings_revision, 301u);
  EXPECT_TRUE(keys_->LoadDurable().ok());
}

TEST_F(KeyStoreTest, APartitionIsARangeOfSlots) {
  Open();
  ASSERT_OK(keys_->Write(0, "first", "1"));
  ASSERT_OK(keys_->Write(255, "low", "2"));
  ASSERT_OK(keys_->Write(256, "next", "3"));
  ASSERT_OK(keys_->Write(256, "", "4"));
  ASSERT_OK(keys_->Write(16383, std::string(65'533, '\xff'), "5"));
  EXPECT_EQ(In({0, 256}), (Contents{{"first", "1"}, {"low", "2"}}));
  EXPECT_EQ(In({256, 256}), (Contents{{"next", "3"}, {"", "4"}}));
  EXPECT_EQ(In({0, cluster::kSlots}).size(), 5u);
  EXPECT_EQ(keys_->CountKeys({256, 1}, 100), 2u);
  EXPECT_EQ(keys_->CountKeys({16128, 256}, 100), 1u);
  ASSERT_OK(keys_->Put(cluster::PersistFloor{PartitionId{1}, {}}));
  ASSERT_OK(keys_->Put(cluster::PersistEpoch{PartitionId{1}, Epoch{3}}));
  ASSERT_OK(keys_->Drop(PartitionId{1}, {256, 256}));
  EXPECT_EQ(In({0, cluster::kSlots}).size(), 3u);
  EXPECT_EQ(keys_->LoadDurable()->partitions.at(PartitionId{1}).epoch, Epoch{3});
  ASSERT_OK(keys_->Write(0, "first", std::nullopt));
  EXPECT_EQ(*keys_->Read(0, "first"), std::nullopt);
  EXPECT_EQ(*keys_->Read(255, "low"), "2");
}

TEST_F(KeyStoreTest, WhatACutOfPowerMayHaveTakenIsKnown) {
  Open("monday");
  EXPECT_FALSE(MayHaveLost());
  Open("monday");  // the process was killed: the system has what it wrote
  EXPECT_FALSE(MayHaveLost());
  Open("tuesday");
  EXPECT_TRUE(MayHaveLost());
  Open("tuesday");  // and nobody has taken another actor
  EXPECT_TRUE(MayHaveLost());
  ASSERT_OK(keys_->ForgetLosses());
  Open("tuesday");
  EXPECT_FALSE(MayHaveLost());
  ASSERT_OK(keys_->NoteOrderlyEnd());
  Open("wednesday");
  EXPECT_FALSE(MayHaveLost());
  Open("");  // a system that does not say
  EXPECT_TRUE(MayHaveLost());
  ASSERT_OK(keys_->ForgetLosses());
  Open("");
  EXPECT_TRUE(MayHaveLost());
}

TEST_F(KeyStoreTest, AStoreBelongsToOneNodeOfOneCluster) {
  Open();
  EXPECT_OK(opened_);
  Open("boot", 8);
  EXPECT_EQ(opened_.code(), StatusCode::kInvalidArgument);
  Open("boot", 7, NodeId{4});
  EXPECT_EQ(opened_.code(), StatusCode::kInvalidArgument);
  Open();
  EXPECT_OK(opened_);
}

}  // namespace key_store_test
}  // namespace varve::node
