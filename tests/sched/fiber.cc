#include "tests/sched/fiber.h"

#include <asm/prctl.h>
#include <linux/futex.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstring>
#include <string>

#include "tests/sched/scheduler.h"

extern "C" long __real_syscall(long number, ...);

namespace varve::sched {

namespace {

constexpr size_t kStackBytes = size_t{1} << 20;

// Where the program's thread_local variables lie, and what they are at first.
struct ThreadLocals {
  uintptr_t behind_pointer = 0;  // bytes from their begin to the thread pointer
  const void* image = nullptr;
  size_t image_bytes = 0;
  size_t bytes = 0;
};

uintptr_t ThreadPointer() {
  uintptr_t pointer;
  __asm__("mov %%fs:0, %0" : "=r"(pointer));
  return pointer;
}

int FindThreadLocals(dl_phdr_info* info, size_t, void* found) {
  auto* locals = static_cast<ThreadLocals*>(found);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_TLS) continue;
    locals->behind_pointer = ThreadPointer() - reinterpret_cast<uintptr_t>(info->dlpi_tls_data);
    locals->image = reinterpret_cast<const void*>(info->dlpi_addr + header.p_vaddr);
    locals->image_bytes = header.p_filesz;
    locals->bytes = header.p_memsz;
  }
  return 1;  // the program itself comes first, and is all
}

const ThreadLocals& LocalsOfProgram() {
  static const ThreadLocals locals = [] {
    ThreadLocals found;
    dl_iterate_phdr(FindThreadLocals, &found);
    return found;
  }();
  return locals;
}

// A thread that lends its thread_local variables.
void* Lend(void* to) {
  auto* pointer = static_cast<std::atomic<uintptr_t>*>(to);
  pointer->store(ThreadPointer());
  __real_syscall(SYS_futex, pointer, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  static std::atomic<int> never{0};
  while (true) __real_syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
}

uintptr_t Borrow() {
  // Lives on: the lender may touch it after it is heard.
  auto* pointer = new std::atomic<uintptr_t>(0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, size_t{64} << 10);
  pthread_t lender;
  if (pthread_create(&lender, &attributes, Lend, pointer) != 0) Fail("no thread to be had");
  pthread_attr_destroy(&attributes);
  while (pointer->load() == 0) __real_syscall(SYS_futex, pointer, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
  return pointer->load();
}

}  // namespace

void Fiber::AdoptThread() { thread_pointer_ = ThreadPointer(); }

void Fiber::Reset(void (*body)()) {
  if (stack_ == nullptr) {
    thread_pointer_ = Borrow();
    stack_ = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack_ == MAP_FAILED) Fail("no memory for a stack");
  }
  const ThreadLocals& locals = LocalsOfProgram();
  char* begin = reinterpret_cast<char*>(thread_pointer_ - locals.behind_pointer);
  std::memcpy(begin, locals.image, locals.image_bytes);
  std::memset(begin + locals.image_bytes, 0, locals.bytes - locals.image_bytes);
  getcontext(&context_);
  context_.uc_stack = {.ss_sp = stack_, .ss_flags = 0, .ss_size = kStackBytes};
  context_.uc_link = nullptr;
  makecontext(&context_, body, 0);
}

void Fiber::Jump(Fiber* from, Fiber* to) {
  __real_syscall(SYS_arch_prctl, ARCH_SET_FS, to->thread_pointer_);
  swapcontext(&from->context_, &to->context_);
}

}  // namespace varve::sched
