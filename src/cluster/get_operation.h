// GetOperation: a read of R replicas, and the repair of those that lag.
#ifndef VARVE_CLUSTER_GET_OPERATION_H_
#define VARVE_CLUSTER_GET_OPERATION_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/coordinator.h"
#include "cluster/key_state.h"

namespace varve::cluster {

// Asks R replicas, this node first, then those that seem to be alive, in turn. Where one refuses, or has not answered after
// `hedge_after`, it asks all. Answers when R have answered with the merge of what they have, and then, when all that were asked have
// answered or after a while, sends that merge to those that lack some of it. One read of kReadsPerRepair asks all replicas
// at once, so that those which lag are found.
//
// kLinear asks all, and answers only with a state that more than half of the replicas have reported as theirs. If they differ it is
// merged, sent to all, and what they have then is looked at again (Skrzypczak, Schintke, Schuett, "Linearizable
// state machine replication of state-based CRDTs without logs", 2019). Two such answers are comparable, as some
// replica has reported both and a replica only grows; and a write acknowledged by more than half is in
// every answer of a read that starts after it. Of a partition that moves, more than half of both sets. Writers without pause can keep it from agreement until its deadline.
class GetOperation : public CoordinatedOperation {
 public:
  // `options` and `suspects` outlive it.
  GetOperation(const CoordinatorOptions* options, const std::set<NodeId>* suspects, uint64_t number,
               uint64_t client_request, GetRequest request);

  void Start(Nanos now, Actions* actions) override;
  void OnReply(NodeId from, Message::Body body, Nanos now, Actions* actions) override;
  void OnTime(Nanos now, Actions* actions) override;
  Nanos next_time() const override { return next_time_; }
  bool is_done() const override { return is_done_; }

  // Of so many reads one asks all replicas.
  static constexpr uint64_t kReadsPerRepair = 16;

 private:
  void ChooseWhomToAsk();
  void AskAll(Nanos now, Actions* actions);
  void Take(NodeId from, ReplyCode code, std::string state);
  bool HasReported(NodeId node) const;
  void Conclude(Nanos now, Actions* actions);
  void ConcludeLinear(Nanos now, Actions* actions);
  bool HaveAllAnswered() const;  // all that were asked, or they have refused
  void WriteBack(Actions* actions);
  void Answer(KeyState state, Nanos now, Actions* actions);
  void Fail(ReplyCode reason, Actions* actions);
  void RepairAndGo(Actions* actions);
  void Ask(Actions* actions);
  void AskSoon(Nanos now);
  void Send(NodeId to, Message::Body body, Actions* actions) const;

  const CoordinatorOptions* const options_;
  const std::set<NodeId>* const suspects_;
  const uint64_t number_;
  const uint64_t client_request_;
  const GetRequest request_;
  const ConflictPolicy policy_;
  const Quorum quorum_;

  std::vector<NodeId> asked_;            // of the quorum's members, who takes part so far
  // What each replica had when it last said so, in canonical bytes: mostly all have the same, which is decoded once.
  std::vector<std::pair<NodeId, std::string>> reported_;
  std::set<NodeId> refused_;             // replicas that will not answer any more
  KeyState merged_;                      // of all that was reported
  std::set<NodeId> fresh_;               // kLinear: who has reported since the last write-back
  bool has_written_back_ = false;
  ReplyCode reason_ = ReplyCode::kOk;
  Nanos next_time_ = 0;
  Nanos repair_at_ = 0;
  bool is_stale_ = false;  // a replica has a later topology
  bool is_finished_ = false;
  bool is_done_ = false;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_GET_OPERATION_H_
