#include "env/uring.h"

#if __has_include(<linux/io_uring.h>)

#include <linux/io_uring.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace varve {

namespace {

uint32_t Load(uint32_t* shared) {
  return std::atomic_ref<uint32_t>(*shared).load(std::memory_order_acquire);
}
void Store(uint32_t* shared, uint32_t value) {
  std::atomic_ref<uint32_t>(*shared).store(value, std::memory_order_release);
}

uint32_t* At(void* rings, uint32_t offset) {
  return reinterpret_cast<uint32_t*>(static_cast<char*>(rings) + offset);
}

// IORING_OP_READ came after the rest.
bool CanRead(int fd) {
  constexpr size_t kOps = IORING_OP_READ + 1;
  std::vector<char> memory(sizeof(io_uring_probe) + kOps * sizeof(io_uring_probe_op));
  auto* const probe = reinterpret_cast<io_uring_probe*>(memory.data());
  if (::syscall(__NR_io_uring_register, fd, IORING_REGISTER_PROBE, probe, kOps) != 0) return false;
  return probe->last_op >= IORING_OP_READ &&
         (probe->ops[IORING_OP_READ].flags & IO_URING_OP_SUPPORTED) != 0;
}

}  // namespace

std::unique_ptr<Uring> Uring::Open(uint32_t entries) {
  io_uring_params parameters;
  std::memset(&parameters, 0, sizeof(parameters));
  const long fd = ::syscall(__NR_io_uring_setup, entries, &parameters);  // NOLINT: the type of syscall
  if (fd < 0) return nullptr;
  std::unique_ptr<Uring> ring(new Uring());
  ring->fd_ = UniqueFd(static_cast<int>(fd));
  constexpr uint32_t kNeeded = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP;
  if ((parameters.features & kNeeded) != kNeeded || !CanRead(ring->fd_.get()) ||
      !ring->Map(&parameters)) {
    return nullptr;
  }
  return ring;
}

bool Uring::Map(const void* parameters) {
  const auto& p = *static_cast<const io_uring_params*>(parameters);
  const auto map = [this](size_t bytes, uint64_t offset, Mapping* mapping) {
    void* const address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                                 fd_.get(), static_cast<off_t>(offset));
    if (address == MAP_FAILED) return false;
    // A forked child has no use for it.
    (void)::madvise(address, bytes, MADV_DONTFORK);
    *mapping = {address, bytes};
    return true;
  };
  const size_t submit_bytes = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
  const size_t complete_bytes = p.cq_off.cqes + p.cq_entries * sizeof(io_uring_cqe);
  if (!map(submit_bytes > complete_bytes ? submit_bytes : complete_bytes, IORING_OFF_SQ_RING, &rings_) ||
      !map(p.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES, &entries_)) {
    return false;
  }
  submit_head_ = At(rings_.address, p.sq_off.head);
  submit_tail_ = At(rings_.address, p.sq_off.tail);
  submit_index_ = At(rings_.address, p.sq_off.array);
  submit_mask_ = *At(rings_.address, p.sq_off.ring_mask);
  complete_head_ = At(rings_.address, p.cq_off.head);
  complete_tail_ = At(rings_.address, p.cq_off.tail);
  complete_mask_ = *At(rings_.address, p.cq_off.ring_mask);
  completions_ = At(rings_.address, p.cq_off.cqes);
  return true;
}

Uring::~Uring() {
  for (const Mapping& mapping : {rings_, entries_}) {
    if (mapping.address != nullptr) VARVE_CHECK(::munmap(mapping.address, mapping.bytes) == 0);
  }
}

void Uring::AddRead(int fd, uint64_t offset, char* buffer, uint32_t size, uint64_t tag) {
  const uint32_t index = tail_ & submit_mask_;
  io_uring_sqe& entry = static_cast<io_uring_sqe*>(entries_.address)[index];
  std::memset(&entry, 0, sizeof(entry));
  entry.opcode = IORING_OP_READ;
  entry.fd = fd;
  entry.off = offset;
  entry.addr = reinterpret_cast<uint64_t>(buffer);
  entry.len = size;
  entry.user_data = tag;
  submit_index_[index] = index;
  ++tail_;
  // Release: the kernel sees the entry with the tail.
  Store(submit_tail_, tail_);
}

void Uring::SubmitAndWait() {
  while (true) {
    const uint32_t waiting = tail_ - Load(submit_head_);
    const long taken = ::syscall(__NR_io_uring_enter, fd_.get(), waiting, 1,  // NOLINT: its type
                                 IORING_ENTER_GETEVENTS, nullptr, 0);
    if (taken >= 0) {
      if (static_cast<uint32_t>(taken) >= waiting) return;
      if (Load(complete_tail_) != *complete_head_) return;
      continue;
    }
    // EAGAIN, EBUSY: short of memory, or of room for completions.
    VARVE_CHECK(errno == EINTR || errno == EAGAIN || errno == EBUSY);
    if (Load(complete_tail_) != *complete_head_) return;
    if (errno != EINTR) (void)::sched_yield();
  }
}

bool Uring::Next(uint64_t* tag, int32_t* result) {
  const uint32_t head = *complete_head_;
  // Acquire: what the kernel wrote before.
  if (head == Load(complete_tail_)) return false;
  const io_uring_cqe& done = static_cast<const io_uring_cqe*>(completions_)[head & complete_mask_];
  *tag = done.user_data;
  *result = done.res;
  // Release: the kernel may use the place again.
  Store(complete_head_, head + 1);
  return true;
}

}  // namespace varve

#else

namespace varve {

std::unique_ptr<Uring> Uring::Open(uint32_t) { return nullptr; }
Uring::~Uring() = default;
void Uring::AddRead(int, uint64_t, char*, uint32_t, uint64_t) {}
void Uring::SubmitAndWait() {}
bool Uring::Next(uint64_t*, int32_t*) { return false; }

}  // namespace varve

#endif
