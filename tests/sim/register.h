// A small protocol for the simulator to find mistakes in: one register on three servers, read and written by quorums
// (Attiya, Bar-Noy, Dolev; tags as Lynch and Shvartsman), right or with one mistake of choice.
#ifndef VARVE_TESTS_SIM_REGISTER_H_
#define VARVE_TESTS_SIM_REGISTER_H_

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "base/random.h"
#include "sim/world.h"

namespace varve::sim::test {

enum class Mistake {
  kNone,
  kAcksBeforeSync,        // a server answers a write that a power cut takes back
  kIgnoresFailedSync,
  kTrustsTornRecords,     // what a power cut has cut off is taken for a value
  kWritesToOne,           // a write is done when one server has it
  kReadsFromOne,
  kReadsWithoutWriteBack, // a later read may see what is older
  kGivesUp,               // an operation that gets no answer is never sent again
};

constexpr uint32_t kServers = 3;

struct Message {
  enum Kind : uint8_t { kQuery, kState, kStore, kStored };
  Kind kind = kQuery;
  uint64_t operation = 0;
  uint64_t tag = 0;
  std::string value;

  std::string Encode() const {
    std::string bytes(1, static_cast<char>(kind));
    AppendVarint(&bytes, operation);
    AppendVarint(&bytes, tag);
    return bytes + value;
  }
  static Message Decode(std::string_view bytes) {
    Message message;
    message.kind = static_cast<Kind>(bytes[0]);
    bytes.remove_prefix(1);
    ConsumeVarint(&bytes, &message.operation);
    ConsumeVarint(&bytes, &message.tag);
    message.value = bytes;
    return message;
  }
};

class Server : public Node {
 public:
  Server(const Disk* disk, Mistake mistake) : disk_(disk), mistake_(mistake) {}

  // What a crash left unsynced is shown like everything else: who reads it writes it back.
  void OnStart(Time, Actions*) override {
    for (const char* slot : {"0", "1"}) {
      const auto record = disk_->Read(slot);
      if (!record || record->size() < 16) continue;
      const auto tag = LoadFixed<uint64_t>(record->data());
      const std::string_view value = record->substr(16);
      const bool is_whole = LoadFixed<uint64_t>(record->data() + 8) == Hash64(value, tag);
      if ((!is_whole && mistake_ != Mistake::kTrustsTornRecords) || tag < tag_) continue;
      tag_ = tag;
      value_ = value;
      slot_ = slot[0] == '0' ? 1 : 0;  // the other one is written next
    }
  }
  void OnMessage(Endpoint from, std::string_view bytes, Time, Actions* actions) override {
    const Message message = Message::Decode(bytes);
    if (message.kind == Message::kQuery) {
      return actions->Send(from, Message{Message::kState, message.operation, tag_, value_}.Encode());
    }
    if (message.tag > tag_) {
      tag_ = message.tag;
      value_ = message.value;
      std::string record;
      AppendFixed(&record, tag_);
      AppendFixed(&record, Hash64(value_, tag_));
      actions->Write(std::to_string(slot_), record + value_);
      slot_ = 1 - slot_;
    }
    const std::string answer = Message{Message::kStored, message.operation, message.tag, ""}.Encode();
    if (mistake_ == Mistake::kAcksBeforeSync) return actions->Send(from, answer);
    waiting_.push_back({++syncs_, from, answer});
    actions->Sync(syncs_);
  }
  void OnTimer(uint64_t, Time, Actions*) override {}
  void OnSynced(uint64_t id, bool ok, Time, Actions* actions) override {
    const auto it = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.sync == id; });
    if (ok || mistake_ == Mistake::kIgnoresFailedSync) actions->Send(it->to, it->answer);
    waiting_.erase(it);
  }

 private:
  struct Waiting {
    uint64_t sync;
    Endpoint to;
    std::string answer;
  };
  const Disk* const disk_;
  const Mistake mistake_;
  uint64_t tag_ = 0;
  std::string value_;
  int slot_ = 0;
  uint64_t syncs_ = 0;
  std::vector<Waiting> waiting_;
};

// What the clients have seen, and whether that is a register's behaviour: an operation that begins after
// another has ended must not be older.
class History {
 public:
  uint64_t newest() const { return newest_; }
  void Ended(bool is_write, uint64_t newest_at_begin, uint64_t tag, const std::string& value) {
    if (tag < newest_at_begin || (is_write && tag == newest_at_begin)) {
      Wrong("an operation that began later is older");
    }
    if (value != (tag == 0 ? "" : "v" + std::to_string(tag))) Wrong("a value that nobody has written");
    newest_ = std::max(newest_, tag);
    ++operations_;
  }
  const Status& status() const { return status_; }
  size_t operations() const { return operations_; }

 private:
  void Wrong(const char* what) {
    if (status_.ok()) status_ = Status::Corruption(what);
  }
  uint64_t newest_ = 0;
  size_t operations_ = 0;
  Status status_;
};

class Client : public Node {
 public:
  Client(Endpoint self, History* history, Mistake mistake, uint64_t seed)
      : self_(self), history_(history), mistake_(mistake), random_(seed) {}

  void OnStart(Time, Actions* actions) override { actions->SetTimer(0, kMillisecond); }
  void OnTimer(uint64_t id, Time now, Actions* actions) override {
    if (id == 0) return Begin(now, actions);
    Ask(actions);  // again
  }
  void OnMessage(Endpoint from, std::string_view bytes, Time, Actions* actions) override {
    const Message message = Message::Decode(bytes);
    if (message.operation != operation_ || message.kind != (stores_ ? Message::kStored : Message::kState)) return;
    if (!stores_ && message.tag > tag_) {
      tag_ = message.tag;
      value_ = message.value;
    }
    answered_.insert(from);
    const bool one = mistake_ == (stores_ ? Mistake::kWritesToOne : Mistake::kReadsFromOne);
    if (answered_.size() < (one ? 1u : kServers / 2 + 1)) return;
    if (stores_) return End(actions);
    if (is_write_) {
      tag_ = ((tag_ >> 8) + 1) << 8 | self_;
      value_ = "v" + std::to_string(tag_);
    } else if (mistake_ == Mistake::kReadsWithoutWriteBack) {
      return End(actions);
    }
    stores_ = true;
    ++operation_;
    answered_.clear();
    Ask(actions);
  }
  // In the middle of an operation since then; nothing when it pauses.
  std::optional<Nanos> busy_since() const { return busy_since_; }

 private:
  void Begin(Time now, Actions* actions) {
    ++operation_;
    is_write_ = random_.OneIn(2);
    stores_ = false;
    tag_ = 0;
    value_.clear();
    answered_.clear();
    newest_at_begin_ = history_->newest();
    busy_since_ = now.monotonic;
    Ask(actions);
  }
  void Ask(Actions* actions) {
    const Message message{stores_ ? Message::kStore : Message::kQuery, operation_, stores_ ? tag_ : 0,
                          stores_ ? value_ : ""};
    for (Endpoint server = 0; server < kServers; ++server) actions->Send(server, message.Encode());
    if (mistake_ != Mistake::kGivesUp) actions->SetTimer(1, 50 * kMillisecond);
  }
  void End(Actions* actions) {
    history_->Ended(is_write_, newest_at_begin_, tag_, value_);
    ++operation_;  // later answers are to nothing
    busy_since_.reset();
    actions->CancelTimer(1);
    actions->SetTimer(0, random_.Uniform(20 * kMillisecond));
  }

  const Endpoint self_;
  History* const history_;
  const Mistake mistake_;
  Random random_;
  uint64_t operation_ = 0;
  bool is_write_ = false;
  bool stores_ = false;  // the second round
  uint64_t tag_ = 0;
  std::string value_;
  uint64_t newest_at_begin_ = 0;
  std::set<Endpoint> answered_;
  std::optional<Nanos> busy_since_;
};

class RegisterScenario : public Scenario {
 public:
  explicit RegisterScenario(Mistake mistake) : mistake_(mistake) {}
  uint32_t servers() const override { return kServers; }
  uint32_t clients() const override { return 3; }
  std::unique_ptr<Node> NewNode(Endpoint endpoint, const Disk* disk, uint64_t seed) override {
    if (endpoint < kServers) return std::make_unique<Server>(disk, mistake_);
    return std::make_unique<Client>(endpoint, &history_, mistake_, seed);
  }
  Status Check(const World&) override { return history_.status(); }
  Status CheckEnd(const World& world) override {
    for (Endpoint client = kServers; client < kServers + clients(); ++client) {
      const auto since = static_cast<const Client*>(world.node(client))->busy_since();
      if (since && *since + kSecond < world.now()) return Status::TimedOut("an operation that does not end");
    }
    return history_.operations() > 0 ? Status::Ok() : Status::TimedOut("nothing was done");
  }
  const History& history() const { return history_; }

 private:
  const Mistake mistake_;
  History history_;
};

}  // namespace varve::sim::test

#endif  // VARVE_TESTS_SIM_REGISTER_H_
