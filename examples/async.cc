// Asynchronous operations in their three forms: futures, callbacks, and a coroutine.
#include <varve/varve.h>

#include <cstdio>
#include <future>
#include <latch>
#include <string>
#include <vector>

namespace {

// The smallest coroutine type there is; any other does as well.
struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

// Copies a value once it is durable, without a thread that waits.
Task Copy(varve::Db& db, std::string from, std::string to, std::latch& end) {
  const varve::Result<std::string> value = co_await db.GetAsync(from);
  if (value.ok()) {
    const varve::Status status =
        co_await db.PutAsync(to, *value, {.durability = varve::Durability::kSync});
    std::printf("copied: %s\n", status.ToString().c_str());
  }
  end.count_down();
}

}  // namespace

int main(int argc, char** argv) {
  auto db = varve::Db::Open(argc > 1 ? argv[1] : "data");
  if (!db.ok()) {
    std::fprintf(stderr, "%s\n", db.status().ToString().c_str());
    return 1;
  }

  // Futures: a thousand puts that survive loss of power, of which many share a flush.
  std::vector<std::future<varve::Status>> puts;
  for (int i = 0; i < 1000; ++i) {
    puts.push_back((*db)->PutAsync("user/" + std::to_string(i), "name " + std::to_string(i),
                                   {.durability = varve::Durability::kSync}));
  }
  int durable = 0;
  for (auto& put : puts) durable += put.get().ok();
  std::printf("durable: %d\n", durable);

  // A callback, here or in a thread of the store.
  std::latch end(2);
  (*db)->GetAsync("user/7").Then([&](varve::Result<std::string> value) {
    std::printf("user/7: %s\n", value.value_or("absent").c_str());
    end.count_down();
  });

  Copy(**db, "user/8", "copy", end);
  end.wait();
  std::printf("copy: %s\n", (*db)->At("copy").c_str());
  return 0;
}
