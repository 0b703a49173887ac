// Exchange: anti-entropy between two replicas of a partition, until each has what the other has.
#ifndef VARVE_CLUSTER_EXCHANGE_H_
#define VARVE_CLUSTER_EXCHANGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/action.h"
#include "cluster/fill_pace.h"
#include "cluster/hash_tree.h"
#include "cluster/message.h"
#include "cluster/types.h"

namespace varve::cluster {

// Compares the hash trees from the root down, asks for the keys of the leaves that differ, and merges those in both
// directions. Speaks to both replicas by messages, so that any node can run it; usually one of the two does. Writes
// that come meanwhile are at worst merged once more. What it costs when nothing differs: two messages each way.
//
// After an exchange that ended as kComplete each of the two has merged all that was durable at the other when the
// exchange began. What is not answered is asked again; when nothing is for as long as its patience lasts, but for times in
// which it waits for its pace, it ends as kFailed, and whoever runs it begins another. Thread-compatible.
class Exchange {
 public:
  struct Options {
    NodeId self;
    NodeId left;
    NodeId right;
    PartitionId partition;
    Epoch epoch;
    uint64_t first_request;   // random; uses the numbers from there on
    Nanos patience;
    Nanos resend_every = 1'000'000'000;
    size_t max_leaves = 256;  // differing leaves that one exchange looks at; more: kPartial
    size_t window = 16;       // keys on their way at once
    FillPace* pace = nullptr;  // of the states that are merged; outlives the exchange
  };
  enum class Result : uint8_t { kUnderWay, kComplete, kPartial, kFailed };

  explicit Exchange(const Options& options) : options_(options), next_request_(options.first_request) {}

  void Start(Nanos now, Actions* actions);
  // Replies that are not its own are ignored.
  void OnMessage(const Message& reply, Nanos now, Actions* actions);
  // To be called every 100 ms or so.
  void OnTime(Nanos now, Actions* actions);

  Result result() const { return result_; }
  uint64_t bytes() const { return bytes_; }  // of the states that were merged
  // Keys that were merged.
  size_t keys() const { return merged_; }

 private:
  // A key that differs.
  struct KeyToMerge {
    std::string key;
    bool does_right_lack = false;
  };
  // A request to each of the two, whose replies are looked at together.
  struct Pair {
    uint32_t branch = 0;
    std::array<std::optional<std::vector<uint64_t>>, 2> hashes;
  };
  enum class Step : uint8_t { kReadLeft, kMergeRight, kMergeLeft };
  struct KeyUnderWay {
    std::string key;
    Step step = Step::kReadLeft;
    std::string of_left;   // what left has, from kMergeRight on, where right lacks the key
    bool does_right_lack = false;
    uint64_t charged = 0;  // FillPace::Begin
  };

  // What has not been answered, by request; to each of the two at most once.
  struct Unanswered {
    std::vector<Message> messages;
    Nanos first_sent_at;
    Nanos resend_at;
    Nanos resend_after;  // the next time; doubles
  };

  static FillPace::Asked AskedBy(Step step);
  std::optional<Nanos> TakeAnswer(const Message& reply);
  void AskForHashes(uint32_t branch, Actions* actions);
  void OnTree(uint64_t request, bool is_right, const TreeReply& reply, Actions* actions);
  void OnKeys(uint64_t request, bool is_right, const KeysReply& reply, Actions* actions);
  void OnState(uint64_t request, ReplyCode code, const std::string& state, Actions* actions);
  void AskForKeys(Actions* actions);
  void ListOn(bool is_right, std::string after, Actions* actions);
  void Compare(bool is_right, const KeysReply::Item& item);
  void EndListing(bool is_right);
  void StartKeys(Actions* actions);
  void Send(NodeId to, uint64_t request, Message::Body body, Actions* actions);

  const Options options_;
  uint64_t next_request_;
  Result result_ = Result::kUnderWay;
  bool is_partial_ = false;
  std::map<uint64_t, Pair> trees_;    // by request
  std::vector<uint32_t> leaves_;      // that differ
  // Of left and right.
  struct Listing {
    std::optional<uint64_t> request;                // under way
    bool has_ended = false;
    std::map<std::string, uint64_t> without_other;  // what the other has not listed yet
  };
  std::array<Listing, 2> listings_;
  std::vector<KeyToMerge> to_merge_;
  std::map<uint64_t, KeyUnderWay> under_way_;  // by request
  std::map<uint64_t, Unanswered> unanswered_;
  Nanos now_ = 0;
  Nanos last_answer_ = 0;
  size_t merged_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_EXCHANGE_H_
