// V.BACKUP: where it may write, one at a time, and that the copy is whole.
#include "server/backups.h"

#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace backups_test {

class BackupsTest : public ServerTest {
 protected:
  void SetUp() override {
    ASSERT_OK(env_.CreateDir("/backups"));
    Options options;
    options.backup_dir = "/backups";
    Start(options);
  }
  Backups::State WaitForEnd() {
    while (service_->backups().state().is_running) env_.clock()->SleepNanos(1'000'000);
    return service_->backups().state();
  }
};

TEST_F(BackupsTest, WithoutADirectoryThereAreNone) {
  Restart();
  EXPECT_TRUE(Connect()->Call({"V.BACKUP", "START", "x"}).starts_with("-ERR there is no directory for backups"));
}

TEST_F(BackupsTest, NamesAreConfined) {
  const auto client = Connect();
  const std::vector<std::string_view> names = {"", "/etc/x", "../x", "a/b", ".hidden", "..", "a b", std::string_view("a\0b", 3),
                                               "a\nb", "x*"};
  for (const std::string_view name : names) {
    EXPECT_TRUE(client->Call({"V.BACKUP", "START", name}).starts_with("-ERR a backup's name has")) << name;
  }
  EXPECT_TRUE(client->Call({"V.BACKUP", "START", std::string(201, 'x')}).starts_with("-ERR a backup's name"));
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "a", "RATE"}), "-ERR syntax error\r\n");
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "a", "RATE", "-1"}), "-ERR RATE can't be negative\r\n");
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "a", "OFTEN", "1"}), "-ERR syntax error\r\n");
  EXPECT_TRUE(client->Call({"V.BACKUP", "START", "a", "SINCE", "../x"}).starts_with("-ERR a backup's name has"));
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "a", "SINCE", "b"}), "-ERR there is no backup of the name b\r\n");
  EXPECT_EQ(client->Call({"V.BACKUP", "ABORT"}), ":0\r\n");
  EXPECT_EQ(service_->backups().state().name, "");
}

TEST_F(BackupsTest, CopiesAreWholeAndNeverReplaced) {
  const auto client = Connect();
  client->Call({"SET", "k", "v"});
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "monday.backup"}), "+Backup started\r\n");
  const Backups::State state = WaitForEnd();
  EXPECT_EQ(state.error, "");
  EXPECT_GT(state.total_bytes, 0u);
  EXPECT_EQ(state.done_bytes, state.total_bytes);
  const Result<std::unique_ptr<BackupSource>> source = NewFileBackupSource("/backups/monday.backup", &env_);
  ASSERT_OK(source);
  ASSERT_OK(VerifyBackup(**source));
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "monday.backup"}), "-ERR there is a backup of that name\r\n");
  const std::string info = client->Call({"INFO", "persistence"});
  EXPECT_NE(info.find("backup_in_progress:0\r\nbackup_name:monday.backup\r\n"), std::string::npos) << info;
}

TEST_F(BackupsTest, IncrementsHaveWhatIsNew) {
  const auto client = Connect();
  client->Call({"SET", "k", "v"});
  client->Call({"V.BACKUP", "START", "monday"});
  EXPECT_EQ(WaitForEnd().error, "");
  client->Call({"SET", "k", "w"});
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "tuesday", "RATE", "100000000", "SINCE", "monday"}), "+Backup started\r\n");
  EXPECT_EQ(WaitForEnd().error, "");
  const Result<BackupSummary> monday = ReadBackupSummary("/backups/monday", &env_);
  const Result<BackupSummary> tuesday = ReadBackupSummary("/backups/tuesday", &env_);
  ASSERT_OK(monday);
  ASSERT_OK(tuesday);
  EXPECT_EQ(tuesday->since, monday->id);
  // What is no backup is found out when it is read.
  ASSERT_OK(env_.WriteFileForTest("/backups/nothing", "nothing"));
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "wednesday", "SINCE", "nothing"}), "+Backup started\r\n");
  EXPECT_NE(WaitForEnd().error, "");
  EXPECT_FALSE(env_.FileExists("/backups/wednesday"));
}

TEST_F(BackupsTest, CanBeEnded) {
  const auto client = Connect();
  for (int i = 0; i < 100; ++i) client->Call({"SET", "k" + std::to_string(i), std::string(10'000, 'v')});
  ASSERT_OK(db_->Flush());
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "slow", "RATE", "1000"}), "+Backup started\r\n");
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "other"}).front(), '-') << "one at a time";
  EXPECT_TRUE(client->Call({"V.BACKUP", "STATUS"}).starts_with("*10\r\n$7\r\nrunning\r\n:1\r\n$4\r\nname\r\n$4\r\nslow\r\n"));
  EXPECT_EQ(client->Call({"V.BACKUP", "ABORT"}), ":1\r\n");
  const Backups::State state = WaitForEnd();
  EXPECT_NE(state.error, "");
  EXPECT_LT(state.done_bytes, 1'000'000u);
  EXPECT_FALSE(env_.FileExists("/backups/slow"));
  EXPECT_EQ(client->Call({"V.BACKUP", "START", "next"}), "+Backup started\r\n");
  EXPECT_EQ(WaitForEnd().error, "");
}

}  // namespace backups_test
}  // namespace varve::server::test
