// What commands do to their session.
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "server/session.h"

namespace varve::server {

Status Session::SelectDatabase(int index) {
  VARVE_ASSIGN_OR_RETURN(space_, service_->databases().Get(index));
  database_ = index;
  client_->database.store(index, std::memory_order_relaxed);
  return Status::Ok();
}

bool Session::Authenticate(std::string_view user, std::string_view password,
                           std::string_view object) {
  Acl::User known = service_->acl().Authenticate(user, password);
  if (known == nullptr) {
    LogDenial(AclDenial::Reason::kAuth, object, user);
    return false;
  }
  is_authenticated_ = true;
  BecomeUser(std::move(known));
  return true;
}

void Session::BecomeUser(Acl::User user) {
  user_ = std::move(user);
  user_version_ = 0;
  Client::Names names = client_->names();
  names.user = user_->name();
  client_->SetNames(std::move(names));
}

bool Session::RenewUser() {
  const uint64_t version = service_->acl().version();
  if (version == user_version_ || VARVE_PLANTED_BUG("acl.changes_come_late")) return true;
  Acl::User now = service_->acl().Find(user_->name());
  if (now == nullptr || now->number() != user_->number()) return false;
  user_ = std::move(now);
  user_version_ = version;
  return true;
}

std::optional<AclDenial> Session::Deny(const Command& command, const std::vector<std::string_view>& args) {
  const std::optional<AclDenial> denial = user_->Check(command, args);
  if (denial) {
    const bool is_command = denial->reason == AclDenial::Reason::kCommand;
    LogDenial(denial->reason, is_command ? command.full_name : args[denial->index], user_->name());
  }
  return denial;
}

void Session::LogDenial(AclDenial::Reason reason, std::string_view object, std::string_view user) {
  const bool is_multi = client_->queued.load(std::memory_order_relaxed) >= 0;
  service_->acl_log().Add({.reason = AclReasonName(reason),
                           .context = is_multi ? "multi" : "toplevel",
                           .object = std::string(object),
                           .user = std::string(user),
                           .client = Describe(*client_, now_),
                           .at_millis = now_});
}

void Session::SetProtocol(int version, resp::ReplyWriter* reply) {
  protocol_ = version;
  reply->set_version(version);
  client_->protocol.store(version, std::memory_order_relaxed);
}

void Session::DropQueue() {
  queue_.clear();
  service_->Release(std::exchange(queued_bytes_, 0));
  is_queueing_ = false;
  is_queue_bad_ = false;
  client_->queued.store(-1, std::memory_order_relaxed);
  if (!VARVE_PLANTED_BUG("watch.outlives_exec")) Unwatch();
}

void Session::Reset(resp::ReplyWriter* reply) {
  DropQueue();
  UnsubscribeAll();
  EndTracking();
  database_ = 0;
  client_->database.store(0, std::memory_order_relaxed);
  SetProtocol(2, reply);
  replies_ = Replies::kOn;
  follows_cluster_ = false;
  syncs_ = false;
  is_authenticated_ = !service_->acl().asks_for_password();
  BecomeUser(service_->acl().Find("default"));
  Client::Names names = client_->names();
  names.name.clear();
  client_->SetNames(std::move(names));
}

}  // namespace varve::server
