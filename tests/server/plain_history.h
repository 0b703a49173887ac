// PlainHistory: what clients of a cluster did with GET, SET and DEL, which carry no contexts, and whether that can be.
//
// A SET reads R copies and takes the place of what it has read. So, with R + W > N and in the numbers of
// docs/design/0032-simulator.md:
//   I2  what was acknowledged before a GET began is shown, or something that was written at the same time or later
//   I4  what is shown was written to the key
//   I7  what was overwritten or deleted, by an acknowledged request that began after the write had been acknowledged, is
//       not shown any more
//   I13 what has failed is not shown
#ifndef VARVE_TESTS_SERVER_PLAIN_HISTORY_H_
#define VARVE_TESTS_SERVER_PLAIN_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/action.h"
#include "varve/status.h"

namespace varve::test {

struct PlainOperation {
  enum class Kind : uint8_t { kGet, kSet, kDelete };
  Kind kind = Kind::kGet;
  std::string key;
  std::string value;  // of a SET. No other has it
  // From here on: of the reply. One that is not ended may take place at any time.
  bool is_ended = false;
  cluster::Outcome outcome = cluster::Outcome::kUnknown;
  // Of a GET: one value, or none. Of a DEL: how many it has deleted. More than one of a GET was a conflict.
  std::vector<std::string> values;
  uint64_t begun_as = 0;  // places in the order of all that has begun and ended
  uint64_t ended_as = 0;
};

class PlainHistory {
 public:
  size_t Begin(PlainOperation operation);
  void End(size_t number, cluster::Outcome outcome, std::vector<std::string> values);
  // kCorruption: the first violation. O(n^2) in the operations of a key.
  Status Check() const;
  // All values that replicas have in the end.
  Status CheckFinal(const std::string& key, const std::vector<std::string>& values) const;
  bool Has(const std::string& key) const { return keys_.contains(key); }
  std::vector<std::string> Keys() const;
  size_t size() const { return operations_.size(); }

 private:
  Status CheckShown(const std::string& where, const std::string& key, const std::string& value, uint64_t begun,
                    uint64_t ended) const;
  Status CheckAbsent(const std::string& where, const std::string& key, uint64_t begun, uint64_t ended) const;
  std::string Name(size_t number) const;

  std::vector<PlainOperation> operations_;
  std::map<std::string, std::vector<size_t>> keys_;  // the writes of each
  uint64_t order_ = 0;
};

}  // namespace varve::test

#endif  // VARVE_TESTS_SERVER_PLAIN_HISTORY_H_
