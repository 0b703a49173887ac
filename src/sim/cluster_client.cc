#include "sim/cluster_client.h"

#include <utility>
#include <vector>

namespace varve::sim {
namespace {

constexpr uint64_t kNextTimer = 0;
constexpr uint64_t kGiveUpTimer = 1;
constexpr size_t kContextsKept = 6;  // of each key

std::string KeyOf(const ClusterOptions& options, uint64_t number) {
  const size_t space = number % (options.namespaces.size() + 1);
  const std::string name = "key" + std::to_string(number);
  return space == 0 ? name : "@" + options.namespaces[space - 1].name + "/" + name;
}

}  // namespace

void ClusterClient::OnStart(Time, Actions* actions) { Idle(actions); }

void ClusterClient::Idle(Actions* actions) { actions->SetTimer(kNextTimer, random_.Uniform(run_->options.idle)); }

Endpoint ClusterClient::SomeServer() {
  return static_cast<Endpoint>(random_.Uniform(run_->options.nodes + run_->options.spares));
}

// Mostly the latest, sometimes an older one, or none.
cluster::SeenContext ClusterClient::SomeContext(const std::string& key) {
  const std::vector<cluster::SeenContext>& known = run_->contexts[key];
  if (known.empty() || random_.Chance(run_->options.blind)) return {};
  return random_.Chance(600) ? known.back() : known[random_.Uniform(known.size())];
}

ClientOperation ClusterClient::SomeOperation(bool is_last_round) {
  ClientOperation operation;
  if (is_last_round) {
    operation.key = KeyOf(run_->options, next_last_read_);
    operation.level = cluster::Level::kAll;
    return operation;
  }
  operation.key = KeyOf(run_->options, random_.Uniform(run_->options.keys));
  const uint64_t kind = random_.Uniform(100);
  const uint64_t level = random_.Uniform(100);
  const uint64_t others = 100 - run_->options.linear;
  operation.level = level >= others           ? cluster::Level::kLinear
                    : level < others * run_->options.small / 100 ? cluster::Level::kOne
                    : level < others * (100 - run_->options.all) / 100 ? cluster::Level::kQuorum
                                              : cluster::Level::kAll;
  const uint64_t reads = run_->options.reads;
  if (kind < reads) return operation;
  operation.kind = kind < reads + (100 - reads) * 8 / 11 ? ClientOperation::Kind::kPut : ClientOperation::Kind::kDelete;
  operation.brought = SomeContext(operation.key);
  operation.sloppy = run_->options.sloppy && operation.level != cluster::Level::kLinear && random_.Chance(run_->options.sloppy_writes);
  if (operation.kind == ClientOperation::Kind::kPut) {
    operation.value = "v" + std::to_string(run_->history.operations().size());
  }
  return operation;
}

void ClusterClient::Begin(ClientOperation operation, bool is_patient, Actions* actions) {
  const Nanos patience = is_patient ? 2 * kSecond : 20 * kMillisecond + random_.Uniform(run_->options.patience);
  operation.begun = run_->now();
  ClientCall call{.kind = operation.kind, .level = operation.level, .sloppy = operation.sloppy, .patience = patience,
                  .key = operation.key, .value = operation.value, .brought = operation.brought};
  number_ = run_->history.Begin(std::move(operation));
  call.number = *number_;
  actions->Send(SomeServer(), Encode(std::move(call)));
  actions->SetTimer(kGiveUpTimer, patience + 300 * kMillisecond);
}

void ClusterClient::OnTimer(uint64_t id, Time, Actions* actions) {
  if (id == kGiveUpTimer) {
    run_->Report(run_->history.End(*number_, run_->now(), cluster::Outcome::kUnknown, {}, {}));
    number_.reset();
    return Idle(actions);
  }
  const bool is_last_round = run_->IsLastRound();
  if (is_last_round && (!IsFirst() || next_last_read_ == run_->options.keys)) return;
  if (!is_last_round && !run_->MayWork()) return Idle(actions);
  Begin(SomeOperation(is_last_round), is_last_round, actions);
}

void ClusterClient::OnMessage(Endpoint, std::string_view bytes, Time, Actions* actions) {
  const auto answer = std::get<ClientAnswer>(DecodeClusterMessage(bytes));
  if (!number_ || answer.number != *number_) return;  // given up, or told twice by the network
  const ClientOperation& operation = run_->history.operations()[*number_];
  if (!answer.seen.context.empty()) {
    std::vector<cluster::SeenContext>& known = run_->contexts[operation.key];
    known.push_back(answer.seen);
    if (known.size() > kContextsKept) known.erase(known.begin());
  }
  if (operation.level == cluster::Level::kAll && run_->IsLastRound() && answer.outcome == cluster::Outcome::kOk) {
    ++next_last_read_;
    ++run_->last_reads;
  }
  run_->Report(run_->history.End(*number_, run_->now(), answer.outcome, answer.seen, answer.values));
  number_.reset();
  actions->CancelTimer(kGiveUpTimer);
  Idle(actions);
}

}  // namespace varve::sim
