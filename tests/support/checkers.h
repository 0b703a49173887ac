// The checkers of histories, which tests share with the campaigns (src/torture).
#ifndef VARVE_TESTS_SUPPORT_CHECKERS_H_
#define VARVE_TESTS_SUPPORT_CHECKERS_H_

#include "torture/history_recorder.h"
#include "torture/linearizability.h"
#include "torture/serializability.h"

namespace varve::test {

using torture::CheckLinearizability;
using torture::CheckOptions;
using torture::CheckResult;
using torture::ClientRecorder;
using torture::FindAnomaly;
using torture::KeyState;
using torture::Operation;
using torture::OperationKind;
using torture::Outcome;
using torture::TransactionAccess;
using torture::TransactionRecord;
using torture::Verdict;

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_CHECKERS_H_
