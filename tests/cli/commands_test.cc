#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/cli/cli_fixture.h"
#include "tests/support/prometheus_format.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace varve::cli {
namespace commands_test {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

const std::string kBinary = std::string("a\tb\n\0\xff\\", 7);

// --- put get del delrange

using KeyCommandsTest = CliTest;

TEST_F(KeyCommandsTest, PutMakesTheStoreAndGetFindsTheValue) {
  EXPECT_EQ(OutputOf({"put", "k", "v"}), "");
  EXPECT_EQ(OutputOf({"get", "k"}), "v");
  EXPECT_EQ(stores_.At("d").options.read_only, true);
}

TEST_F(KeyCommandsTest, GetPrintsTheBytesAndANewlineOnlyForPeople) {
  Fill({{"k", kBinary}, {"line", "x\n"}});
  EXPECT_EQ(OutputOf({"get", "k"}), kBinary);
  terminal_ = true;
  EXPECT_EQ(OutputOf({"get", "k"}), kBinary + "\n");
  EXPECT_EQ(OutputOf({"get", "line"}), "x\n");
}

TEST_F(KeyCommandsTest, GetAsJsonHoldsAnyBytes) {
  Fill({{"k", "\xff"}, {"\xff", "v"}});
  EXPECT_EQ(OutputOf({"get", "k", "--json"}), "{\"key\":\"k\",\"value_b64\":\"/w==\"}\n");
  EXPECT_EQ(OutputOf({"get", "--escaped", "\\xff", "--json"}),
            "{\"key_b64\":\"/w==\",\"value\":\"v\"}\n");
}

TEST_F(KeyCommandsTest, GetOfAnAbsentKeyHasItsOwnExitCode) {
  Fill({{"k", ""}});
  EXPECT_EQ(Varve({"get", "x\ty"}), kExitKeyNotFound);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "varve: key not found: x\\ty\n");
  EXPECT_EQ(Varve({"get", "k"}), kExitOk);
}

TEST_F(KeyCommandsTest, PutReadsTheValueFromStandardInput) {
  input_ = kBinary;
  OutputOf({"put", "k", "-"});
  EXPECT_EQ(stores_.At("d").contents, (Contents{{"k", kBinary}}));
}

TEST_F(KeyCommandsTest, PutReadsTheValueFromAFile) {
  const test::TempDir dir;
  WriteFile(dir.Sub("value"), std::string(100'000, 'x') + kBinary);
  OutputOf({"put", "k", "@" + dir.Sub("value")});
  EXPECT_EQ(stores_.At("d").contents["k"], std::string(100'000, 'x') + kBinary);
}

TEST_F(KeyCommandsTest, PutOfAMissingFileLeavesNoStoreBehind) {
  EXPECT_EQ(Varve({"put", "k", "@/no/such/file"}), kExitError);
  EXPECT_NE(err_.find("cannot read /no/such/file: No such file"), std::string::npos) << err_;
  EXPECT_FALSE(stores_.Exists("d"));
}

TEST_F(KeyCommandsTest, EscapedWordsMayHoldAnyByte) {
  OutputOf({"put", "--escaped", "a\\x00b", "\\t\\\\"});
  EXPECT_EQ(stores_.At("d").contents, (Contents{{std::string("a\0b", 3), "\t\\"}}));
  EXPECT_EQ(Varve({"get", "--escaped", "\\q"}), kExitUsage);
  EXPECT_NE(err_.find("bad escape in '\\q'"), std::string::npos);
}

TEST_F(KeyCommandsTest, WithoutEscapedABackslashIsABackslash) {
  OutputOf({"put", "a\\tb", "c\\"});
  EXPECT_EQ(stores_.At("d").contents, (Contents{{"a\\tb", "c\\"}}));
}

TEST_F(KeyCommandsTest, DelForgetsTheKeyAndForgivesAnAbsentOne) {
  MemoryStore& store = Fill({{"a", "1"}, {"b", "2"}});
  OutputOf({"del", "a"});
  OutputOf({"del", "a"});
  EXPECT_EQ(store.contents, (Contents{{"b", "2"}}));
}

TEST_F(KeyCommandsTest, DelrangeTakesTheBeginAndLeavesTheEnd) {
  MemoryStore& store = Fill({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  OutputOf({"delrange", "a", "c"});
  EXPECT_EQ(store.contents, (Contents{{"c", "3"}}));
}

TEST_F(KeyCommandsTest, DelrangeRefusesAnInvertedRange) {
  Fill({{"a", "1"}});
  EXPECT_EQ(Varve({"delrange", "b", "a"}), kExitUsage);
  EXPECT_NE(err_.find("the range is empty"), std::string::npos);
}

TEST_F(KeyCommandsTest, SyncIsPassedOn) {
  OutputOf({"put", "k", "v", "--sync"});
  EXPECT_EQ(stores_.At("d").durability, Durability::kSync);
  OutputOf({"put", "k", "v"});
  EXPECT_EQ(stores_.At("d").durability, std::nullopt);
}

TEST_F(KeyCommandsTest, ChangesSayOkInJson) {
  EXPECT_EQ(OutputOf({"put", "k", "v", "--json"}), "{\"ok\":true}\n");
}

// --- scan count

class ScanTest : public CliTest {
 protected:
  ScanTest() { Fill({{"a", "1"}, {"b/1", "2"}, {"b/2", "3"}, {"c", "4"}}); }
};

TEST_F(ScanTest, PrintsKeyTabValueInOrder) {
  EXPECT_EQ(OutputOf({"scan"}), "a\t1\nb/1\t2\nb/2\t3\nc\t4\n");
}

TEST_F(ScanTest, HonoursPrefixBoundsLimitAndDirection) {
  EXPECT_EQ(OutputOf({"scan", "--prefix", "b/"}), "b/1\t2\nb/2\t3\n");
  EXPECT_EQ(OutputOf({"scan", "--from", "b/1", "--to", "c"}), "b/1\t2\nb/2\t3\n");
  EXPECT_EQ(OutputOf({"scan", "--reverse", "--limit", "2"}), "c\t4\nb/2\t3\n");
  EXPECT_EQ(OutputOf({"scan", "--reverse", "--to", "b/2", "--limit", "1"}), "b/1\t2\n");
  EXPECT_EQ(OutputOf({"scan", "--limit", "0"}), "");
  EXPECT_EQ(OutputOf({"scan", "--from", "c", "--to", "a"}), "");
}

TEST_F(ScanTest, KeysOnlyReadsNoValue) {
  stores_.At("d").value_status = Status::Corruption("never read");
  EXPECT_EQ(OutputOf({"scan", "--keys", "--limit", "2"}), "a\nb/1\n");
  EXPECT_EQ(OutputOf({"scan", "--keys", "--limit", "1", "--json"}), "{\"key\":\"a\"}\n");
}

TEST_F(ScanTest, JsonIsOneObjectALine) {
  EXPECT_EQ(OutputOf({"scan", "--limit", "2", "--json"}),
            "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"b/1\",\"value\":\"2\"}\n");
}

TEST_F(ScanTest, EscapesInTheOutputAndInBounds) {
  Fill({{"a\tb", "x\ny"}, {"\x01", "z"}});
  EXPECT_EQ(OutputOf({"scan"}), "\\x01\tz\na\\tb\tx\\ny\n");
  EXPECT_EQ(OutputOf({"scan", "--escaped", "--prefix", "a\\t"}), "a\\tb\tx\\ny\n");
}

TEST_F(ScanTest, PeopleGetAlignedColumnsAndCutValues) {
  terminal_ = true;
  Fill({{"a", std::string(100, 'x')}, {"long key", "2"}});
  EXPECT_EQ(OutputOf({"scan"}), "a         " + std::string(29, 'x') +
                                    "\u2026\nlong key  2\n2 records; long values are "
                                    "cut: 'get KEY' or a pipe shows them whole\n");
}

TEST_F(ScanTest, AHugeValueOnATerminalIsCutWithoutLookingAtAllOfIt) {
  terminal_ = true;
  std::string wide;
  for (int i = 0; i < 100'000; ++i) wide += "\U0001f30d";
  for (const std::string& value : {std::string(1'000'000, '\t'), wide}) {
    Fill({{"a", value}});
    EXPECT_LT(OutputOf({"scan"}).size(), 300u);
    EXPECT_NE(out_.find("\u2026"), std::string::npos);
  }
}

TEST_F(ScanTest, RowsBeyondTheFirstScreenKeepTheColumns) {
  terminal_ = true;
  Contents contents;
  for (int i = 100; i < 300; ++i) contents["key" + std::to_string(i)] = "v";
  Fill(contents);
  OutputOf({"scan"});
  EXPECT_NE(out_.find("key100  v\n"), std::string::npos);
  EXPECT_NE(out_.find("key299  v\n200 records\n"), std::string::npos);
}

TEST_F(ScanTest, ColourIsForTerminalsThatAllowIt) {
  color_ = true;
  EXPECT_EQ(OutputOf({"scan"}).find('\x1b'), std::string::npos);
  terminal_ = true;
  EXPECT_NE(OutputOf({"scan"}).find("\x1b[36ma\x1b[0m"), std::string::npos);
  color_ = false;
  EXPECT_EQ(OutputOf({"scan"}).find('\x1b'), std::string::npos);
}

TEST_F(ScanTest, AnUnreadableValueEndsTheScanWithItsError) {
  stores_.At("d").value_status = Status::Corruption("0007.values: bad checksum at offset 512");
  EXPECT_EQ(Varve({"scan"}), kExitCorruption);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_,
            "varve: 0007.values: bad checksum at offset 512\n"
            "  'varve --dir d verify' lists all the damage\n");
}

TEST_F(ScanTest, CountCountsWithinTheRange) {
  EXPECT_EQ(OutputOf({"count"}), "4\n");
  EXPECT_EQ(OutputOf({"count", "--prefix", "b/"}), "2\n");
  EXPECT_EQ(OutputOf({"count", "--json"}), "{\"count\":4}\n");
}

// --- load dump

class TransferTest : public CliTest {
 protected:
  std::string Lines(int from, int to) {
    std::string lines;
    for (int i = from; i < to; ++i) {
      lines += "key" + std::to_string(1'000'000 + i) + "\tvalue" + std::to_string(i) + "\n";
    }
    return lines;
  }

  const test::TempDir files_;
};

TEST_F(TransferTest, LoadsStandardInputInBatches) {
  input_ = Lines(0, 2500);
  OutputOf({"load", "-"});
  EXPECT_EQ(stores_.At("d").contents.size(), 2500u);
  EXPECT_EQ(stores_.At("d").batch_count, 3u);
}

TEST_F(TransferTest, LargeValuesMakeSmallerBatches) {
  input_ = "a\t" + std::string(1 << 20, 'x') + "\nb\t" + std::string(1 << 20, 'y') + "\n";
  OutputOf({"load", "-"});
  EXPECT_EQ(stores_.At("d").batch_count, 2u);
}

TEST_F(TransferTest, LoadSaysWhatItDid) {
  input_ = Lines(0, 10);
  OutputOf({"load", "-"});
  EXPECT_TRUE(out_.starts_with("records\t10\nbytes\t180\nseconds\t0.00")) << out_;
  EXPECT_TRUE(OutputOf({"load", "-", "--json"}).starts_with("{\"records\":10,\"bytes\":180,"));
  EXPECT_EQ(err_, "");
}

TEST_F(TransferTest, ProgressLinesCountWhatTheStoreHasAcknowledged) {
  input_ = Lines(0, 2500);
  OutputOf({"load", "-", "--progress"});
  EXPECT_EQ(err_, "loaded 1000 records\nloaded 2000 records\nloaded 2500 records\n");
}

TEST_F(TransferTest, ProgressDoesNotCountABatchThatFailed) {
  MemoryStore& store = Fill({});
  store.write_status = Status::IoError("no space left");
  input_ = Lines(0, 2500);
  EXPECT_EQ(Varve({"load", "-", "--progress"}), kExitError);
  EXPECT_EQ(err_, "varve: no space left (0 records are loaded)\n");
}

TEST_F(TransferTest, ABadLineStopsTheLoadAfterTheRecordsBeforeIt) {
  input_ = Lines(0, 1500) + "bad line\n" + Lines(1501, 1600);
  EXPECT_EQ(Varve({"load", "-"}), kExitError);
  EXPECT_NE(err_.find("line 1501: expected key<TAB>value, found no tab (1500 records are loaded)"),
            std::string::npos)
      << err_;
  EXPECT_EQ(stores_.At("d").contents.size(), 1500u);
}

TEST_F(TransferTest, LoadOfAMissingFileLeavesNoStoreBehind) {
  EXPECT_EQ(Varve({"load", files_.Sub("missing.tsv")}), kExitError);
  EXPECT_NE(err_.find("No such file"), std::string::npos);
  EXPECT_FALSE(stores_.Exists("d"));
}

TEST_F(TransferTest, LoadOfADirectoryIsAnError) {
  EXPECT_EQ(Varve({"load", files_.path()}), kExitError);
}

TEST_F(TransferTest, DumpAndLoadRoundTripAnyBytesInBothFormats) {
  Contents contents = {{"", "empty key"}, {"empty value", ""}, {kBinary, kBinary}};
  for (int i = 0; i < 256; ++i) contents[std::string(2, static_cast<char>(i))] = kBinary;
  for (const char* name : {"records.tsv", "records.jsonl"}) {
    Fill(contents);
    OutputOf({"dump", files_.Sub(name)});
    Fill({});
    OutputOf({"load", files_.Sub(name)});
    EXPECT_EQ(stores_.At("d").contents, contents) << name;
  }
}

TEST_F(TransferTest, DumpPicksTheFormatFromFlagExtensionOrJson) {
  Fill({{"k", "v"}});
  const std::string tsv = "k\tv\n";
  const std::string json = "{\"key\":\"k\",\"value\":\"v\"}\n";
  EXPECT_EQ(OutputOf({"dump"}), tsv);
  EXPECT_EQ(OutputOf({"dump", "-"}), tsv);
  EXPECT_EQ(OutputOf({"dump", "--json"}), json);
  EXPECT_EQ(OutputOf({"dump", "--format", "json"}), json);
  OutputOf({"dump", files_.Sub("a.jsonl")});
  EXPECT_EQ(ReadFile(files_.Sub("a.jsonl")), json);
  OutputOf({"dump", files_.Sub("b.jsonl"), "--format", "tsv"});
  EXPECT_EQ(ReadFile(files_.Sub("b.jsonl")), tsv);
  EXPECT_EQ(Varve({"dump", "--format", "xml"}), kExitUsage);
}

TEST_F(TransferTest, DumpTakesARange) {
  Fill({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  EXPECT_EQ(OutputOf({"dump", "--from", "b"}), "b\t2\nc\t3\n");
}

TEST_F(TransferTest, DumpIntoNowhereIsAnError) {
  Fill({{"a", "1"}});
  EXPECT_EQ(Varve({"dump", files_.Sub("missing/file")}), kExitError);
  EXPECT_NE(err_.find("cannot write "), std::string::npos);
}

TEST_F(TransferTest, DumpToAFullDiskIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "NOT TESTED: no /dev/full";
  Fill({{"a", "1"}});
  EXPECT_EQ(Varve({"dump", "/dev/full"}), kExitError);
  EXPECT_NE(err_.find("writing /dev/full failed"), std::string::npos) << err_;
}

// --- stats verify compact wal

using StoreCommandsTest = CliTest;

TEST_F(StoreCommandsTest, StatsArePlainNumbersForPrograms) {
  MemoryStore& store = Fill({{"a", "1"}});
  store.statistics.segment_bytes = 1'500'000;
  store.statistics.wal_bytes = 500'000;
  store.statistics.runs = {{.id = 7, .entry_count = 5}, {.id = 3, .disk_bytes = 9}};
  const std::string plain = OutputOf({"stats"});
  EXPECT_NE(plain.find("entries\t1\n"), std::string::npos);
  EXPECT_NE(plain.find("disk_bytes\t2000000\n"), std::string::npos);
  EXPECT_NE(plain.find("runs.0.id\t7\n"), std::string::npos);
  EXPECT_NE(plain.find("runs.1.bytes\t9\n"), std::string::npos);
  const std::string json = OutputOf({"stats", "--json"});
  EXPECT_NE(json.find("\"disk_bytes\":2000000,"), std::string::npos);
  EXPECT_NE(json.find("\"runs\":[{\"id\":7,\"segments\":0,\"entries\":5,"), std::string::npos);
}

TEST_F(StoreCommandsTest, StatsAreAlignedForPeople) {
  MemoryStore& store = Fill({});
  store.statistics.segment_bytes = 1'500'000;
  store.statistics.runs = {{.id = 7, .entry_count = 5000}, {.id = 12, .disk_bytes = 9}};
  store.statistics.background_error = "no\nspace";
  terminal_ = true;
  const std::string text = OutputOf({"stats"});
  EXPECT_NE(text.find("segment bytes             1.5 MB\n"), std::string::npos) << text;
  EXPECT_NE(text.find("background error       no\\nspace\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nruns\n  id  segments  entries  tombstones  bytes\n"
                      "   7         0    5,000           0    0 B\n"
                      "  12         0        0           0    9 B\n"),
            std::string::npos)
      << text;
}

TEST_F(StoreCommandsTest, StatsShowOperationsAndAmplification) {
  MemoryStore& store = Fill({});
  store.statistics.user_bytes_written = 100;
  store.statistics.wal_bytes_written = 250;
  OperationStatistics& get = store.statistics.operation(Operation::kGetHit);
  get = {.count = 1000, .timed_count = 10, .timed_sum_ns = 4120, .p50_ns = 350, .max_ns = 2'000'000};
  EXPECT_NE(OutputOf({"stats", "--json"})
                .find("\"operations\":[{\"operation\":\"get_hit\",\"count\":1000,\"mean_ns\":412,"
                      "\"p50_ns\":350,"),
            std::string::npos)
      << out_;
  EXPECT_NE(OutputOf({"stats"}).find("write_amplification\t2.500\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("operations.0.max_ns\t2000000\n"), std::string::npos) << out_;
  terminal_ = true;
  EXPECT_NE(OutputOf({"stats"}).find("\noperations\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("  get_hit  1,000  0.41 us"), std::string::npos) << out_;
}

TEST_F(StoreCommandsTest, StatsForPrometheus) {
  Fill({{"a", "1"}}).statistics.wal_bytes = 5;
  const std::string text = OutputOf({"stats", "--prometheus"});
  EXPECT_OK(test::ParsePrometheus(text));
  EXPECT_NE(text.find("\nvarve_disk_bytes{part=\"wal\"} 5\n"), std::string::npos) << text;
}

TEST_F(StoreCommandsTest, VerifyOfASoundStoreEndsWell) {
  Fill({}).report = {.file_count = 3, .block_count = 40, .entry_count = 500, .byte_count = 6000};
  EXPECT_TRUE(
      OutputOf({"verify"}).starts_with("files\t3\nblocks\t40\nentries\t500\nbytes\t6000\n"));
  EXPECT_NE(OutputOf({"verify", "--json"}).find("\"problems\":[]"), std::string::npos);
}

TEST_F(StoreCommandsTest, VerifyListsTheProblemsAndExitsWithSix) {
  Fill({}).report.problems = {"0004.segment: bad block at offset 4096", "0005.segment: missing"};
  EXPECT_EQ(Varve({"verify"}), kExitCorruption);
  EXPECT_NE(out_.find("problems.0.problem\t0004.segment: bad block at offset 4096\n"),
            std::string::npos);
  EXPECT_NE(err_.find("varve: 2 problems found"), std::string::npos);
  EXPECT_EQ(err_.find("verify"), std::string::npos) << "advice to do what was just done";
  EXPECT_EQ(Varve({"verify", "--json"}), kExitCorruption);
  EXPECT_NE(out_.find("{\"problem\":\"0005.segment: missing\"}]"), std::string::npos);
}

TEST_F(StoreCommandsTest, CompactSaysWhatItGained) {
  Fill({}).statistics.segment_bytes = 4000;
  EXPECT_TRUE(
      OutputOf({"compact"}).starts_with("disk_bytes_before\t4000\ndisk_bytes_after\t2000\n"));
}

TEST_F(StoreCommandsTest, WalPrintsOneChangeALine) {
  OutputOf({"put", "test/val", "this is a test val"});
  OutputOf({"put", "--escaped", "a\\tb", "\\xff"});
  OutputOf({"del", "a"});
  OutputOf({"delrange", "a", "b"});
  EXPECT_EQ(OutputOf({"wal"}),
            "WRITE\ttest/val\tthis is a test val\n"
            "WRITE\ta\\tb\t\\xff\n"
            "DELETE\ta\n"
            "DELETERANGE\ta\tb\n");
  EXPECT_EQ(OutputOf({"wal", "--json"}),
            "{\"sequence\":1,\"kind\":\"WRITE\",\"key\":\"test/val\",\"value\":\"this is a test "
            "val\"}\n"
            "{\"sequence\":2,\"kind\":\"WRITE\",\"key\":\"a\\tb\",\"value_b64\":\"/w==\"}\n"
            "{\"sequence\":3,\"kind\":\"DELETE\",\"key\":\"a\"}\n"
            "{\"sequence\":4,\"kind\":\"DELETERANGE\",\"begin\":\"a\",\"end\":\"b\"}\n");
}

TEST_F(StoreCommandsTest, TimeToLiveIsSetShownAndTakenAway) {
  OutputOf({"put", "--ttl", "10s", "k", "v"});
  EXPECT_EQ(OutputOf({"ttl", "k"}), "10000ms\n");
  EXPECT_EQ(OutputOf({"ttl", "--json", "k"}), "{\"key\":\"k\",\"ttl_ms\":10000}\n");
  EXPECT_EQ(OutputOf({"wal"}), "WRITE\tk\tv\t1700000010000\n");
  EXPECT_EQ(OutputOf({"dump"}), "k\tv\t1700000010000\n");
  EXPECT_EQ(OutputOf({"expire", "k", "2m"}), "");
  EXPECT_EQ(OutputOf({"ttl", "k"}), "120000ms\n");
  OutputOf({"persist", "k"});
  EXPECT_EQ(OutputOf({"ttl", "k"}), "none\n");
  EXPECT_EQ(OutputOf({"ttl", "--json", "k"}), "{\"key\":\"k\",\"ttl_ms\":null}\n");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"ttl", "absent"}, {"expire", "absent", "1s"}, {"persist", "absent"}}) {
    EXPECT_EQ(Varve(words), kExitKeyNotFound);
  }
  EXPECT_EQ(Varve({"put", "--ttl", "soon", "k", "v"}), kExitUsage);
  EXPECT_EQ(Varve({"expire", "k", "10"}), kExitUsage);
}

TEST_F(StoreCommandsTest, LoadTakesDeadlinesBack) {
  input_ = "a\t1\t1700000010000\nb\t2\n";
  OutputOf({"load", "-"});
  input_.clear();
  EXPECT_EQ(OutputOf({"dump"}), "a\t1\t1700000010000\nb\t2\n");
  EXPECT_EQ(OutputOf({"dump", "--format", "json"}),
            "{\"key\":\"a\",\"value\":\"1\",\"expire_at_ms\":1700000010000}\n"
            "{\"key\":\"b\",\"value\":\"2\"}\n");
}

TEST_F(StoreCommandsTest, ADamagedWalPrintsWhatIsSoundAndExitsWithSix) {
  OutputOf({"put", "a", "1"});
  stores_.At("d").open_status = Status::Corruption("0001.wal: bad record at offset 64");
  EXPECT_EQ(Varve({"wal"}), kExitCorruption);
  EXPECT_EQ(out_, "WRITE\ta\t1\n");
}

}  // namespace commands_test
}  // namespace varve::cli
