// SETs that follow each other in a pipeline are written as one batch: what a commit costs is paid once, and other
// loops meet the store's commit lock less often. They have been answered by then, so if the batch fails
// their replies are taken back, and each is written and answered by itself.
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "server/session.h"

namespace varve::server {

namespace {

constexpr size_t kMaxSets = 32;
// Of a key and its value. For larger ones the rest of a commit is of no account.
constexpr size_t kMaxSetBytes = 1024;

}  // namespace

bool Session::JoinsSetRun(const Command& command, const std::vector<std::string_view>& args) const {
  if (args.size() != 3 || command.full_name != "set" || parser_.is_inline()) return false;
  if (loop_->sets.empty() && !has_more_input_) return false;
  if (args[1].size() + args[2].size() > kMaxSetBytes) return false;
  // Nothing that Process would refuse, queue, or show to others.
  return !is_queueing_ && is_authenticated() && replies_ == Replies::kOn && service_->cluster() == nullptr &&
         service_->monitors().empty() && !service_->IsHeard(kEventString) && !is_subscribed() &&
         user_version_ == service_->acl().version() && user_->allows_everything();
}

void Session::JoinSetRun(const Command& command, const std::vector<std::string_view>& args,
                         resp::ReplyWriter* reply) {
  if (loop_->sets.empty()) {
    client_->last_command.store(&command, std::memory_order_relaxed);
    set_run_mark_ = reply->size();
  }
  loop_->sets.push_back({args[1], args[2]});
  reply->Ok();
  if (loop_->sets.size() == kMaxSets) CommitSetRun(reply);
}

void Session::CommitSetRun(resp::ReplyWriter* reply) {
  if (loop_->sets.empty()) return;
  const Command& command = *client_->last_command.load(std::memory_order_relaxed);
  std::vector<LoopState::Set> sets = std::exchange(loop_->sets, {});
  const Status status = WriteSets(sets);
  if (status.ok() || VARVE_PLANTED_BUG("server.failed_run_stays_answered")) {
    NoteSets(command, sets);
  } else {
    reply->Truncate(set_run_mark_);
    for (const LoopState::Set& set : sets) Process(command, {"SET", set.key, set.value}, reply);
  }
  sets.clear();
  loop_->sets = std::move(sets);  // for its memory
}

Status Session::WriteSets(const std::vector<LoopState::Set>& sets) {
  VARVE_ASSIGN_OR_RETURN(space_, service_->databases().Get(database_));
  NoteWrite();
  WriteOptions options;
  options.durability = service_->write_durability();
  if (sets.size() == 1) return space_->Put(sets[0].key, sets[0].value, options);
  WriteBatch& batch = loop_->batch;
  batch.Clear();
  for (const LoopState::Set& set : sets) batch.Put(*space_, set.key, set.value);
  return service_->db()->Write(batch, options);
}

// Each took its share of the time; but who looks for pauses is shown the first with all of it.
void Session::NoteSets(const Command& command, const std::vector<LoopState::Set>& sets) {
  const uint64_t begin = std::exchange(idle_since_, service_->NowNanos());
  const uint64_t nanos = idle_since_ - begin;
  service_->latency().Note("command", nanos, now_);
  for (size_t i = 0; i < sets.size(); ++i) {
    totals().NoteCommand();
    service_->command_stats().loop(loop_index()).NoteCall(command, nanos / sets.size(), /*failed=*/false);
    const uint64_t shown = i == 0 ? nanos : nanos / sets.size();
    if (!service_->slowlog().IsSlow(shown)) continue;
    service_->slowlog().Add(*client_, {"SET", sets[i].key, sets[i].value}, now_, shown);
  }
}

}  // namespace varve::server
