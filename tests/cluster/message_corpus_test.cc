// The fuzz target of messages as a plain test: over its corpus, and over small mutations of every input there.
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "tests/support/fuzz_corpus.h"

#define LLVMFuzzerTestOneInput FuzzMessage
#include "tests/fuzz/message_fuzz.cc"
#undef LLVMFuzzerTestOneInput

namespace varve::cluster {
namespace message_corpus_test {

TEST(MessageCorpusTest, CorpusAndMutationsOfIt) {
  const std::vector<varve::test::CorpusInput> inputs = varve::test::ReadCorpus("message");
  ASSERT_EQ(inputs.size(), std::variant_size_v<Message::Body>);
  Random random(1);
  for (const auto& [path, content] : inputs) {
    SCOPED_TRACE(path);
    EXPECT_TRUE(DecodeMessage(content).ok());
    for (int round = 0; round < 300; ++round) {
      std::string input = content;
      for (uint64_t i = random.Uniform(4); i > 0; --i) {
        input[random.Uniform(input.size())] =
            static_cast<char>(random.OneIn(2) ? random.Next() : random.Uniform(9));
      }
      if (random.OneIn(3)) input.resize(random.Uniform(input.size() + 1));
      varve::test::FeedFuzzTarget(&FuzzMessage, input);
    }
  }
}

}  // namespace message_corpus_test
}  // namespace varve::cluster
