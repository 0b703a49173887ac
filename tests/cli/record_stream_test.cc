#include "cli/record_stream.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <sstream>

#include "tests/support/status_matchers.h"

namespace varve::cli {
namespace record_stream_test {

using Contents = std::map<std::string, std::string>;

Result<Contents> ReadAll(const std::string& text, RecordFormat format) {
  std::istringstream in(text);
  RecordReader reader(in, format);
  Contents contents;
  Record record;
  while (true) {
    const Result<bool> has_record = reader.Next(&record);
    if (!has_record.ok()) return has_record.status();
    if (!*has_record) break;
    contents[record.key] = record.value;
  }
  EXPECT_EQ(reader.bytes_read(), text.size());
  return contents;
}

std::string MessageOf(const std::string& text, RecordFormat format) {
  const Result<Contents> contents = ReadAll(text, format);
  return contents.ok() ? "no error" : contents.status().ToString();
}

TEST(RecordStreamTest, BothFormatsRoundTripAnyBytes) {
  std::mt19937 random(5);
  Contents contents = {{"", ""}, {"empty value", ""}, {std::string(1, '\0'), "\r"}, {"\r", "\n"}};
  while (contents.size() < 300) {
    std::string key(random() % 8, '\0'), value(random() % 50, '\0');
    for (char& byte : key) byte = static_cast<char>(random());
    for (char& byte : value) byte = static_cast<char>(random());
    contents[key] = value;
  }
  for (const RecordFormat format : {RecordFormat::kTsv, RecordFormat::kJson}) {
    std::string text;
    for (const auto& [key, value] : contents) AppendRecord(&text, format, key, value);
    const Result<Contents> read = ReadAll(text, format);
    ASSERT_OK(read);
    EXPECT_EQ(*read, contents);
  }
}

TEST(RecordStreamTest, LastLineNeedsNoNewline) {
  EXPECT_EQ(*ReadAll("a\t1\nb\t2", RecordFormat::kTsv), (Contents{{"a", "1"}, {"b", "2"}}));
}

TEST(RecordStreamTest, LinesMayEndAsOnWindows) {
  EXPECT_EQ(*ReadAll("a\t1\r\nb\t2\r\n", RecordFormat::kTsv), (Contents{{"a", "1"}, {"b", "2"}}));
}

TEST(RecordStreamTest, ErrorsNameTheLine) {
  EXPECT_EQ(MessageOf("a\t1\nno tab\n", RecordFormat::kTsv),
            "invalid argument: line 2: expected key<TAB>value, found no tab");
  EXPECT_NE(MessageOf("a\t1\tb\n", RecordFormat::kTsv)
                .find("line 1: expected key<TAB>value, found a "
                      "second tab"),
            std::string::npos);
  EXPECT_NE(MessageOf("a\t\\q\n", RecordFormat::kTsv).find("line 1: bad escape in the value"),
            std::string::npos);
  EXPECT_NE(MessageOf("a\\\tb\n", RecordFormat::kTsv).find("line 1: bad escape in the key"),
            std::string::npos);
  EXPECT_EQ(MessageOf("{\"key\":\"a\",\"value\":\"\"}\n{}\n", RecordFormat::kJson),
            "invalid argument: line 2: expected either \"key\" or \"key_b64\"");
}

TEST(RecordStreamTest, DeadlinesSurviveARoundTrip) {
  for (const RecordFormat format : {RecordFormat::kTsv, RecordFormat::kJson}) {
    std::string text;
    AppendRecord(&text, format, "a", "1", {}, 1'700'000'000'000);
    AppendRecord(&text, format, "b", "2");
    std::istringstream in(text);
    RecordReader reader(in, format);
    Record record;
    ASSERT_TRUE(*reader.Next(&record));
    EXPECT_EQ(record.value, "1");
    EXPECT_EQ(record.expire_at_millis, 1'700'000'000'000u);
    ASSERT_TRUE(*reader.Next(&record));
    EXPECT_EQ(record.expire_at_millis, 0u);
  }
  // With a namespace; and with a key that could be taken for one.
  for (const RecordFormat format : {RecordFormat::kTsv, RecordFormat::kJson}) {
    std::string text;
    AppendRecord(&text, format, "@key", "1", "space", 7);
    AppendRecord(&text, format, "@key", "2", {}, 8);
    AppendRecord(&text, format, "@", "3", {}, 9);
    AppendRecord(&text, format, "@key", "4");
    std::istringstream in(text);
    RecordReader reader(in, format);
    std::string seen;
    for (Record record; *reader.Next(&record);) {
      seen += record.name_space + " " + record.key + " " + record.value + " " +
              std::to_string(record.expire_at_millis) + "; ";
    }
    EXPECT_EQ(seen, "space @key 1 7;  @key 2 8;  @ 3 9;  @key 4 0; ");
  }
  for (const char* line : {"a\t1\t\n", "a\t1\t0\n", "a\t1\t7x\n", "a\t1\t-7\n", "a\t1\t7\t8\n"}) {
    EXPECT_NE(MessageOf(line, RecordFormat::kTsv).find("second tab"), std::string::npos) << line;
  }
}

TEST(RecordStreamTest, AFailingStreamIsNotTheEnd) {
  class FailingBuffer : public std::streambuf {
    int_type underflow() override { throw std::runtime_error("device gone"); }
  };
  FailingBuffer buffer;
  std::istream in(&buffer);
  RecordReader reader(in, RecordFormat::kTsv);
  Record record;
  EXPECT_STATUS(kIoError, reader.Next(&record));
}

TEST(RecordStreamTest, TheExtensionTellsTheFormat) {
  EXPECT_EQ(GuessRecordFormat("a.jsonl"), RecordFormat::kJson);
  EXPECT_EQ(GuessRecordFormat("a.ndjson"), RecordFormat::kJson);
  EXPECT_EQ(GuessRecordFormat("a.json"), RecordFormat::kJson);
  EXPECT_EQ(GuessRecordFormat("a.tsv"), RecordFormat::kTsv);
  EXPECT_EQ(GuessRecordFormat("json"), RecordFormat::kTsv);
}

}  // namespace record_stream_test
}  // namespace varve::cli
