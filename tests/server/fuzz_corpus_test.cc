// The fuzz target of sessions as a plain test: over its corpus, and over changes of every input there.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/fuzz_corpus.h"
#include "tests/support/workload.h"

#define LLVMFuzzerTestOneInput FuzzSession
#include "tests/fuzz/session_fuzz.cc"
#undef LLVMFuzzerTestOneInput

namespace varve::server::test {
namespace fuzz_corpus_test {

void Feed(const std::string& input) { varve::test::FeedFuzzTarget(&FuzzSession, input); }

TEST(SessionCorpusTest, CorpusAndChangesOfIt) {
  const std::vector<varve::test::CorpusInput> inputs = varve::test::ReadCorpus("session");
  ASSERT_FALSE(inputs.empty());
  Random random(1);
  for (const auto& [path, content] : inputs) {
    SCOPED_TRACE(path);
    Feed(content);
    for (size_t round = 0; round < varve::test::Scaled(5); ++round) {
      std::string input = content;
      for (uint64_t i = 1 + random.Uniform(4); i > 0 && !input.empty(); --i) {
        const size_t at = random.Uniform(input.size());
        switch (random.Uniform(4)) {
          case 0: input[at] = static_cast<char>(random.Uniform(256)); break;
          case 1: input.erase(at, 1 + random.Uniform(20)); break;
          case 2: input.insert(at, 1, "\r\n *$-10\"'"[random.Uniform(10)]); break;
          default: {
            const std::string& other = inputs[random.Uniform(inputs.size())].content;
            const size_t from = random.Uniform(other.size());
            input.insert(at, other, from, random.Uniform(60));
          }
        }
      }
      Feed(input);
    }
  }
}

}  // namespace fuzz_corpus_test
}  // namespace varve::server::test
