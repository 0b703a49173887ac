// The fuzz target as a plain test: over its corpus, and over small mutations of every input there.
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "tests/support/fuzz_corpus.h"

#define LLVMFuzzerTestOneInput FuzzResp
#include "tests/fuzz/resp_fuzz.cc"
#undef LLVMFuzzerTestOneInput

namespace varve::resp {
namespace corpus_test {

void Feed(const std::string& input) { test::FeedFuzzTarget(&FuzzResp, input); }

TEST(RespCorpusTest, CorpusAndMutationsOfIt) {
  const std::vector<test::CorpusInput> inputs = test::ReadCorpus("resp");
  ASSERT_FALSE(inputs.empty());
  Random random(1);
  for (const auto& [path, content] : inputs) {
    SCOPED_TRACE(path);
    Feed(content);
    for (int round = 0; round < 300; ++round) {
      std::string input = content;
      for (uint64_t i = 1 + random.Uniform(4); i > 0 && !input.empty(); --i) {
        // Mostly bytes that mean something.
        constexpr char kBytes[] = "*$\r\n0123456789-\"'\\x \0a";
        input[random.Uniform(input.size())] =
            random.OneIn(3) ? static_cast<char>(random.Next()) : kBytes[random.Uniform(sizeof(kBytes))];
      }
      if (random.OneIn(3)) input.resize(random.Uniform(input.size() + 1));
      Feed(input);
    }
  }
}

}  // namespace corpus_test
}  // namespace varve::resp
