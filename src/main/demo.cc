#include "main/demo.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "cli/run.h"
#include "cli/text.h"
#include "client/client.h"
#include "env/env.h"
#include "main/child_process.h"
#include "node/cluster_store.h"

namespace varve {
namespace {

using client::Client;
using client::Reply;

constexpr uint64_t kPollNanos = 50'000'000;
constexpr int kPolls = 1200;  // a minute
constexpr uint16_t kNodePorts = 10'000;  // above those for clients
constexpr uint16_t kEtcdPorts = 9'000;
constexpr int kMostEtcdStarts = 5;

std::atomic<bool> is_interrupted{false};

// Ends a conversation instead of the process, while it lives.
class Interruptible {
 public:
  Interruptible() {
    struct sigaction action {};
    action.sa_handler = [](int) { is_interrupted.store(true); };
    ::sigaction(SIGINT, &action, &interrupt_);
    ::sigaction(SIGTERM, &action, &terminate_);
  }
  ~Interruptible() {
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGTERM, &terminate_, nullptr);
  }

 private:
  struct sigaction interrupt_ {};
  struct sigaction terminate_ {};
};

// A new folder, gone with everything in it at the end.
class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "varve_demo_XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class ClusterDemo {
 public:
  ClusterDemo(const cli::DemoRequest& request, const cli::Console& console) : request_(request), console_(console) {}

  Status Run() {
    if (folder_.path().empty()) return Status::IoError("no folder can be made for the demo");
    VARVE_RETURN_IF_ERROR(Begin());
    VARVE_RETURN_IF_ERROR(WriteAndRead());
    VARVE_RETURN_IF_ERROR(KillAndHeal());
    VARVE_RETURN_IF_ERROR(Disagree());
    VARVE_RETURN_IF_ERROR(Grow());
    Say("The end: all nodes stop, and their data goes.");
    return Status::Ok();
  }

 private:
  void Say(const std::string& text) {
    console_.out << "\n" << console_.OnOut(cli::Console::Style::kBold, "# " + text) << "\n" << std::flush;
  }
  // Between any two steps: etcd is started again when it has ended.
  Status Checkpoint() {
    if (is_interrupted.load()) return Status::Aborted("interrupted");
    if (etcd_starts_ == 0 || etcd_.is_running()) return Status::Ok();
    if (etcd_starts_ == kMostEtcdStarts) return Status::Unavailable("etcd ends again and again" + LogOf("etcd.log"));
    console_.out << "etcd has ended, and is started again\n" << std::flush;
    VARVE_RETURN_IF_ERROR(StartEtcd());
    return AwaitEtcd();
  }

  uint16_t PortOf(uint32_t node) const { return static_cast<uint16_t>(request_.port + node - 1); }
  std::string PlaceOf(uint32_t node) const {
    return std::to_string(node) + "=" + request_.host + ":" + std::to_string(PortOf(node) + kNodePorts) + "/" +
           std::to_string(PortOf(node));
  }

  Status Begin() {
    Say(std::to_string(request_.nodes) + " nodes on this machine, three copies of everything" +
        (request_.uses_etcd ? ", the topology in etcd" : ", the topology in a file"));
    VARVE_RETURN_IF_ERROR(StartTopology());
    const uint64_t begin = console_.now_nanos();
    std::vector<std::string> words = {"init"};
    for (uint32_t node = 1; node <= request_.nodes; ++node) words.push_back(PlaceOf(node));
    VARVE_RETURN_IF_ERROR(Admin(words));
    nodes_.resize(request_.nodes + 2);
    for (uint32_t node = 1; node <= request_.nodes; ++node) VARVE_RETURN_IF_ERROR(StartNode(node));
    VARVE_RETURN_IF_ERROR(AwaitGreen());
    console_.out << "green after " << cli::HumanDuration(console_.now_nanos() - begin) << "; any Redis client may join in: redis-cli -c -h "
                 << request_.host << " -p " << PortOf(1) << "\n";
    return Status::Ok();
  }

  Status StartTopology() {
    if (!request_.uses_etcd) {
      topology_ = "file:" + folder_.path() + "/topology.json";
      return Status::Ok();
    }
    topology_ = "etcd:" + EtcdUrl(0);
    VARVE_RETURN_IF_ERROR(StartEtcd());
    return AwaitEtcd();
  }

  std::string EtcdUrl(uint16_t offset) const {
    return "http://" + request_.host + ":" + std::to_string(request_.port + kEtcdPorts + offset);
  }

  // With the data that it has, if any.
  Status StartEtcd() {
    ++etcd_starts_;
    const std::string clients = EtcdUrl(0);
    const std::string peers = EtcdUrl(1);
    return etcd_.Start({"etcd", "--data-dir", folder_.path() + "/etcd", "--listen-client-urls", clients, "--advertise-client-urls",
                        clients, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster",
                        "default=" + peers},
                       folder_.path() + "/etcd.log");
  }

  Status AwaitEtcd() {
    VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<node::ClusterStore> store, node::ClusterStore::Open(topology_, Env::Default()));
    for (int i = 0; i < kPolls; ++i) {
      if (is_interrupted.load()) return Status::Aborted("interrupted");
      if (!etcd_.is_running()) return Status::Unavailable("etcd did not start: is the package etcd-server installed?" + LogOf("etcd.log"));
      const Status status = store->Read().status();
      if (status.ok() || status.IsNotFound()) return Status::Ok();
      Env::Default()->clock()->SleepNanos(kPollNanos);
    }
    return Status::TimedOut("etcd does not answer");
  }

  Status StartNode(uint32_t node) {
    const std::string name = "node" + std::to_string(node);
    nodes_[node] = std::make_unique<ChildProcess>();
    return nodes_[node]->Start({"/proc/self/exe", "server", folder_.path() + "/" + name, "--bind", request_.host, "--port",
                                std::to_string(PortOf(node)), "--node-id", std::to_string(node), "--cluster-topology", topology_},
                               folder_.path() + "/" + name + ".log");
  }

  std::string LogOf(const std::string& name) const {
    std::ifstream file(folder_.path() + "/" + name);
    std::string line, last;
    while (std::getline(file, line)) last = line.empty() ? last : line;
    return last.empty() ? "" : ": " + last;
  }

  // As somebody at the keyboard would; its output goes where the demo's goes.
  Status Admin(std::vector<std::string> words, std::ostream* out = nullptr) {
    VARVE_RETURN_IF_ERROR(Checkpoint());
    if (out == nullptr) {
      console_.out << "$ varve cluster";
      for (const std::string& word : words) console_.out << " " << word;
      console_.out << "\n" << std::flush;
    }
    words.insert(words.begin(), "cluster");
    words.insert(words.end(), {"--topology", topology_});
    std::ostringstream errors;
    cli::Console console{.in = console_.in, .out = out == nullptr ? console_.out : *out, .err = errors};
    console.out_is_terminal = out == nullptr && console_.out_is_terminal;
    console.color_allowed = console_.color_allowed;
    console.width = console_.width;
    const cli::Backend backend{.open_topology = [](const std::string& address) {
      return node::ClusterStore::Open(address, Env::Default());
    }};
    const int exit_code = cli::Run(words, {}, console, backend);
    if (exit_code == cli::kExitOk || out != nullptr) return Status::Ok();
    return Status::Aborted(errors.str());
  }

  Status AwaitGreen() {
    for (int i = 0; i < kPolls; ++i) {
      std::ostringstream out;
      VARVE_RETURN_IF_ERROR(Admin({"status", "--json"}, &out));
      if (out.str().starts_with("{\"status\":\"green\"")) return Status::Ok();
      for (uint32_t node = 1; node < nodes_.size(); ++node) {
        if (nodes_[node] == nullptr || nodes_[node]->is_running()) continue;
        return Status::Unavailable("node " + std::to_string(node) + " has ended" + LogOf("node" + std::to_string(node) + ".log"));
      }
      Env::Default()->clock()->SleepNanos(kPollNanos);
    }
    return Status::TimedOut("the cluster did not become green within a minute");
  }

  Result<Reply> Ask(uint32_t node, const client::Request& request) {
    client::Endpoint endpoint;
    endpoint.host = request_.host;
    endpoint.port = PortOf(node);
    if (clients_.size() < nodes_.size()) clients_.resize(nodes_.size());
    if (clients_[node] == nullptr || clients_[node]->is_broken()) {
      VARVE_ASSIGN_OR_RETURN(clients_[node], Client::Connect(endpoint));
    }
    return clients_[node]->Call(request);
  }

  // Keys [first, first + keys) through all nodes in turn but one; prints how many requests failed.
  Status Work(const char* verb, uint32_t first, uint32_t without) {
    uint32_t failed = 0;
    const uint64_t begin = console_.now_nanos();
    for (uint32_t i = 0; i < request_.keys; ++i) {
      VARVE_RETURN_IF_ERROR(Checkpoint());
      uint32_t node = 1 + i % request_.nodes;
      if (node == without) node = 1 + node % request_.nodes;
      const std::string key = "key" + std::to_string(first + i);
      const std::string value = "value" + std::to_string(first + i);
      const bool is_write = std::string_view(verb) == "SET";
      const Result<Reply> reply = is_write ? Ask(node, {"SET", key, value}) : Ask(node, {"GET", key});
      if (!reply.ok() || (!is_write && reply->text != value)) ++failed;
    }
    const uint64_t nanos = console_.now_nanos() - begin;
    console_.out << verb << " of " << request_.keys << " keys, one after the other: " << cli::HumanDuration(nanos / request_.keys)
                 << " each, " << failed << " failed\n" << std::flush;
    return Status::Ok();
  }

  Status WriteAndRead() {
    Say("Every node takes every command");
    VARVE_RETURN_IF_ERROR(Work("SET", 0, 0));
    return Work("GET", 0, 0);
  }

  Status KillAndHeal() {
    constexpr uint32_t kVictim = 2;
    Say("kill -9 of node 2; the others go on");
    nodes_[kVictim]->Kill();
    nodes_[kVictim].reset();
    clients_[kVictim].reset();
    VARVE_RETURN_IF_ERROR(Work("GET", 0, kVictim));
    VARVE_RETURN_IF_ERROR(Work("SET", request_.keys, kVictim));
    VARVE_RETURN_IF_ERROR(Admin({"status"}));
    Say("Node 2 comes back, and gets what was kept for it");
    const uint64_t begin = console_.now_nanos();
    VARVE_RETURN_IF_ERROR(StartNode(kVictim));
    VARVE_RETURN_IF_ERROR(AwaitGreen());
    console_.out << "green after " << cli::HumanDuration(console_.now_nanos() - begin) << "\n";
    return Work("GET", request_.keys, 0);
  }

  // Runs a command at a node and shows both.
  Result<Reply> Show(uint32_t node, const client::Request& request) {
    console_.out << "node " << node << ":";
    for (const std::string_view word : request) console_.out << " " << word;
    Result<Reply> reply = Ask(node, request);
    console_.out << "\n";
    if (!reply.ok()) {
      console_.out << "  " << reply.status().message() << "\n";
      return reply;
    }
    for (const Reply& item : reply->elements) console_.out << "  " << item.text << "\n";
    if (reply->elements.empty()) console_.out << "  " << reply->text << "\n";
    return reply;
  }

  Status Disagree() {
    Say("Two clients write the same key, neither knowing of the other: nothing is lost, and a client settles it");
    VARVE_RETURN_IF_ERROR(Show(1, {"V.PUT", "cart", "milk"}).status());
    VARVE_RETURN_IF_ERROR(Show(3, {"V.PUT", "cart", "bread"}).status());
    VARVE_RETURN_IF_ERROR(Show(2, {"V.GET", "cart"}).status());
    VARVE_ASSIGN_OR_RETURN(const Reply seen, Ask(2, {"V.GET", "cart", "CTX"}));
    if (seen.elements.empty()) return Status::Corruption("V.GET CTX gave no context");
    VARVE_RETURN_IF_ERROR(Show(2, {"V.PUT", "cart", "milk and bread", "CTX", seen.elements[0].text}).status());
    return Show(1, {"GET", "cart"}).status();
  }

  Status Grow() {
    const uint32_t more = request_.nodes + 1;
    Say("Node " + std::to_string(more) + " joins: the plan first, then the commit");
    VARVE_RETURN_IF_ERROR(Admin({"join", PlaceOf(more)}));
    VARVE_RETURN_IF_ERROR(Admin({"commit"}));
    const uint64_t begin = console_.now_nanos();
    VARVE_RETURN_IF_ERROR(StartNode(more));
    VARVE_RETURN_IF_ERROR(Work("GET", 0, 0));
    VARVE_RETURN_IF_ERROR(AwaitGreen());
    console_.out << "green after " << cli::HumanDuration(console_.now_nanos() - begin) << "; what moved:\n";
    VARVE_RETURN_IF_ERROR(Admin({"status"}));
    return Work("GET", request_.keys, 0);
  }

  const cli::DemoRequest& request_;
  const cli::Console& console_;
  Folder folder_;
  std::string topology_;
  ChildProcess etcd_;
  int etcd_starts_ = 0;
  std::vector<std::unique_ptr<ChildProcess>> nodes_;  // by number; none at 0
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace

Status RunClusterDemo(const cli::DemoRequest& request, const cli::Console& console) {
  const Interruptible interruptible;
  const Status status = ClusterDemo(request, console).Run();
  return is_interrupted.load() ? Status::Ok() : status;
}

}  // namespace varve
