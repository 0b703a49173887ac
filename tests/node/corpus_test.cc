// The fuzz target as a plain test: over its corpus, and over small mutations of every input there.
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "tests/support/fuzz_corpus.h"

#define LLVMFuzzerTestOneInput FuzzNode
#include "tests/fuzz/node_fuzz.cc"
#undef LLVMFuzzerTestOneInput

namespace varve::node {
namespace corpus_test {

void Feed(const std::string& input) { test::FeedFuzzTarget(&FuzzNode, input); }

TEST(NodeCorpusTest, CorpusAndMutationsOfIt) {
  const std::vector<test::CorpusInput> inputs = test::ReadCorpus("node");
  ASSERT_FALSE(inputs.empty());
  Random random(1);
  for (const auto& [path, content] : inputs) {
    SCOPED_TRACE(path);
    Feed(content);
    for (int round = 0; round < 200; ++round) {
      std::string input = content;
      for (uint64_t i = 1 + random.Uniform(4); i > 0 && !input.empty(); --i) {
        input[random.Uniform(input.size())] =
            static_cast<char>(random.OneIn(2) ? random.Next() : random.Uniform(9));
      }
      if (random.OneIn(3)) input.resize(random.Uniform(input.size() + 1));
      Feed(input);
    }
  }
}

}  // namespace corpus_test
}  // namespace varve::node
