// The fuzz target of the file of settings as a plain test: over its corpus, and over changes of every input there.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/fuzz_corpus.h"

#define LLVMFuzzerTestOneInput FuzzConfig
#include "tests/fuzz/config_fuzz.cc"
#undef LLVMFuzzerTestOneInput

namespace varve::cli {
namespace config_corpus_test {

TEST(ConfigTest, LettersBeyondAsciiStandInQuotes) {
  for (const std::string right :
       {"dir = \"\u00e9\" # \u00e9\nport = 1", "dir = '''\n\u00e9'''''\nport = 1",
        "dir = \"\"\"\\\n  \u00e9\"\"\"\nport = 1", "\xef\xbb\xbf" "dir = \"\"\"\\\"\u00e9\\\\\"\"\"\nport = 1", "dir = ''\nport = 1 #'\u00e9"}) {
    EXPECT_TRUE(ParseConfig(right).ok()) << right << ParseConfig(right).status().ToString();
  }
  for (const std::string wrong :
       {"dir = ''\n\u00e9 = 1", "dir = \"'\"\nport = \u029b", "# \"\nport = 1 \u00e9", "\nport = \"\\\u029b\""}) {
    EXPECT_TRUE(ParseConfig(wrong).status().message().starts_with("line 2: ")) << ParseConfig(wrong).status().message();
  }
}

TEST(ConfigTest, WhatIsNoKeyIsAnErrorAndNoMore) {
  for (const std::string wrong : {"[=", "[#", "[[=", "[.]", "a.=1", ".a = 1", "[a\n", "a = {=}", "a = {.}", "=", "["}) {
    EXPECT_FALSE(ParseConfig(wrong).ok()) << wrong;
  }
}

TEST(ConfigCorpusTest, CorpusAndChangesOfIt) {
  const std::vector<test::CorpusInput> inputs = test::ReadCorpus("config");
  ASSERT_FALSE(inputs.empty());
  Random random(1);
  for (const auto& [path, content] : inputs) {
    SCOPED_TRACE(path);
    for (int round = 0; round < 200; ++round) {
      std::string input = content;
      for (uint64_t i = random.Uniform(4); i > 0 && round > 0 && !input.empty(); --i) {
        const size_t at = random.Uniform(input.size());
        switch (random.Uniform(3)) {
          case 0: input[at] = static_cast<char>(random.Uniform(256)); break;
          case 1: input.erase(at, 1 + random.Uniform(20)); break;
          default: input.insert(at, 1, "\n=\"'[]{}#.,-_1\\"[random.Uniform(16)]);
        }
      }
      test::FeedFuzzTarget(&FuzzConfig, input);
    }
  }
}

}  // namespace config_corpus_test
}  // namespace varve::cli
