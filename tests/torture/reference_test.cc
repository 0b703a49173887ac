// The same list of commands to varve and to stores of others, where these are installed: equal contents all the time.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#ifdef VARVE_TEST_HAS_ROCKSDB
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#endif

#include "client/client.h"
#include "env/crash_env.h"
#include "tests/support/server_process.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"
#include "torture/store_options.h"
#include "torture/store_script.h"

namespace varve::torture {
namespace reference_test {

using test::Scaled;
using test::TempDir;

// A store of others: puts, deletes and range deletes of one command at once.
class Reference {
 public:
  virtual ~Reference() = default;
  virtual Status Write(const std::vector<Change>& changes) = 0;
  virtual Result<std::optional<std::string>> Get(const std::string& key) = 0;
  virtual Status Maintain(Command::Kind kind) = 0;
  virtual Result<Contents> ReadAll() = 0;
};

Status ApplyTo(const Command& command, Reference* reference) {
  if (!command.changes_contents()) return reference->Maintain(command.kind);
  if (command.kind != Command::Kind::kCompareAndSet) return reference->Write(command.changes);
  const std::string& key = command.changes[0].key;
  const auto found = reference->Get(key);
  if (!found.ok() || *found != command.expected) return found.status();
  Change change{command.desired ? Change::Kind::kPut : Change::Kind::kDelete, key, command.desired.value_or("")};
  return reference->Write({change});
}

// `commands` to both; whole contents are compared after every twentieth, and at the end.
void ExpectTheSame(uint64_t seed, Reference* reference) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  ScriptWriter writer(seed, {.lines = 0, .keys = 60, .largest_value = 600, .with_none = true});
  CrashEnv env(seed);
  const StoreOpener open = OpenerFor(RandomStoreConfig(seed));
  auto db = open("/store", &env);
  ASSERT_OK(db);
  constexpr int kLines = 400;
  for (int i = 1; i <= kLines; ++i) {
    const std::string line = writer.Next();
    SCOPED_TRACE("line " + std::to_string(i) + ": " + line.substr(0, 300));
    const auto command = ParseCommand(line);
    ASSERT_TRUE(command.ok() && command->has_value());
    if ((*command)->kind == Command::Kind::kReopen) {
      db->reset();
      db = open("/store", &env);
      ASSERT_OK(db);
    } else {
      const Status status = Execute(**command, db->get());
      ASSERT_TRUE(status.ok() || status.code() == StatusCode::kConflict) << status.ToString();
    }
    ASSERT_OK(ApplyTo(**command, reference));
    if (i % 20 != 0 && i != kLines) continue;
    const auto expected = reference->ReadAll();
    const auto found = ReadContents(db->get());
    ASSERT_OK(expected);
    ASSERT_OK(found);
    ASSERT_EQ(*found, *expected) << Difference(*expected, *found);
  }
}

#ifdef VARVE_TEST_HAS_ROCKSDB
class RocksDbReference final : public Reference {
 public:
  explicit RocksDbReference(std::string dir) : dir_(std::move(dir)) {}

  Status Open() {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = 64 << 10;
    db_.reset();
    rocksdb::DB* db = nullptr;
    const Status status = Told(rocksdb::DB::Open(options, dir_, &db));
    db_.reset(db);
    return status;
  }
  Status Write(const std::vector<Change>& changes) override {
    rocksdb::WriteBatch batch;
    for (const Change& change : changes) {
      switch (change.kind) {
        case Change::Kind::kPut: batch.Put(change.key, change.value); break;
        case Change::Kind::kDelete: batch.Delete(change.key); break;
        case Change::Kind::kRange: batch.DeleteRange(change.key, change.value); break;
      }
    }
    return Told(db_->Write({}, &batch));
  }
  Result<std::optional<std::string>> Get(const std::string& key) override {
    std::string value;
    const rocksdb::Status status = db_->Get({}, key, &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return Told(status);
    return std::optional(value);
  }
  Status Maintain(Command::Kind kind) override {
    if (kind == Command::Kind::kReopen) return Open();
    if (kind == Command::Kind::kFlush) return Told(db_->Flush({}));
    if (kind == Command::Kind::kCompact) return Told(db_->CompactRange({}, nullptr, nullptr));
    return Status::Ok();
  }
  Result<Contents> ReadAll() override {
    Contents contents;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
    for (it->SeekToFirst(); it->Valid(); it->Next()) contents[it->key().ToString()] = it->value().ToString();
    if (!it->status().ok()) return Told(it->status());
    return contents;
  }

 private:
  static Status Told(const rocksdb::Status& status) {
    return status.ok() ? Status::Ok() : Status::IoError("rocksdb: " + status.ToString());
  }

  const std::string dir_;
  std::unique_ptr<rocksdb::DB> db_;
};
#endif

TEST(ReferenceTest, RocksDb) {
#ifdef VARVE_TEST_HAS_ROCKSDB
  for (uint64_t seed = 1; seed <= Scaled(3) && !HasFailure(); ++seed) {
    const TempDir dir;
    RocksDbReference reference(dir.Sub("rocksdb"));
    ASSERT_OK(reference.Open());
    ExpectTheSame(seed, &reference);
  }
#else
  GTEST_SKIP() << "NOT TESTED: librocksdb-dev is not installed";
#endif
}

// Commands of Redis; a range is what KEYS shows of it.
class RedisReference final : public Reference {
 public:
  explicit RedisReference(std::unique_ptr<client::Client> client) : client_(std::move(client)) {}

  Status Write(const std::vector<Change>& changes) override {
    std::vector<std::vector<std::string>> commands{{"MULTI"}};
    for (const Change& change : changes) {
      if (change.kind == Change::Kind::kPut) commands.push_back({"SET", change.key, change.value});
      if (change.kind == Change::Kind::kDelete) commands.push_back({"DEL", change.key});
      if (change.kind != Change::Kind::kRange) continue;
      std::vector<std::string> deletion{"DEL"};
      // A key that is put in this command, too, may be among them: any name may be given.
      for (int i = 1000; i < 1100; ++i) {
        const std::string key = "k" + std::to_string(i);
        if (key >= change.key && key < change.value) deletion.push_back(key);
      }
      if (deletion.size() > 1) commands.push_back(deletion);
    }
    commands.push_back({"EXEC"});
    for (const auto& words : commands) {
      const auto reply = client_->Call({words.begin(), words.end()});
      if (!reply.ok()) return reply.status();
    }
    return Status::Ok();
  }
  Result<std::optional<std::string>> Get(const std::string& key) override {
    const auto reply = client_->Call({"GET", key});
    if (!reply.ok()) return reply.status();
    if (reply->type == client::Reply::Type::kNull) return std::optional<std::string>();
    return std::optional(reply->text);
  }
  Status Maintain(Command::Kind) override { return Status::Ok(); }
  Result<Contents> ReadAll() override {
    Contents contents;
    const auto keys = client_->Call({"KEYS", "*"});
    if (!keys.ok()) return keys.status();
    for (const client::Reply& key : keys->elements) {
      const auto value = Get(key.text);
      if (!value.ok()) return value.status();
      contents[key.text] = value->value_or("");
    }
    return contents;
  }

 private:
  const std::unique_ptr<client::Client> client_;
};

TEST(ReferenceTest, Redis) {
  // The package redis-tools has the server's program under this name; which name it is called by decides what it does.
  const std::string program = "/usr/bin/redis-check-rdb";
  if (::access(program.c_str(), X_OK) != 0) GTEST_SKIP() << "NOT TESTED: redis-tools is not installed";
  for (uint64_t seed = 11; seed < 11 + Scaled(3) && !HasFailure(); ++seed) {
    const TempDir dir;
    // Takes no notice of the arguments that varve's own server would be given.
    const std::string script = dir.Sub("start");
    std::ofstream(script) << "#!/bin/bash\nexec -a redis-server " << program << " --port 0 --unixsocket " << dir.Sub("socket")
                          << " --save '' --appendonly no --dir " << dir.path() << "\n";
    ASSERT_EQ(::chmod(script.c_str(), 0700), 0);
    test::ServerProcess server(script, dir.path());
    ASSERT_OK(server.Start({}));
    ASSERT_OK(server.AwaitListening());
    client::Endpoint endpoint;
    endpoint.unix_path = server.path();
    auto connected = client::Client::Connect(endpoint);
    ASSERT_OK(connected);
    RedisReference reference(*std::move(connected));
    ExpectTheSame(seed, &reference);
  }
}

}  // namespace reference_test
}  // namespace varve::torture
