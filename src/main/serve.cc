#include "main/serve.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "http/handler.h"
#include "main/cluster_node.h"
#include "main/http_pages.h"
#include "main/log.h"
#include "main/service_manager.h"
#include "net/server.h"
#include "server/service.h"
#include "tls/context.h"
#include "varve/db.h"
#include "varve/version.h"

namespace varve {

namespace {

// Descriptors for the store and for listening, beside those of connections.
constexpr uint64_t kOtherDescriptors = 1024;

// Which protocol a connection speaks is said by its port.
constexpr int kHttpService = 1;
constexpr int kTlsService = 2;  // the same commands as at the main port

class Loop final : public net::LoopHandler {
 public:
  Loop(std::unique_ptr<net::LoopHandler> commands, const http::Pages* pages)
      : commands_(std::move(commands)), pages_(pages) {}
  std::unique_ptr<net::ConnectionHandler> OnConnect(const net::Peer& peer) override {
    return peer.service == kHttpService ? http::NewHandler(pages_) : commands_->OnConnect(peer);
  }
  bool BeforeSend() override { return commands_->BeforeSend(); }
  bool BeginBeforeSend(std::function<void(bool)> done) override {
    return commands_->BeginBeforeSend(std::move(done));
  }

 private:
  const std::unique_ptr<net::LoopHandler> commands_;
  const http::Pages* const pages_;
};

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// As many descriptors as the connections need; fewer connections where the system has not that many.
uint64_t RaiseDescriptorLimit(uint64_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return connections;
  const uint64_t wanted = connections + kOtherDescriptors;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
    static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
  }
  if (limit.rlim_cur >= wanted) return connections;
  return limit.rlim_cur > 2 * kOtherDescriptors ? limit.rlim_cur - kOtherDescriptors
                                                : std::max<uint64_t>(1, limit.rlim_cur / 2);
}

tls::Files FilesOf(const cli::ServeRequest& request) {
  return {.certificate = request.tls_certificate,
          .key = request.tls_key,
          .authorities = request.tls_authorities};
}

Result<server::Options> OptionsFrom(const cli::ServeRequest& request) {
  server::Options options;
  options.net.hosts = request.hosts;
  const bool is_local =
      std::all_of(options.net.hosts.begin(), options.net.hosts.end(), IsLoopback);
  const bool all_show_certificates = request.tls_only && !request.tls_authorities.empty();
  if (!is_local && request.password.empty() && !request.is_unprotected && !all_show_certificates) {
    return Status::InvalidArgument("other hosts could use the store without a password: give one with "
                                   "--requirepass, or say --unprotected");
  }
  options.net.port = request.port;
  options.net.unix_socket = request.unix_socket;
  options.net.has_tcp = !request.tls_only;
  if (request.tls_only && !request.tls_port) return Status::InvalidArgument("tls-only needs tls-port");
  if (request.tls_port) {
    options.net.extra_ports.push_back(
        {.service = kTlsService, .hosts = request.hosts, .port = *request.tls_port});
  }
  if (request.http_port) {
    options.net.extra_ports.push_back(
        {.service = kHttpService, .hosts = request.http_hosts, .port = *request.http_port});
  }
  // Where writes wait for flushes, fewer loops make fewer and larger ones, and leave processors to what flushes.
  const unsigned processors = std::thread::hardware_concurrency();
  options.net.loop_count = request.threads > 0
                               ? request.threads
                               : static_cast<int>(std::clamp(request.syncs ? processors / 2 : processors, 1u, 64u));
  options.net.max_connections = RaiseDescriptorLimit(request.max_clients);
  options.net.refusal = "-ERR max number of clients reached\r\n";
  options.net.memory_budget_bytes = request.client_memory_bytes;
  options.databases = request.databases;
  options.password = request.password;
  if (!request.is_unprotected) {
    options.admits_without_password = [shows = !request.tls_authorities.empty()](const net::Peer& peer) {
      return peer.is_local || (shows && peer.service == kTlsService);
    };
  }
  options.backup_dir = request.backup_dir;
  options.syncs = request.syncs;
  return options;
}

// Blocks what ends the server, and SIGHUP if that is to read certificates again, in this thread and in those
// that it starts.
sigset_t BlockSignals(bool reloads) {
  sigset_t signals;
  ::sigemptyset(&signals);
  if (reloads) ::sigaddset(&signals, SIGHUP);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// What is wrong with the new ones leaves the old ones in use.
void ReloadCertificates(const cli::ServeRequest& request, net::Server* network, ClusterNode* node, Log* log) {
  const bool is_node = node != nullptr && node->has_certificates();
  if (!request.tls_port && !is_node) return log->Info("nothing to reload");
  const auto tell = [log](const std::string& whose, const Status& status) {
    if (status.ok()) return log->Info(whose + " reloaded");
    log->Warn(whose + " not reloaded", {{"error", {std::string(status.message())}}});
  };
  if (request.tls_port) {
    Result<std::shared_ptr<const tls::Context>> context = tls::Context::ForServer(FilesOf(request));
    tell("certificates", context.status());
    if (context.ok()) network->UseTls(kTlsService, *std::move(context));
  }
  if (is_node) tell("certificates of the node", node->ReloadCertificates());
}

}  // namespace

Status ServeUntilSignal(const cli::ServeRequest& request, const cli::Console& console) {
  Env* const env = Env::Default();
  VARVE_ASSIGN_OR_RETURN(server::Options options, OptionsFrom(request));
  std::shared_ptr<const tls::Context> certificates;
  if (request.tls_port) {
    VARVE_ASSIGN_OR_RETURN(certificates, tls::Context::ForServer(FilesOf(request)));
  }
  if (request.only_checks) return Status::Ok();
  Log log(console.err, env->clock(), request.log_format == "json");
  const bool reloads = request.tls_port.has_value() || !request.cluster_tls_certificate.empty() || std::getenv("NOTIFY_SOCKET") != nullptr;
  const sigset_t signals = BlockSignals(reloads);
  Options store;
  // Its log is then written and not mapped, which makes flushes cheaper. Who writes says what he asks for.
  if (request.syncs) store.durability = Durability::kSync;
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<Db> db, Db::Open(request.dir, store));
  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<ClusterNode> node, ClusterNode::StartIfAsked(request, db.get(), env, &log));
  if (node != nullptr) options.cluster = node->face();
  server::Service service(db.get(), options, env, [] { ::kill(::getpid(), SIGTERM); });
  VARVE_RETURN_IF_ERROR(service.Load());
  const http::Pages pages = MakeHttpPages(&service);
  net::Server network(options.net, env);
  if (certificates != nullptr) network.UseTls(kTlsService, std::move(certificates));
  // The port is known before the first client asks for it.
  const Status started = network.Start([&](int loop) { return std::make_unique<Loop>(service.NewLoop(loop), &pages); },
                                       [&] { service.set_counters(&network.counters(), network.port()); });
  VARVE_RETURN_IF_ERROR(started);
  log.Info("listening", {{"address", network.addresses(), /*is_list=*/true},
                         {"tls", network.addresses(kTlsService), /*is_list=*/true},
                         {"http", network.addresses(kHttpService), /*is_list=*/true},
                         {"version", {kVersion}},
                         {"loops", {std::to_string(options.net.loop_count)}},
                         {"pid", {std::to_string(::getpid())}}});
  NotifyServiceManager("READY=1\nSTATUS=serving\n");
  int signal = 0;
  while (::sigwait(&signals, &signal) != 0 || signal == SIGHUP) {
    if (signal == SIGHUP) ReloadCertificates(request, &network, node.get(), &log);
  }
  // From now on another one ends the process.
  if (!VARVE_PLANTED_BUG("serve.second_signal_waits")) ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  NotifyServiceManager("STOPPING=1\nSTATUS=waiting for clients\n");
  log.Info("stopping", {{"signal", {std::to_string(signal)}},
                        {"connections", {std::to_string(network.counters().open.load())}}});
  network.Stop();
  if (node != nullptr) node->Stop();
  VARVE_RETURN_IF_ERROR(db->Sync());
  db.reset();
  log.Info("stopped");
  return Status::Ok();
}

}  // namespace varve
