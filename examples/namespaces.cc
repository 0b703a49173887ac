// Namespaces, a batch over two of them, and counters: users with their sessions, and visits counted.
#include <varve/varve.h>

#include <cstdio>
#include <string>

namespace {

int Fail(const varve::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main() {
  auto db = varve::Db::Open("data");
  if (!db.ok()) return Fail(db.status());

  // Made on first use. A user survives loss of power; a session need not survive the process.
  auto users = (*db)->OpenNamespace("users", {.durability = varve::Durability::kSync});
  if (!users.ok()) return Fail(users.status());
  auto sessions = (*db)->OpenNamespace("sessions", {.durability = varve::Durability::kNone});
  if (!sessions.ok()) return Fail(sessions.status());

  // The same key is another one in each.
  varve::WriteBatch batch;
  batch.Put(**users, "ada", "Ada Lovelace");
  batch.Put(**sessions, "ada", "token 1815");
  if (varve::Status status = (*db)->Write(batch); !status.ok()) return Fail(status);

  // Only the first comer gets the name.
  const varve::Status taken = (*users)->PutIfAbsent("ada", "somebody else");
  std::printf("%s\n", taken.ToString().c_str());

  for (int visit = 0; visit < 3; ++visit) {
    const auto visits = (*users)->Increment("ada/visits");
    if (!visits.ok()) return Fail(visits.status());
    std::printf("visit %lld\n", static_cast<long long>(*visits));
  }

  // Everybody out, at once, however many there are.
  if (varve::Status status = (*sessions)->Clear(); !status.ok()) return Fail(status);
  std::printf("session: %s\n", (*sessions)->Get("ada").status().ToString().c_str());
  std::printf("user: %s\n", (*users)->At("ada").c_str());

  if (varve::Status status = (*db)->DropNamespace("sessions"); !status.ok()) return Fail(status);
  std::printf("%s\n", (*sessions)->Put("ada", "token").ToString().c_str());
  return 0;
}
