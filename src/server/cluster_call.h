// ClusterCall: one request of a client that is carried out by the nodes of the cluster.
#ifndef VARVE_SERVER_CLUSTER_CALL_H_
#define VARVE_SERVER_CLUSTER_CALL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "resp/reply_writer.h"
#include "server/cluster_face.h"
#include "server/command.h"

namespace varve::server {

// What a node of a cluster does with a command.
enum class ClusterRule : uint8_t {
  kLocal,    // as a server alone does
  kKeys,     // the nodes that have the keys carry it out: ClusterCall
  kRefused,  // what it promises cannot be kept by many nodes
};
ClusterRule RuleOf(const Command& command);

// Begins in the loop's thread; the cluster answers in others; the reply is written in the loop's thread again.
class ClusterCall : public std::enable_shared_from_this<ClusterCall> {
 public:
  // `wake` is called once, in any thread, when it is done. An error, and nothing has begun; or empty.
  static std::string Begin(ClusterFace* face, const Command& command, const std::vector<std::string_view>& args,
                           std::function<void()> wake, std::shared_ptr<ClusterCall>* call);

  bool is_done() const { return left_.load(std::memory_order_acquire) == 0; }
  // REQUIRES: is_done().
  void WriteReply(resp::ReplyWriter* reply) const;
  uint64_t begun_at = 0;  // monotonic nanoseconds; the caller's business

 private:
  enum class Kind : uint8_t { kGet, kLength, kRange, kType, kSet, kDelete, kExists, kMget, kMset, kGetDelete, kRead, kWrite };

  // What V.GET, V.PUT and V.DEL say behind the key. An error text or nothing.
  struct Options {
    ClusterQuorum quorum;
    bool wants_context = false;
    std::string_view context;
  };
  std::string Parse(const std::vector<std::string_view>& args, Options* options);
  std::string Start(ClusterFace* face, const std::vector<std::string_view>& args, const Options& options);
  ClusterFace::Done DoneFor(size_t i);
  void Count();
  // The first that is not Ok, as an error. False: there is none.
  bool WriteFailure(resp::ReplyWriter* reply) const;
  void WriteValue(const ClusterResult& result, resp::ReplyWriter* reply) const;
  void WriteValues(const ClusterResult& result, resp::ReplyWriter* reply) const;

  bool is_single() const;  // of one key
  bool is_read() const;

  Kind kind_ = Kind::kGet;
  int64_t start_ = 0;  // of GETRANGE
  int64_t end_ = 0;
  bool wants_context_ = false;
  std::function<void()> wake_;
  std::vector<ClusterResult> results_;  // each is written by one thread, before left_ goes down
  std::atomic<size_t> left_{0};
};

// The slot that all keys of the command lie in; -1: it has none; -2: they lie in different ones.
int SlotOfKeys(const ClusterFace& face, const Command& command, const std::vector<std::string_view>& args);

}  // namespace varve::server

#endif  // VARVE_SERVER_CLUSTER_CALL_H_
