#include "torture/wire_client.h"

#include <algorithm>
#include <utility>

#include "torture/now.h"

namespace varve::torture {
namespace {

using client::Reply;
using Replies = WireStep::Replies;
using Operations = WireStep::Operations;

KeyState StateIn(const Reply& reply) {
  if (reply.type == Reply::Type::kNull) return std::nullopt;
  return reply.text;
}

Operation Of(OperationKind kind, const std::string& key, KeyState argument = {}, KeyState expected = {}) {
  Operation operation;
  operation.kind = kind;
  operation.key = key;
  operation.argument = std::move(argument);
  operation.expected = std::move(expected);
  return operation;
}

std::string ErrorIn(Replies replies) {
  for (const Reply& reply : replies) {
    if (reply.is_error()) return reply.text;
  }
  return "";
}

// The state that the last reply shows goes to the operation.
std::string ReadState(Replies replies, Operations operations) {
  operations->front().observed = StateIn(replies.back());
  return ErrorIn(replies);
}
std::string ReadInteger(Replies replies, Operations operations) {
  operations->front().observed = std::to_string(replies.back().integer);
  return ErrorIn(replies);
}
std::string ReadIncrement(Replies replies, Operations operations) {
  if (replies.back().text.starts_with("ERR value is not an integer")) {
    operations->front().outcome = Outcome::kConflict;
    return "";
  }
  return ReadInteger(replies, operations);
}
std::string ReadIncrements(Replies replies, Operations operations) {
  const std::vector<Reply>& results = replies.back().elements;
  if (results.size() != operations->size()) return "a wrong number of results";
  for (size_t i = 0; i < results.size(); i++) {
    std::vector<Operation> one = {(*operations)[i]};
    std::string wrong = ReadIncrement({results[i]}, &one);
    if (!wrong.empty()) return wrong;
    (*operations)[i] = one[0];
  }
  return "";
}
std::string ReadNothing(Replies replies, Operations) { return ErrorIn(replies); }
// Of a command that says 0 or null where it has not done it.
std::string ReadSuccess(Replies replies, Operations operations) {
  const Reply& reply = replies.back();
  const bool is_done = reply.type == Reply::Type::kInteger ? reply.integer == 1 : reply.type != Reply::Type::kNull;
  if (!is_done) operations->front().outcome = Outcome::kConflict;
  return ErrorIn(replies);
}

WireStep Get(const std::string& key) { return {{{"GET", key}}, {Of(OperationKind::kGet, key)}, ReadState}; }
WireStep GetPair() {
  return {{{"MGET", "p0", "p1"}}, {Of(OperationKind::kGet, "p")}, [](Replies replies, Operations operations) {
            const std::vector<Reply>& both = replies[0].elements;
            if (both.size() != 2) return std::string("not two values");
            operations->front().observed = StateIn(both[0]);
            if (StateIn(both[0]) == StateIn(both[1])) return std::string();
            return "half of a transaction: " + both[0].text + " and " + both[1].text;
          }};
}

}  // namespace

void WireClient::Run() {
  while (!shared_->is_over && problem_.empty()) {
    if (client_ == nullptr || client_->is_broken()) {
      Connect();
    } else {
      Do(NextStep());
    }
  }
  client_.reset();
}

void WireClient::ReadAll() {
  Connect();
  if (client_ != nullptr) {
    for (const std::string key : {"n0", "n1", "s0", "s1", "s2"}) Do(Get(key));
    Do(GetPair());
  }
  if (problem_.empty() && (client_ == nullptr || client_->is_broken())) problem_ = "the last server has died";
}

std::vector<Operation> WireClient::History(const std::vector<uint64_t>& deaths) const {
  std::vector<Operation> history;
  for (Operation operation : operations_) {
    if (operation.outcome == Outcome::kUnknown) {
      // Over with the server that it was connected to: that lived until it was connected at least.
      const auto connected = std::upper_bound(connected_at_.begin(), connected_at_.end(), operation.call_time);
      const auto death = std::lower_bound(deaths.begin(), deaths.end(), *(connected - 1));
      if (death != deaths.end()) operation.latest = *death;
      if (operation.latest < operation.call_time) continue;
    }
    history.push_back(std::move(operation));
  }
  return history;
}

void WireClient::Connect() {
  Result<std::unique_ptr<client::Client>> connected = client::Client::Connect(shared_->endpoint);
  if (connected.ok()) {
    client_ = *std::move(connected);
    connected_at_.push_back(MonotonicNow());
  } else {
    Env::Default()->clock()->SleepNanos(1'000'000);  // it is being started
  }
}

void WireClient::Do(WireStep step) {
  std::vector<client::Request> requests;
  for (const std::vector<std::string>& words : step.commands) requests.emplace_back(words.begin(), words.end());
  const uint64_t call = MonotonicNow();
  const Result<std::vector<Reply>> replies = client_->Run(requests);
  const uint64_t end = MonotonicNow();
  for (Operation& operation : step.operations) {
    operation.client = number_;
    operation.call_time = call;
    operation.return_time = end;
    if (!replies.ok()) operation.outcome = Outcome::kUnknown;
  }
  if (replies.ok()) {
    // Many others were faster, again and again: it has not been executed, and says so.
    for (const Reply& reply : *replies) {
      if (reply.is_error() && reply.text.starts_with("TRYAGAIN")) return;
    }
    const std::string wrong = step.read(*replies, &step.operations);
    if (!wrong.empty()) problem_ = step.commands.back()[0] + ": " + wrong;
    ++shared_->answered;
    for (const Operation& operation : step.operations) {
      if (operation.kind == OperationKind::kGet) last_seen_ = operation.observed;
    }
  }
  operations_.insert(operations_.end(), step.operations.begin(), step.operations.end());
}

WireStep WireClient::NextStep() {
  const uint64_t kind = random_.Uniform(10);
  const std::string string = "s" + std::to_string(random_.Uniform(3));
  if (kind < 3) return CounterStep("n" + std::to_string(random_.Uniform(2)));
  if (kind < 7) return StringStep(string);
  if (kind < 8) return random_.OneIn(2) ? PairStep() : OwnStep();
  return kind == 8 ? Pipeline() : Watched(string);
}

WireStep WireClient::CounterStep(const std::string& key) {
  switch (random_.Uniform(8)) {
    case 0: return Get(key);
    case 1: return {{{"DEL", key}}, {Of(OperationKind::kDelete, key)}, ReadInteger};
    case 2: {
      const std::string value = random_.Uniform(4) == 0 ? NewValue() : std::to_string(random_.Uniform(1 << 20));
      return {{{"SET", key, value}}, {Of(OperationKind::kPut, key, value)}, ReadNothing};
    }
    case 3:
      return {{{"MULTI"}, {"INCR", "n0"}, {"INCR", "n1"}, {"EXEC"}},
              {Of(OperationKind::kIncrement, "n0"), Of(OperationKind::kIncrement, "n1")},
              ReadIncrements};
    default: return {{{"INCR", key}}, {Of(OperationKind::kIncrement, key)}, ReadIncrement};
  }
}

WireStep WireClient::StringStep(const std::string& key) {
  const std::string value = NewValue();
  switch (random_.Uniform(10)) {
    case 0: return {{{"SET", key, value}}, {Of(OperationKind::kPut, key, value)}, ReadNothing};
    case 1: return {{{"DEL", key}}, {Of(OperationKind::kDelete, key)}, ReadInteger};
    case 2: return {{{"APPEND", key, value}}, {Of(OperationKind::kAppend, key, value)}, ReadInteger};
    case 3: return {{{"SET", key, value, "NX"}}, {Of(OperationKind::kCompareAndSet, key, value)}, ReadSuccess};
    case 4:
      if (!last_seen_) return Get(key);
      return {{{"V.CAS", key, "IF", *last_seen_, "SET", value}},
              {Of(OperationKind::kCompareAndSet, key, value, last_seen_)},
              ReadSuccess};
    case 5: return {{{"SET", key, value, "GET"}}, {Of(OperationKind::kSwap, key, value)}, ReadState};
    case 6: return {{{"GETDEL", key}}, {Of(OperationKind::kSwap, key)}, ReadState};
    case 7:
      return {{{"MULTI"}, {"GET", key}, {"SET", key, value}, {"EXEC"}},
              {Of(OperationKind::kSwap, key, value)},
              [](Replies replies, Operations operations) {
                if (replies.back().elements.size() != 2) return std::string("not two results");
                operations->front().observed = StateIn(replies.back().elements[0]);
                return ErrorIn(replies);
              }};
    default: return Get(key);
  }
}

WireStep WireClient::OwnStep() {
  const std::string other = std::to_string(random_.Uniform(static_cast<uint64_t>(number_) + 2));
  const std::string register_key = "c" + std::to_string(random_.Uniform(2));
  const std::string own = "o" + std::to_string(number_);
  const std::string value = NewValue();
  switch (random_.Uniform(7)) {
    case 0: return {{{"SET", own, value}}, {Of(OperationKind::kPut, own, value)}, ReadNothing};
    case 1: return {{{"DEL", own}}, {Of(OperationKind::kDelete, own)}, ReadInteger};
    case 2: return {{{"SET", register_key, value}}, {Of(OperationKind::kPut, register_key, value)}, ReadNothing};
    case 3:
    case 4: return Get(register_key);
    default: return Get("o" + other);
  }
}

WireStep WireClient::PairStep() {
  const std::string value = NewValue();
  switch (random_.Uniform(5)) {
    case 0:
      return {{{"MULTI"}, {"SET", "p0", value}, {"SET", "p1", value}, {"EXEC"}},
              {Of(OperationKind::kPut, "p", value)},
              ReadNothing};
    case 1: return {{{"MSET", "p0", value, "p1", value}}, {Of(OperationKind::kPut, "p", value)}, ReadNothing};
    case 2:
      return {{{"DEL", "p0", "p1"}}, {Of(OperationKind::kDelete, "p")}, [](Replies replies, Operations operations) {
                if (replies[0].integer == 1) return std::string("half of a transaction was there");
                operations->front().observed = replies[0].integer == 0 ? "0" : "1";
                return ErrorIn(replies);
              }};
    case 3:
      return {{{"EXISTS", "p0", "p1"}}, {}, [](Replies replies, Operations) {
                return replies[0].integer == 1 ? "half of a transaction is there" : ErrorIn(replies);
              }};
    default: return GetPair();
  }
}

// Several writes at once, on keys of their own: all of them, each at its moment.
WireStep WireClient::Pipeline() {
  WireStep step;
  for (const std::string key : {"s0", "s1", "s2"}) {
    const std::string value = NewValue();
    step.commands.push_back({"SET", key, value});
    step.operations.push_back(Of(OperationKind::kPut, key, value));
  }
  step.read = ReadNothing;
  return step;
}

// A read and, in a second step, a write that depends on it.
WireStep WireClient::Watched(const std::string& key) {
  Do({{{"WATCH", key}, {"GET", key}}, {Of(OperationKind::kGet, key)}, ReadState});
  const KeyState seen = last_seen_;
  const std::string value = NewValue();
  if (client_->is_broken()) return Get(key);  // which comes to nothing either
  return {{{"MULTI"}, {"SET", key, value}, {"EXEC"}},
          {Of(OperationKind::kCompareAndSet, key, value, seen)},
          [](Replies replies, Operations operations) {
            // Where somebody wrote what had been there before, it is refused, too: no conflict then.
            if (replies.back().type == Reply::Type::kNull) operations->clear();
            return ErrorIn(replies);
          }};
}

}  // namespace varve::torture
