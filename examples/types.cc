// Values and keys of C++ types. docs/types.md begins with this.
#include <varve/typed_db.h>
#include <varve/varve.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <tuple>
#include <vector>

struct User {
  std::string name;
  uint32_t age = 0;
  std::vector<std::string> tags;
};

// A user's events, the newest first.
using EventKey = std::tuple<std::string, varve::Descending<uint32_t>>;

int main() {
  auto db = varve::Db::Open("data");
  if (!db.ok()) return std::fprintf(stderr, "%s\n", db.status().ToString().c_str()), 1;

  varve::TypedDb<uint64_t, User> users(db->get(), "user/");
  varve::TypedDb<EventKey, std::string> events(db->get(), "event/");

  varve::WriteBatch batch;  // all of it, or nothing
  if (!users.BatchPut(&batch, 7, {"Ann", 41, {"admin"}}).ok() ||
      !events.BatchPut(&batch, {"Ann", {1}}, "signed up").ok() ||
      !events.BatchPut(&batch, {"Ann", {2}}, "logged in").ok() || !(*db)->Write(batch).ok()) {
    return 1;
  }

  varve::Result<User> ann = users.Get(7);
  if (!ann.ok()) return 1;
  std::printf("%s is %u\n", ann->name.c_str(), ann->age);

  auto event = events.NewIterator({.prefix = events.Prefix(ann->name)});
  for (event.SeekToFirst(); event.Valid(); event.Next()) {
    std::printf("%u %s\n", std::get<1>(event.key()).value, event.value().c_str());
  }
  if (!event.status().ok()) return 1;

  // Reading it as another type is an error, not a guess.
  varve::TypedDb<uint64_t, double> wrong(db->get(), "user/");
  std::printf("%s\n", wrong.Get(7).status().ToString().c_str());
  return 0;
}
