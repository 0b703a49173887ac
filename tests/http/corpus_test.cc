// The fuzz target as a plain test: over its corpus, and over small mutations of every input there.
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "tests/support/fuzz_corpus.h"

#define LLVMFuzzerTestOneInput FuzzHttp
#include "tests/fuzz/http_fuzz.cc"
#undef LLVMFuzzerTestOneInput

namespace varve::http {
namespace corpus_test {

void Feed(const std::string& input) { test::FeedFuzzTarget(&FuzzHttp, input); }

TEST(HttpCorpusTest, CorpusAndMutationsOfIt) {
  const std::vector<test::CorpusInput> inputs = test::ReadCorpus("http");
  ASSERT_FALSE(inputs.empty());
  Random random(1);
  for (const auto& [path, content] : inputs) {
    SCOPED_TRACE(path);
    for (size_t size = 0; size <= content.size(); ++size) Feed(content.substr(0, size));
    for (int round = 0; round < 1000; ++round) {
      std::string input = content;
      for (uint64_t i = 1 + random.Uniform(4); i > 0 && !input.empty(); --i) {
        const size_t at = random.Uniform(input.size());
        switch (random.Uniform(3)) {
          case 0: input[at] = static_cast<char>(random.Uniform(256)); break;
          case 1: input.erase(at, 1); break;
          default: input.insert(at, 1, "\r\n :/\t"[random.Uniform(6)]);
        }
      }
      Feed(input);
    }
  }
}

}  // namespace corpus_test
}  // namespace varve::http
