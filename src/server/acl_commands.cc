// ACL: users, and what they may do. ACL SAVE keeps them in the store.
#include <algorithm>

#include "base/status_macros.h"
#include "server/acl.h"
#include "server/call.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {
namespace {

Status UnknownOrArity(Call& call) {
  return call.Error("unknown subcommand or wrong number of arguments for '" + call.Shown(1) +
                    "'. Try ACL HELP.");
}

Status WhoAmI(Call& call) {
  call.reply.Bulk(call.session.user().name());
  return Status::Ok();
}

Status Users(Call& call) {
  const auto users = call.service.acl().All();
  call.reply.Array(users.size());
  for (const Acl::User& user : users) call.reply.Bulk(user->name());
  return Status::Ok();
}

Status AclList(Call& call) {
  const auto users = call.service.acl().All();
  call.reply.Array(users.size());
  for (const Acl::User& user : users) call.reply.Bulk(user->Describe());
  return Status::Ok();
}

Status Cat(Call& call) {
  if (call.count() > 3) return UnknownOrArity(call);
  const auto& categories = AllCategories();
  if (call.count() == 2) {
    call.reply.Array(categories.size());
    for (const std::string_view name : categories) call.reply.Bulk(name);
    return Status::Ok();
  }
  const auto is_named = [&](std::string_view category) { return call.Is(2, category); };
  if (std::none_of(categories.begin(), categories.end(), is_named)) {
    return call.Error("Unknown category '" + call.Shown(2) + "'");
  }
  std::vector<std::string_view> names;
  const auto note = [&](const Command& command) {
    const auto& has = command.categories;
    if (std::any_of(has.begin(), has.end(), is_named)) names.push_back(command.full_name);
  };
  for (const auto& [name, command] : AllCommands()) {
    if (command->subcommands.empty()) note(*command);
    for (const auto& [sub_name, sub] : command->subcommands) note(*sub);
  }
  call.reply.Array(names.size());
  for (const std::string_view name : names) call.reply.Bulk(name);
  return Status::Ok();
}

void ReplySelector(Call& call, const AclSelector& selector) {
  call.reply.Bulk("commands");
  call.reply.Bulk(selector.Commands());
  call.reply.Bulk("keys");
  call.reply.Bulk(selector.Keys());
  call.reply.Bulk("channels");
  call.reply.Bulk(selector.Channels());
}

Status GetUser(Call& call) {
  const Acl::User user = call.service.acl().Find(call.arg(2));
  if (user == nullptr) {
    call.reply.Null();
    return Status::Ok();
  }
  call.reply.Map(6);
  call.reply.Bulk("flags");
  const auto flags = user->Flags();
  call.reply.Set(flags.size());
  for (const std::string_view flag : flags) call.reply.Bulk(flag);
  call.reply.Bulk("passwords");
  call.reply.Array(user->password_hashes().size());
  for (const std::string& hash : user->password_hashes()) call.reply.Bulk(hash);
  const auto& selectors = user->selectors();
  ReplySelector(call, selectors[0]);
  call.reply.Bulk("selectors");
  call.reply.Array(selectors.size() - 1);
  for (size_t i = 1; i < selectors.size(); ++i) {
    call.reply.Map(3);
    ReplySelector(call, selectors[i]);
  }
  return Status::Ok();
}

Status SetUser(Call& call) {
  Acl& acl = call.service.acl();
  const Acl::User before = acl.Find(call.arg(2));
  std::vector<std::string> rules;
  for (size_t i = 3; i < call.count(); ++i) rules.emplace_back(call.arg(i));
  const std::string error = acl.Set(call.arg(2), std::move(rules));
  if (!error.empty()) return call.Error(error);
  const Acl::User now = acl.Find(call.arg(2));
  // Who hears channels of which some are taken away must connect again.
  if (before != nullptr && now != nullptr && !now->HasChannelsOf(*before)) {
    call.service.CutClients([&](const Client& client) {
      return client.names().user == now->name() && IsSubscribed(client);
    }, call.session);
  }
  return call.Ok();
}

Status DelUser(Call& call) {
  for (size_t i = 2; i < call.count(); ++i) {
    if (call.arg(i) == "default") return call.Error("The 'default' user cannot be removed");
  }
  int64_t count = 0;
  for (size_t i = 2; i < call.count(); ++i) {
    if (!call.service.acl().Delete(call.arg(i))) continue;
    ++count;
    call.service.CutClients([&](const Client& client) { return client.names().user == call.arg(i); },
                            call.session);
  }
  return call.Integer(count);
}

Status DryRun(Call& call) {
  const Acl::User user = call.service.acl().Find(call.arg(2));
  if (user == nullptr) return call.Error("User '" + call.Shown(2) + "' not found");
  const std::vector<std::string_view> args(call.args.begin() + 3, call.args.end());
  std::string ignored;
  const Command* const command = FindCommand(args, &ignored);
  if (command == nullptr) return call.Error("Command '" + call.Shown(3) + "' not found");
  if (!command->IsArity(args.size())) {
    return call.Error("wrong number of arguments for '" + command->full_name + "' command");
  }
  const std::optional<AclDenial> denial = user->Check(*command, args);
  if (!denial) return call.Ok();
  const std::string object = call.Shown(3 + denial->index);
  switch (denial->reason) {
    case AclDenial::Reason::kKey:
      call.reply.Bulk("This user has no permissions to access the '" + object + "' key");
      break;
    case AclDenial::Reason::kChannel:
      call.reply.Bulk("This user has no permissions to access the '" + object + "' channel");
      break;
    default:
      call.reply.Bulk("This user has no permissions to run the '" + command->full_name + "' command");
  }
  return Status::Ok();
}

Status GenPass(Call& call) {
  constexpr int64_t kMaxBits = 4096;
  constexpr char kDigits[] = "0123456789abcdef";
  int64_t bits = 256;
  if (call.count() > 3) return UnknownOrArity(call);
  if (call.count() == 3) {
    if (!call.TakeInteger(2, &bits)) return Status::Ok();
    if (bits <= 0 || bits > kMaxBits) {
      return call.Error("ACL GENPASS argument must be the number of bits for the output password, a "
                        "positive number up to 4096");
    }
  }
  std::string password;
  uint64_t random = 0;
  for (int64_t i = 0; i < (bits + 3) / 4; ++i, random >>= 4) {
    if (i % 16 == 0) random = call.service.NewSeed();
    password.push_back(kDigits[random & 15]);
  }
  call.reply.Bulk(password);
  return Status::Ok();
}

Status Log(Call& call) {
  constexpr size_t kUsualCount = 10;
  AclLog& log = call.service.acl_log();
  if (call.count() > 3) return UnknownOrArity(call);
  int64_t count = kUsualCount;
  if (call.count() == 3) {
    if (call.Is(2, "reset")) {
      log.Clear();
      return call.Ok();
    }
    if (!call.TakeInteger(2, &count)) return Status::Ok();
  }
  const auto entries = log.Newest(static_cast<size_t>(std::max<int64_t>(count, 0)));
  call.reply.Array(entries.size());
  for (const AclLog::Entry& entry : entries) {
    call.reply.Map(7);
    call.reply.Bulk("count");
    call.reply.Integer(static_cast<int64_t>(entry.count));
    const std::pair<std::string_view, std::string_view> kTexts[] = {
        {"reason", entry.reason}, {"context", entry.context}, {"object", entry.object}, {"username", entry.user}};
    for (const auto& [name, text] : kTexts) {
      call.reply.Bulk(name);
      call.reply.Bulk(text);
    }
    call.reply.Bulk("age-seconds");
    const uint64_t age = call.now > entry.at_millis ? call.now - entry.at_millis : 0;
    call.reply.Double(static_cast<double>(age) / 1000);
    call.reply.Bulk("client-info");
    call.reply.Bulk(entry.client);
  }
  return Status::Ok();
}

Status Save(Call& call) {
  VARVE_RETURN_IF_ERROR(call.service.SaveUsers());
  return call.Ok();
}

// Whoever is connected as a user that is another now, or none, is cut.
Status Load(Call& call) {
  const auto before = call.service.acl().All();
  VARVE_ASSIGN_OR_RETURN(const std::string error, call.service.LoadUsers());
  if (!error.empty()) {
    return call.Error(error + " WARNING: ACL errors detected, no change to the previously active ACL rules "
                              "was performed");
  }
  for (const Acl::User& user : before) {
    const Acl::User now = call.service.acl().Find(user->name());
    if (now != nullptr && now->number() == user->number()) continue;
    call.service.CutClients([&](const Client& client) { return client.names().user == user->name(); },
                            call.session);
  }
  return call.Ok();
}

Status AclHelp(Call& call) {
  call.reply.Array(2);
  call.reply.Simple("ACL CAT DELUSER DRYRUN GENPASS GETUSER LIST LOAD LOG SAVE SETUSER USERS WHOAMI");
  call.reply.Simple("    Users, and what they may do. SAVE keeps them in the store.");
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> AclCommands() {
  constexpr std::string_view kAdmin = "admin noscript loading stale";
  constexpr std::string_view kPlain = "noscript loading stale";
  const auto sub = [](std::string_view name, int arity, std::string_view flags, std::string_view since,
                      std::string_view summary, Status (*run)(Call&)) {
    return CommandSpec{name, arity, flags, "", "", "", since, "server", summary, run};
  };
  return {{.name = "acl",
           .arity = -2,
           .since = "6.0.0",
           .group = "server",
           .summary = "Who may do what",
           .subcommands = {
               sub("whoami", 2, kPlain, "6.0.0", "Returns the user of the connection", WhoAmI),
               sub("users", 2, kAdmin, "6.0.0", "Lists the names of the users", Users),
               sub("list", 2, kAdmin, "6.0.0", "Lists the users with their rules", AclList),
               sub("cat", -2, kPlain, "6.0.0", "Lists categories, or what is in one", Cat),
               sub("getuser", 3, kAdmin, "6.0.0", "Returns the rules of a user", GetUser),
               sub("setuser", -3, kAdmin, "6.0.0", "Makes or changes a user", SetUser),
               sub("deluser", -3, kAdmin, "6.0.0", "Deletes users, and cuts who is connected as one", DelUser),
               sub("dryrun", -4, kAdmin, "7.0.0", "Says whether a user may run a command", DryRun),
               sub("genpass", -2, kPlain, "6.0.0", "Returns a random password", GenPass),
               sub("log", -2, kAdmin, "6.0.0", "Returns what was refused", Log),
               sub("save", 2, kAdmin, "6.0.0", "Keeps the users in the store", Save),
               sub("load", 2, kAdmin, "6.0.0", "Goes back to the users that are kept", Load),
               sub("help", 2, "loading stale", "6.0.0", "Helps", AclHelp),
           }}};
}

}  // namespace varve::server
