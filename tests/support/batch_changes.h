// The changes of a WriteBatch, one by one.
#ifndef VARVE_TESTS_SUPPORT_BATCH_CHANGES_H_
#define VARVE_TESTS_SUPPORT_BATCH_CHANGES_H_

#include <vector>

#include "tests/support/workload.h"
#include "varve/write_batch.h"

namespace varve::test {

std::vector<Change> ChangesOf(const WriteBatch& batch);

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_BATCH_CHANGES_H_
