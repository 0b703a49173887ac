// Publishing and subscribing.
#include "server/call.h"
#include "server/service.h"
#include "server/session.h"

namespace varve::server {
namespace {

struct Names {
  std::string_view subscribe;
  std::string_view unsubscribe;
};
constexpr Names kWords[] = {{"subscribe", "unsubscribe"},
                             {"psubscribe", "punsubscribe"},
                             {"ssubscribe", "sunsubscribe"}};

// A reply for each name: a push, in version 3.
void ReplyOne(Call& call, std::string_view word, const std::string_view* name, Subscription kind) {
  call.reply.Push(3);
  call.reply.Bulk(word);
  if (name != nullptr) {
    call.reply.Bulk(*name);
  } else {
    call.reply.Null();
  }
  call.reply.Integer(call.session.SubscriptionCount(kind));
}

Status SubscribeAs(Call& call, Subscription kind) {
  for (size_t i = 1; i < call.count(); ++i) {
    call.session.Subscribe(kind, call.arg(i));
    const std::string_view name = call.arg(i);
    ReplyOne(call, kWords[static_cast<size_t>(kind)].subscribe, &name, kind);
  }
  return Status::Ok();
}

Status UnsubscribeAs(Call& call, Subscription kind) {
  const std::string_view word = kWords[static_cast<size_t>(kind)].unsubscribe;
  std::vector<std::string> all;
  std::vector<std::string_view> names(call.args.begin() + 1, call.args.end());
  if (names.empty()) {
    all = call.session.Subscriptions(kind);
    names.assign(all.begin(), all.end());
  }
  for (const std::string_view name : names) {
    call.session.Unsubscribe(kind, name);
    ReplyOne(call, word, &name, kind);
  }
  if (names.empty()) ReplyOne(call, word, nullptr, kind);
  return Status::Ok();
}

Status Subscribe(Call& call) { return SubscribeAs(call, Subscription::kChannel); }
Status PSubscribe(Call& call) { return SubscribeAs(call, Subscription::kPattern); }
Status SSubscribe(Call& call) { return SubscribeAs(call, Subscription::kShard); }
Status Unsubscribe(Call& call) { return UnsubscribeAs(call, Subscription::kChannel); }
Status PUnsubscribe(Call& call) { return UnsubscribeAs(call, Subscription::kPattern); }
Status SUnsubscribe(Call& call) { return UnsubscribeAs(call, Subscription::kShard); }

Status Publish(Call& call) {
  return call.Integer(call.service.pubsub().Publish(Subscription::kChannel, call.arg(1), call.arg(2)));
}
Status SPublish(Call& call) {
  return call.Integer(call.service.pubsub().Publish(Subscription::kShard, call.arg(1), call.arg(2)));
}

Status UnknownOrArity(Call& call) {
  return call.Error("unknown subcommand or wrong number of arguments for '" + call.Shown(1) +
                    "'. Try PUBSUB HELP.");
}

Status ReplyNames(Call& call, Subscription kind) {
  if (call.count() > 3) return UnknownOrArity(call);
  const std::vector<std::string> names =
      call.service.pubsub().Names(kind, call.count() == 3 ? call.arg(2) : "*");
  call.reply.Array(names.size());
  for (const std::string& name : names) call.reply.Bulk(name);
  return Status::Ok();
}
Status Channels(Call& call) { return ReplyNames(call, Subscription::kChannel); }
Status ShardChannels(Call& call) { return ReplyNames(call, Subscription::kShard); }

Status ReplyCounts(Call& call, Subscription kind) {
  call.reply.Array((call.count() - 2) * 2);
  for (size_t i = 2; i < call.count(); ++i) {
    call.reply.Bulk(call.arg(i));
    call.reply.Integer(call.service.pubsub().CountOf(kind, call.arg(i)));
  }
  return Status::Ok();
}
Status NumSub(Call& call) { return ReplyCounts(call, Subscription::kChannel); }
Status ShardNumSub(Call& call) { return ReplyCounts(call, Subscription::kShard); }

Status NumPat(Call& call) {
  return call.Integer(call.service.pubsub().NameCount(Subscription::kPattern));
}

Status PubsubHelp(Call& call) {
  call.reply.Array(2);
  call.reply.Simple("PUBSUB CHANNELS [<pattern>] | NUMSUB [<channel>...] | NUMPAT");
  call.reply.Simple("    Who has subscribed. SHARDCHANNELS and SHARDNUMSUB: to shard channels.");
  return Status::Ok();
}

}  // namespace

std::vector<CommandSpec> PubSubCommands() {
  constexpr std::string_view kFlags = "pubsub noscript loading stale";
  const auto entry = [&](std::string_view name, int arity, std::string_view keys,
                         std::string_view since, std::string_view summary, Status (*run)(Call&)) {
    return CommandSpec{name, arity, kFlags, "pubsub", keys, "", since, "pubsub", summary, run};
  };
  const auto sub = [](std::string_view name, int arity, std::string_view since,
                      std::string_view summary, Status (*run)(Call&)) {
    return CommandSpec{name, arity, "pubsub loading stale", "pubsub", "", "", since, "pubsub", summary, run};
  };
  return {
      entry("subscribe", -2, "", "2.0.0", "Hears what is published to channels", Subscribe),
      entry("unsubscribe", -1, "", "2.0.0", "Hears channels no more", Unsubscribe),
      entry("psubscribe", -2, "", "2.0.0", "Hears the channels that match patterns", PSubscribe),
      entry("punsubscribe", -1, "", "2.0.0", "Hears patterns no more", PUnsubscribe),
      entry("ssubscribe", -2, "not_key@1:-1,1", "7.0.0", "Hears what is published to shard channels", SSubscribe),
      entry("sunsubscribe", -1, "not_key@1:-1,1", "7.0.0", "Hears shard channels no more", SUnsubscribe),
      {"publish", 3, "pubsub loading stale fast", "pubsub", "", "", "2.0.0", "pubsub",
       "Sends a message to all who have subscribed to a channel", Publish},
      {"spublish", 3, "pubsub loading stale fast", "pubsub", "not_key@1:0,1", "", "7.0.0", "pubsub",
       "Sends a message to all who have subscribed to a shard channel", SPublish},
      {.name = "pubsub",
       .arity = -2,
       .since = "2.8.0",
       .group = "pubsub",
       .summary = "Who has subscribed to what",
       .subcommands = {
           sub("channels", -2, "2.8.0", "Lists channels that somebody hears", Channels),
           sub("numsub", -2, "2.8.0", "Counts who hears channels", NumSub),
           sub("numpat", 2, "2.8.0", "Counts patterns", NumPat),
           sub("shardchannels", -2, "7.0.0", "Lists shard channels that somebody hears", ShardChannels),
           sub("shardnumsub", -2, "7.0.0", "Counts who hears shard channels", ShardNumSub),
           {"help", 2, "loading stale", "", "", "", "6.2.0", "pubsub", "Helps", PubsubHelp},
       }},
  };
}

}  // namespace varve::server
