// Told: a request of a client of NodeWorld, and what became of it.
#ifndef VARVE_TESTS_CLUSTER_TOLD_H_
#define VARVE_TESTS_CLUSTER_TOLD_H_

#include <string>
#include <vector>

#include "cluster/action.h"
#include "cluster/key_state.h"
#include "cluster/types.h"

namespace varve::cluster::test {

struct Told {
  bool is_get = false;
  std::string key;
  std::string value;
  int finished = 0;
  bool node_died = false;
  Outcome outcome = Outcome::kUnknown;
  ReplyCode reason = ReplyCode::kOk;
  std::vector<std::string> values;
  SeenContext brought;
  SeenContext seen;
  Nanos begun = 0;
  Nanos ended = 0;
};

}  // namespace varve::cluster::test

#endif  // VARVE_TESTS_CLUSTER_TOLD_H_
