#include "cli/line_editor.h"

#include <gtest/gtest.h>

#include <sstream>

#include "base/random.h"
#include "cli/text.h"
#include "tests/cli/scripted_terminal.h"

namespace varve::cli {
namespace line_editor_test {

class LineEditorTest : public testing::Test {
 protected:
  LineEditor::Outcome Read(std::deque<std::string> script, size_t columns = 80) {
    ScriptedTerminal terminal(std::move(script), columns);
    LineEditor editor(&console_, &terminal, hooks_);
    editor.history() = history_;
    const LineEditor::Outcome outcome = editor.Read("> ", &line_);
    screen_ = terminal.screen;
    EXPECT_EQ(terminal.open_count, 0);
    return outcome;
  }
  std::string LineOf(std::deque<std::string> script) {
    EXPECT_EQ(Read(std::move(script)), LineEditor::Outcome::kLine);
    return line_;
  }

  std::istringstream in_;
  std::ostringstream out_;
  Console console_{.in = in_, .out = out_, .err = out_, .now_nanos = [] { return uint64_t{0}; }};
  EditorHooks hooks_;
  std::vector<std::string> history_;
  std::string line_, screen_;
};

TEST_F(LineEditorTest, KeysOfAnEditor) {
  const std::pair<const char*, const char*> cases[] = {
      {"abc\r", "abc"},
      {"abc\x7f\x7fx\r", "ax"},
      {"\x7f" "a\r", "a"},
      {"ac\x1b[Db\r", "abc"},
      {"ac\x1bODb\r", "abc"},
      {"bc\x01" "a\x05" "d\r", "abcd"},
      {"bc\x1b[Ha\x1b[Fd\r", "abcd"},
      {"bc\x1b[1~a\x1b[4~d\r", "abcd"},
      {"abc\x01\x1b[3~\r", "bc"},
      {"abc\x02\x02\x06x\r", "abxc"},
      {"abc\x01\x04\r", "bc"},
      {"ab cd\x17x\r", "ab x"},
      {"ab cd\x1b\x7fx\r", "ab x"},
      {"ab cd\x15x\r", "x"},
      {"ab cd\x1b" "b\x0b" "x\r", "ab x"},
      {"ab cd\x01\x1b" "fx\r", "abx cd"},
      {"ab cd\x01\x1b" "d\r", " cd"},
      {"ab cd\x1b[1;5D\x19-\r", "ab -cd"},
      {"ab cd\x17\x19\x19\r", "ab cdcd"},
      {"ab\x14\r", "ba"},
      {"abc\x02\x14\r", "acb"},
      {"\x14" "a\x14\r", "a"},
      {"a\x1b[99~b\x1bxc\x07" "d\r", "abcd"},
      {"\xc3\xa4\xe2\x82\xac\x02x\x7f\x7fy\r", "y\xe2\x82\xac"},
      {"a\xff" "b\r", "ab"},
  };
  for (const auto& [keys, expected] : cases) EXPECT_EQ(LineOf({keys}), expected) << keys;
}

TEST_F(LineEditorTest, KeysInSinglePiecesOfBytes) {
  EXPECT_EQ(LineOf({"a", "c", "\x1b", "[", "D", "\xe2", "\x82", "\xac", "\r"}), "a\xe2\x82\xac" "c");
}

TEST_F(LineEditorTest, EscapeAloneIsAKey) { EXPECT_EQ(LineOf({"a\x1b", "", "b\r"}), "ab"); }

TEST_F(LineEditorTest, WhatIsPastedPressesNoKeys) {
  EXPECT_EQ(LineOf({"a\x1b[200~one\ntwo\t\x03", "\x1b[201~b\r"}), "aone two  b");
}

TEST_F(LineEditorTest, EndsOfALine) {
  EXPECT_EQ(Read({"abc\x03"}), LineEditor::Outcome::kCancelled);
  EXPECT_EQ(Read({"\x04"}), LineEditor::Outcome::kEnd);
  EXPECT_EQ(Read({"abc"}), LineEditor::Outcome::kEnd);
}

TEST_F(LineEditorTest, History) {
  history_ = {"one", "two"};
  EXPECT_EQ(LineOf({"\x1b[A\r"}), "two");
  EXPECT_EQ(LineOf({"\x1b[A\x1b[A\x1b[A\r"}), "one");
  EXPECT_EQ(LineOf({"new\x1b[A\x10\x0e\x1b[B\x1b[B!\r"}), "new!");
}

TEST_F(LineEditorTest, SearchInHistory) {
  history_ = {"put apple 1", "get pear", "put pear 2"};
  EXPECT_EQ(LineOf({"\x12pear\r", "\r"}), "put pear 2");
  EXPECT_EQ(LineOf({"\x12pear\x12\r", "\r"}), "get pear");
  EXPECT_EQ(LineOf({"\x12pear\x12\x12\x12\r", "\r"}), "get pear");
  EXPECT_EQ(LineOf({"\x12" "apx\x7fp\r", "!\r"}), "put apple 1!");
  EXPECT_EQ(LineOf({"old\x12pear\x03", "\r"}), "old");
  EXPECT_EQ(LineOf({"\x12nothing like it\r", "\r"}), "");
}

TEST_F(LineEditorTest, Completion) {
  hooks_.complete = [](std::string_view text) {
    varve::cli::Completion found;
    found.start = text.rfind(' ') == text.npos ? 0 : text.rfind(' ') + 1;
    for (const char* word : {"shop/fruit/", "shop/tea", "other"}) {
      if (std::string_view(word).starts_with(text.substr(found.start))) found.words.emplace_back(word);
    }
    return found;
  };
  EXPECT_EQ(LineOf({"get o\t\r"}), "get other ");
  EXPECT_EQ(LineOf({"get sh\t\r"}), "get shop/");
  EXPECT_EQ(LineOf({"get shop/f\t\r"}), "get shop/fruit/");
  EXPECT_EQ(LineOf({"get x\t\r"}), "get x");
  EXPECT_NE(screen_.find('\a'), std::string::npos);
  EXPECT_EQ(LineOf({"get shop/\t\r"}), "get shop/");
  EXPECT_NE(screen_.find("\r\nshop/fruit/  shop/tea\r\n"), std::string::npos) << screen_;
  EXPECT_EQ(LineOf({"get o x\x02\x02\t\r"}), "get other  x");
}

TEST_F(LineEditorTest, HintsAreShownAndAreNoPartOfTheLine) {
  hooks_.hint = [](std::string_view line) { return line == "put" ? " KEY VALUE" : ""; };
  EXPECT_EQ(LineOf({"put\r"}), "put");
  EXPECT_NE(screen_.find("put KEY VALUE"), std::string::npos);
  // Gone when the line is done.
  const std::string last = screen_.substr(screen_.rfind("\r> "));
  EXPECT_EQ(last.find("KEY"), std::string::npos) << last;
}

TEST_F(LineEditorTest, ColourOnATerminalThatHasIt) {
  Read({"a\r"});
  EXPECT_EQ(screen_.find("\x1b[1m"), std::string::npos);
}

// Goal: no keys lead outside the line, and frames fit the terminal. Method: random bytes of all kinds, many
// of them keys, at small widths.
TEST_F(LineEditorTest, RandomKeys) {
  Random random(11);
  history_ = {"put \xe2\x82\xac 1", "", "get pear"};
  hooks_.complete = [](std::string_view text) {
    varve::cli::Completion found{text.size() / 2, {}};
    while (found.start > 0 && (static_cast<unsigned char>(text[found.start]) & 0xC0) == 0x80) --found.start;
    if (text.size() % 3 != 0) found.words = {"\xe2\x82\xac" "a", "\xe2\x82\xac" "b"};
    return found;
  };
  static constexpr const char* kPieces[] = {"\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[3~", "\x7f",
                                            "\x01", "\x05", "\x0b", "\x15", "\x17", "\x19", "\x14",
                                            "\x12", "\x1b" "b", "\x1b" "f", "\x1b" "d", "\t", " ",
                                            "\xe2\x82\xac", "word", "\x1b", "\xe2", "\x1b[200~x\n\x1b[201~"};
  for (int round = 0; round < 300; ++round) {
    std::deque<std::string> script;
    for (int i = 0; i < 60; ++i) script.emplace_back(kPieces[random.Uniform(std::size(kPieces))]);
    script.emplace_back("\x03\x03");
    Read(script, 20 + random.Uniform(10));
    EXPECT_TRUE(IsUtf8(line_)) << round;
  }
}

TEST_F(LineEditorTest, ALongLineScrolls) {
  const std::string text(100, 'x');
  EXPECT_EQ(Read({text + "END\r"}, 30), LineEditor::Outcome::kLine);
  EXPECT_EQ(line_, text + "END");
  const std::string last = screen_.substr(screen_.rfind("\r> "));
  EXPECT_NE(last.find("xEND"), std::string::npos);
  EXPECT_LE(last.find("\x1b[K"), 1u + 29u);
}

}  // namespace line_editor_test
}  // namespace varve::cli
