// Two functions by two people, neither of which knows of the other, as one step.
//
// To be run with the directory of a store, which is made.
#include <varve/varve.h>

#include <cstdio>
#include <string>
#include <string_view>

using varve::Status;
using varve::Transaction;

// --- Hers: accounts.

Status Pay(Transaction& t, std::string_view from, std::string_view to, int cents) {
  const int has = std::stoi(t.Get(from).value_or("0"));
  if (has < cents) return Status::InvalidArgument(std::string(from) + " has too little");
  Status status = t.Put(from, std::to_string(has - cents));
  if (!status.ok()) return status;
  return t.Put(to, std::to_string(std::stoi(t.Get(to).value_or("0")) + cents));
}

// --- His: a numbered journal.

Status Note(Transaction& t, std::string_view text) {
  auto journal = t.NewIterator({.prefix = "journal/"});
  journal->SeekToLast();
  const int last = journal->Valid() ? std::stoi(std::string(journal->key().substr(8))) : 100000;
  if (!journal->status().ok()) return journal->status();
  return t.Put("journal/" + std::to_string(last + 1), text);
}

// --- Together: money moves if and only if the journal says so, whatever other threads do meanwhile and
// whenever the process dies.

Status PayAndNote(varve::Db& db, std::string_view from, std::string_view to, int cents) {
  return db.Transact([&](Transaction& t) -> Status {
    Status status = Pay(t, from, to, cents);
    if (!status.ok()) return status;
    return Note(t, std::string(from) + " paid " + std::to_string(cents) + " to " + std::string(to));
  });
}

int main(int argc, char** argv) {
  auto opened = varve::Db::Open(argc > 1 ? argv[1] : "data");
  if (!opened.ok()) return std::fprintf(stderr, "%s\n", opened.status().ToString().c_str()), 1;
  varve::Db& db = **opened;

  if (!db.Put("account/anna", "1000").ok()) return 1;
  for (const int cents : {300, 500, 900}) {
    const Status status = PayAndNote(db, "account/anna", "account/ben", cents);
    std::printf("%d: %s\n", cents, status.ToString().c_str());
  }

  auto all = db.NewIterator();
  for (all->SeekToFirst(); all->Valid(); all->Next()) {
    std::printf("%s: %s\n", std::string(all->key()).c_str(), std::string(all->value()).c_str());
  }
  return all->status().ok() ? 0 : 1;
}
