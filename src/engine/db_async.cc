#include "engine/db_async.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve {

namespace {

Status Stopped() { return Status::Aborted("a stop was requested"); }
Status Closing() { return Status::Aborted("the store is closing"); }

}  // namespace

// --- The operations under way.

DbAsync::DbAsync(DbImpl* db)
    : db_(db),
      pool_(std::make_unique<WorkerPool>(db->env_, "varve-async",
                                         std::max<size_t>(1, db->tuning_.async_threads))) {
  if (db->tuning_.async_reads == AsyncReads::kAuto) reader_ = db->env_->NewAsyncReader();
  if (reader_ == nullptr) reader_ = NewThreadedReader(pool_.get());
}

DbAsync::~DbAsync() {
  Shutdown();
  std::unique_ptr<Thread> commit_thread;
  {
    MutexLock lock(&mu_);
    stop_ = true;
    commits_due_.NotifyAll();
    commit_thread = std::move(commit_thread_);
  }
  // These join, too: who has left last may still hold the mutex.
  commit_thread.reset();
  reader_.reset();
  pool_.reset();
}

void DbAsync::Shutdown() {
  // Release: who sees it begins nothing.
  is_closing_.store(true, std::memory_order_release);
  MutexLock lock(&mu_);
  while (under_way_ > 0) idle_.Wait(&mu_);
}

void DbAsync::Leave() {
  MutexLock lock(&mu_);
  if (--under_way_ == 0) idle_.NotifyAll();
}

bool DbAsync::Start(std::unique_ptr<Read> read) {
  {
    MutexLock lock(&mu_);
    if (is_closing()) return false;
    ++under_way_;
  }
  read->async_ = this;
  read.release()->Go();  // from here on it deletes itself
  return true;
}

// --- Durability.

void DbAsync::AwaitCommit(const DbImpl::Ticket& ticket, Operation kind, uint64_t begin,
                          std::shared_ptr<internal::AsyncState<Status>> state) {
  {
    MutexLock lock(&mu_);
    // Also while the store closes: the change has been made. Then the caller is a continuation, for which
    // Shutdown waits.
    ++under_way_;
    commits_.push_back({ticket, kind, begin, std::move(state)});
    if (commit_thread_ == nullptr) {
      commit_thread_ = db_->env_->StartThread("varve-commit", [this] { CommitLoop(); });
    }
    if (commit_thread_ != nullptr) {
      commits_due_.NotifyOne();
      return;
    }
  }
  // Without a thread the caller has to wait.
  std::vector<Commit> commits;
  {
    MutexLock lock(&mu_);
    commits.swap(commits_);
  }
  EndCommits(std::move(commits));
}

void DbAsync::CommitLoop() {
  while (true) {
    std::vector<Commit> commits;
    {
      MutexLock lock(&mu_);
      while (commits_.empty() && !stop_) commits_due_.Wait(&mu_);
      if (commits_.empty()) return;
      commits.swap(commits_);
    }
    EndCommits(std::move(commits));
  }
}

// All of them wait for one flush, during which the next ones gather.
void DbAsync::EndCommits(std::vector<Commit> commits) {
  uint64_t position = 0;
  uint64_t not_before = 0;
  bool wait = false;
  bool sync = false;
  for (const Commit& commit : commits) {
    if (commit.ticket.wait) {
      wait = true;
      position = std::max(position, commit.ticket.position);
      sync |= commit.ticket.sync;
    }
    not_before = std::max(not_before, commit.ticket.not_before);
  }
  Status waited;
  if (wait && !VARVE_PLANTED_BUG("async.acknowledged_before_the_sync")) {
    waited = db_->sync_group_.WaitFor(position, sync);
  }
  const auto end = [&](const Commit& commit) {
    Status status = StatusOf(commit.ticket, waited);
    if (status.ok()) db_->times_.Record(commit.kind, commit.begin);
    commit.state->Finish(std::move(status));
    Leave();
  };
  // Those that nobody holds back do not wait for those that are.
  const auto held_back =
      std::stable_partition(commits.begin(), commits.end(), [&](const Commit& commit) {
        return !db_->MustThrottle(commit.ticket.not_before);
      });
  std::for_each(commits.begin(), held_back, end);
  if (held_back == commits.end()) return;
  db_->Throttle(not_before);
  std::for_each(held_back, commits.end(), end);
}

Status DbAsync::StatusOf(const DbImpl::Ticket& ticket, const Status& waited) const {
  DbImpl::Ticket rest = ticket;
  rest.wait = false;
  rest.not_before = 0;
  Status status = db_->FinishCommit(rest, Status::Ok());  // a store that has failed says why
  if (!status.ok() || !ticket.wait || db_->sync_group_.IsDone(ticket.position, ticket.sync)) return status;
  return waited;
}

// --- The calls.

DbAsync* DbImpl::StartedAsync() {
  // Acquire: it was complete before it was stored.
  DbAsync* async = async_.load(std::memory_order_acquire);
  if (async != nullptr) return async;
  MutexLock lock(&async_mu_);
  async = async_.load(std::memory_order_relaxed);
  if (async != nullptr) return async;
  async = new DbAsync(this);
  async_.store(async, std::memory_order_release);
  return async;
}

Status DbImpl::CheckMayBegin(const std::stop_token& stop) const {
  if (stop.stop_requested()) return Stopped();
  const DbAsync* async = async_.load(std::memory_order_acquire);
  return async != nullptr && async->is_closing() ? Closing() : Status::Ok();
}

Result<std::string> DbImpl::ReadAt(SuperVersion* super, SequenceNumber sequence,
                                   std::string_view key, Lookup* found) {
  std::string value;
  VARVE_RETURN_IF_ERROR(Find(super, KeyFor(key), sequence, found));
  VARVE_RETURN_IF_ERROR(CopyValue(*found, &value));
  return value;
}

std::optional<Result<std::string>> DbImpl::TryReadAt(SuperVersion* super, SequenceNumber sequence,
                                                     std::string_view key, BlockWait* wait,
                                                     Lookup* found) {
  const BlockWait::Scope scope(wait);
  Result<std::string> result = ReadAt(super, sequence, key, found);
  if (wait->has_stopped()) return std::nullopt;
  return result;
}

Async<Result<std::string>> DbImpl::GetStoredAsync(std::string_view key, const ReadOptions& options,
                                                  std::stop_token stop) {
  using Value = Async<Result<std::string>>;
  if (Status status = CheckMayBegin(stop); !status.ok()) return Value::Ready(std::move(status));
  std::shared_ptr<Value::State> state;
  std::unique_ptr<DbAsync::Read> read;
  {
    const EpochGuard guard;
    const uint64_t begin = times_.Begin();
    SequenceNumber sequence;
    SuperVersion* super = ReadPoint(options.snapshot, &sequence);
    BlockWait wait;
    Lookup found;
    std::optional<Result<std::string>> result = TryReadAt(super, sequence, key, &wait, &found);
    if (result) {
      EndGet(result->status(), found, begin);
      return Value::Ready(*std::move(result));
    }
    state = std::make_shared<Value::State>();
    read = std::make_unique<DbAsync::Read>(
        this, super, sequence, Operation::kGetHit, std::vector<std::string>{std::string(key)},
        std::move(stop),
        [state](DbAsync::Values values) { state->Finish(std::move(values[0])); });
    read->AddMissing(wait.TakeMissing());
  }
  if (!StartedAsync()->Start(std::move(read))) return Value::Ready(Closing());
  return Value(std::move(state));
}

Async<std::vector<Result<std::string>>> DbImpl::MultiGetStoredAsync(
    const std::vector<std::string_view>& keys, const ReadOptions& options, std::stop_token stop) {
  using Value = Async<DbAsync::Values>;
  const auto all = [&](const Status& status) {
    return Value::Ready(DbAsync::Values(keys.size(), status));
  };
  if (Status status = CheckMayBegin(stop); !status.ok()) return all(status);
  std::shared_ptr<Value::State> state;
  std::unique_ptr<DbAsync::Read> read;
  {
    const EpochGuard guard;
    const uint64_t begin = times_.Begin();
    uint64_t runs_asked = 0;
    SequenceNumber sequence;
    SuperVersion* super = ReadPoint(options.snapshot, &sequence);
    BlockWait wait;
    {
      const BlockWait::Scope scope(&wait);
      DbAsync::Values values = MultiGetAt(super, sequence, keys, &runs_asked);
      if (!wait.has_stopped()) {
        times_.EndMultiGet(keys.size(), runs_asked, begin);
        return Value::Ready(std::move(values));
      }
    }
    (void)wait.TakeMissing();
    state = std::make_shared<Value::State>();
    read = std::make_unique<DbAsync::Read>(
        this, super, sequence, Operation::kMultiGet,
        std::vector<std::string>(keys.begin(), keys.end()), std::move(stop),
        [state](DbAsync::Values values) { state->Finish(std::move(values)); });
    // Which keys it was, and what each of them misses.
    for (std::string_view key : keys) {
      Lookup found;
      std::optional<Result<std::string>> result = TryReadAt(super, sequence, key, &wait, &found);
      if (result) {
        read->AddResult(*std::move(result), found.runs);
      } else {
        read->AddMissing(wait.TakeMissing());
      }
    }
  }
  if (!StartedAsync()->Start(std::move(read))) return all(Closing());
  return Value(std::move(state));
}

Async<Status> DbImpl::FinishCommitAsync(const Ticket& ticket, Status status, Operation kind,
                                        uint64_t begin) {
  const bool waits = status.ok() && (ticket.wait || MustThrottle(ticket.not_before));
  if (!waits) {
    Ticket rest = ticket;
    rest.wait = false;  // a change that was not made waits for nothing
    status = FinishCommit(rest, std::move(status));
    if (status.ok()) times_.End(kind, begin);
    return Async<Status>::Ready(std::move(status));
  }
  if (begin == 0) begin = clock_->MonotonicNanos();  // not drawn; from here on it waits
  auto state = std::make_shared<internal::AsyncState<Status>>();
  StartedAsync()->AwaitCommit(ticket, kind, begin, state);
  return Async<Status>(std::move(state));
}

Async<Status> DbImpl::WriteOneAsync(const Change& change, const WriteOptions& options,
                                    NamespaceState* space, const std::stop_token& stop) {
  if (Status status = CheckMayBegin(stop); !status.ok()) return Async<Status>::Ready(std::move(status));
  const uint64_t begin = times_.Begin();
  Ticket ticket;
  Status status = WriteOne(change, options, space, &ticket);
  return FinishCommitAsync(ticket, std::move(status), Operation::kPut, begin);
}

// --- The default namespace.

Async<Result<std::string>> DbImpl::GetAsync(std::string_view key, const ReadOptions& options,
                                            std::stop_token stop) {
  std::string buffer;
  return GetStoredAsync(Keyspace().ToStored(key, &buffer), options, std::move(stop));
}

Async<std::vector<Result<std::string>>> DbImpl::MultiGetAsync(
    const std::vector<std::string_view>& keys, const ReadOptions& options, std::stop_token stop) {
  std::vector<std::string> stored;
  stored.reserve(keys.size());
  for (std::string_view key : keys) stored.push_back(Keyspace().ToStored(key));
  return MultiGetStoredAsync({stored.begin(), stored.end()}, options, std::move(stop));
}

Async<Status> DbImpl::PutAsync(std::string_view key, std::string_view value,
                               const WriteOptions& options, std::stop_token stop) {
  std::string buffer;
  const std::string_view stored = Keyspace().ToStored(key, &buffer);
  return WriteOneAsync({static_cast<uint8_t>(EntryKind::kValue), stored, value, 0}, options, nullptr,
                       stop);
}

Async<Status> DbImpl::DeleteAsync(std::string_view key, const WriteOptions& options,
                                  std::stop_token stop) {
  std::string buffer;
  const std::string_view stored = Keyspace().ToStored(key, &buffer);
  return WriteOneAsync({static_cast<uint8_t>(EntryKind::kDelete), stored, {}, 0}, options, nullptr, stop);
}

Async<Status> DbImpl::WriteAsync(const WriteBatch& batch, const WriteOptions& options,
                                 std::stop_token stop) {
  if (Status status = CheckMayBegin(stop); !status.ok()) return Async<Status>::Ready(std::move(status));
  const uint64_t begin = times_.Begin();
  Ticket ticket;
  Status status = WriteBatchOnce(batch, options, &ticket);
  return FinishCommitAsync(ticket, std::move(status), WriteKind(static_cast<uint32_t>(batch.count())),
                           begin);
}

}  // namespace varve
