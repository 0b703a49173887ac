// PutOperation: a put or delete on its way to W replicas.
#ifndef VARVE_CLUSTER_PUT_OPERATION_H_
#define VARVE_CLUSTER_PUT_OPERATION_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/coordinator.h"

namespace varve::cluster {

// One replica makes the write (UpdateRequest); the state that comes of it goes to the others (MergeRequest). A
// replica that refuses without effect makes room for the next; one that does not answer does not: the
// write may be there, and a second dot would make it a sibling of itself. Then and whenever fewer than W have
// acknowledged a write that may exist, the outcome is unknown. Who has not acknowledged gets a hint, kept by this
// node, or by a fallback when the request is sloppy.
//
// When the topology changes meanwhile, the same state goes to the replicas of the new sets, and only what they acknowledge
// under the new fence counts: as a hint would, it carries its dot with it.
class PutOperation : public CoordinatedOperation {
 public:
  // `options` and `suspects` outlive it.
  PutOperation(const CoordinatorOptions* options, const std::set<NodeId>* suspects, uint64_t number,
               uint64_t client_request, PutRequest request);

  void Start(Nanos now, Actions* actions) override;
  void OnReply(NodeId from, Message::Body body, Nanos now, Actions* actions) override;
  void OnTime(Nanos now, Actions* actions) override;
  Nanos next_time() const override { return next_time_; }
  bool is_done() const override { return is_done_; }
  const PutRequest* continues() const override { return is_finished_ || state_.empty() ? nullptr : &request_; }
  void Renew(uint64_t number, SharedSets sets, Nanos now, Actions* actions) override;

 private:
  bool CanReach() const;
  void TryNextMaker(Nanos now, Actions* actions);
  void OnUpdateReply(NodeId from, UpdateReply&& reply, Nanos now, Actions* actions);
  void OnHintReply(NodeId from, const HintReply& reply);
  void SendMerges(Actions* actions);
  void SendHints(bool is_time, Actions* actions);
  void SendHintFor(NodeId owner, Actions* actions);
  void TakeBackHints();
  void Conclude(Actions* actions);
  void Finish(Outcome outcome, ReplyCode reason, Actions* actions);
  void Send(NodeId to, Message::Body body, Actions* actions) const;

  const CoordinatorOptions* const options_;
  const std::set<NodeId>* const suspects_;
  uint64_t number_;
  const uint64_t client_request_;
  PutRequest request_;
  const bool is_sloppy_;
  Quorum quorum_;

  std::vector<NodeId> makers_;  // those to be tried yet, the next at the end
  NodeId maker_ = kNoNode;      // who has been asked to make the write
  std::string state_;           // behind the write; empty until it is made
  SeenContext seen_;
  std::set<NodeId> acknowledged_;          // replicas that have it
  std::set<NodeId> refused_;               // replicas that will not acknowledge it any more
  std::map<NodeId, NodeId> hints_;         // owner -> who was asked to keep its hint
  std::set<NodeId> counted_hints_;         // owners for whom a fallback counts
  std::set<NodeId> kept_hints_;            // owners whose hint is kept
  ReplyCode reason_ = ReplyCode::kOk;
  Nanos hint_at_ = 0;
  Nanos next_time_ = 0;
  bool is_late_ = false;  // fallbacks have had their time
  bool is_finished_ = false;
  bool is_done_ = false;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_PUT_OPERATION_H_
