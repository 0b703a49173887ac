#include <gtest/gtest.h>

#include "tests/cli/cli_fixture.h"

namespace varve::cli {
namespace explain_command_test {

class ExplainCommandTest : public CliTest {
 protected:
  static Explanation Sample() {
    Explanation explanation;
    explanation.answer = Explanation::Answer::kValue;
    explanation.read_sequence = 42;
    explanation.sequence = 17;
    explanation.expire_at_millis = 1234;
    explanation.value_bytes = 5000;
    explanation.value_log = ExplainedValueLog{9, 64, 5030, true};
    explanation.parts.resize(3);
    explanation.parts[0].number = 4;
    explanation.parts[0].filter = ExplainedPart::Filter::kAbsent;
    explanation.parts[1].kind = ExplainedPart::Kind::kRun;
    explanation.parts[1].number = explanation.parts[1].run_id = 8;
    explanation.parts[1].filter = ExplainedPart::Filter::kOutOfRange;
    ExplainedPart& last = explanation.parts[2];
    last.kind = ExplainedPart::Kind::kSegment;
    last.number = 12;
    last.level = 1;
    last.run_id = 3;
    last.filter = ExplainedPart::Filter::kMaybe;
    last.has_answered = last.was_opened = true;
    last.false_positives = 1;
    last.blocks = {{ExplainedBlock::Kind::kIndexPage, 8192, 4096, true},
                   {ExplainedBlock::Kind::kData, 0, 1, false}};
    explanation.bytes_read = 9126;
    explanation.nanos = 777;
    return explanation;
  }
};

TEST_F(ExplainCommandTest, Text) {
  Fill({}).explanation = Sample();
  EXPECT_EQ(OutputOf({"explain", "k"}),
            "active memtable, log 4: filter absent\n"
            "level 0, run 8: no segment covers the key\n"
            "level 1, run 3, segment 12: filter maybe, 1 false positive, answered, file opened\n"
            "  index page at 8192, 4096 bytes, read\n"
            "  data at 0, 1 byte, cached\n"
            "value log 9: at 64, 5030 bytes, read\n"
            "answer: value of 5000 bytes, sequence 17, deadline 1234 ms since 1970\n"
            "read up to sequence 42, 9126 bytes from disk, 777 ns\n");
  EXPECT_EQ(stores_.At("d").options.read_only, true);
}

TEST_F(ExplainCommandTest, Json) {
  Fill({}).explanation = Sample();
  EXPECT_EQ(OutputOf({"explain", "k", "--json"}),
            R"({"key":"k","answer":"value","found":true,"sequence":17,"range_tombstone_sequence":0,)"
            R"("read_sequence":42,"expire_at_ms":1234,"value_bytes":5000,"parts":[)"
            R"({"part":"active memtable","number":4,"filter":"absent","answered":false,"opened":false,)"
            R"("false_positives":0,"blocks":[]},)"
            R"({"part":"run","number":8,"level":0,"run":8,"filter":"out of range","answered":false,)"
            R"("opened":false,"false_positives":0,"blocks":[]},)"
            R"({"part":"segment","number":12,"level":1,"run":3,"filter":"maybe","answered":true,)"
            R"("opened":true,"false_positives":1,"blocks":[)"
            R"({"kind":"index page","offset":8192,"bytes":4096,"source":"read"},)"
            R"({"kind":"data","offset":0,"bytes":1,"source":"cached"}]}],)"
            R"("value_log":{"number":9,"offset":64,"bytes":5030,"source":"read"},)"
            R"("bytes_read":9126,"ns":777})"
            "\n");
}

TEST_F(ExplainCommandTest, AbsentKeysAreAnswers) {
  Explanation explanation;
  Fill({}).explanation = explanation;
  EXPECT_EQ(OutputOf({"explain", "k"}),
            "answer: nothing\nread up to sequence 0, 0 bytes from disk, 0 ns\n");
  explanation.parts.resize(1);
  explanation.parts[0].has_answered = true;
  explanation.answer = Explanation::Answer::kRangeTombstone;
  explanation.sequence = 3;
  explanation.range_tombstone_sequence = 5;
  Fill({}).explanation = explanation;
  EXPECT_EQ(OutputOf({"explain", "k"}),
            "active memtable: filter not asked, answered\n"
            "answer: range tombstone, sequence 3, deleted at 5\n"
            "read up to sequence 0, 0 bytes from disk, 0 ns\n");
}

TEST_F(ExplainCommandTest, AStoreThatCannotSaysSo) {
  Fill({{"k", "v"}});
  EXPECT_EQ(Varve({"explain", "k"}), kExitError);
  EXPECT_EQ(out_, "");
}

}  // namespace explain_command_test
}  // namespace varve::cli
