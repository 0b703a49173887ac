// The functions that the compiler's pass for ThreadSanitizer calls, in place of its runtime: each atomic operation
// is a point of the scheduler and sequentially consistent, each access to memory is checked against what is freed.
#include <cstdint>

#include "tests/sched/heap.h"
#include "tests/sched/runtime.h"

using varve::sched::AtPoint;
using varve::sched::CheckAccess;
using varve::sched::Op;

// The names and the parameters are the compiler's.
#define PLACE __builtin_return_address(0)

#define ACCESSES(bytes)                                                             \
  void __tsan_read##bytes(void* p) { CheckAccess(p, PLACE); }                       \
  void __tsan_write##bytes(void* p) { CheckAccess(p, PLACE); }                      \
  void __tsan_unaligned_read##bytes(void* p) { CheckAccess(p, PLACE); }             \
  void __tsan_unaligned_write##bytes(void* p) { CheckAccess(p, PLACE); }            \
  void __tsan_volatile_read##bytes(void* p) { CheckAccess(p, PLACE); }              \
  void __tsan_volatile_write##bytes(void* p) { CheckAccess(p, PLACE); }             \
  void __tsan_unaligned_volatile_read##bytes(void* p) { CheckAccess(p, PLACE); }    \
  void __tsan_unaligned_volatile_write##bytes(void* p) { CheckAccess(p, PLACE); }

#define UPDATE(bits, type, name, builtin)                                           \
  type __tsan_atomic##bits##_fetch_##name(volatile type* p, type value, int) {      \
    CheckAccess(p, PLACE);                                                          \
    AtPoint(Op::kUpdate, PLACE);                                                    \
    CheckAccess(p, PLACE);                                                          \
    return builtin(p, value, __ATOMIC_SEQ_CST);                                     \
  }

#define COMPARE_EXCHANGE(bits, type, strength)                                      \
  int __tsan_atomic##bits##_compare_exchange_##strength(volatile type* p, type* expected, type wanted, int, int) { \
    AtPoint(Op::kCompareExchange, PLACE);                                           \
    CheckAccess(p, PLACE);                                                          \
    return __atomic_compare_exchange_n(p, expected, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }

#define ATOMICS(bits, type)                                                         \
  type __tsan_atomic##bits##_load(const volatile type* p, int) {                    \
    AtPoint(Op::kLoad, PLACE);                                                      \
    CheckAccess(p, PLACE);                                                          \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                    \
  }                                                                                 \
  void __tsan_atomic##bits##_store(volatile type* p, type value, int) {             \
    AtPoint(Op::kStore, PLACE);                                                     \
    CheckAccess(p, PLACE);                                                          \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                   \
  }                                                                                 \
  type __tsan_atomic##bits##_exchange(volatile type* p, type value, int) {          \
    AtPoint(Op::kExchange, PLACE);                                                  \
    CheckAccess(p, PLACE);                                                          \
    return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                         \
  }                                                                                 \
  UPDATE(bits, type, add, __atomic_fetch_add)                                       \
  UPDATE(bits, type, sub, __atomic_fetch_sub)                                       \
  UPDATE(bits, type, and, __atomic_fetch_and)                                       \
  UPDATE(bits, type, or, __atomic_fetch_or)                                         \
  UPDATE(bits, type, xor, __atomic_fetch_xor)                                       \
  COMPARE_EXCHANGE(bits, type, strong)                                              \
  COMPARE_EXCHANGE(bits, type, weak)

extern "C" {

void __tsan_init() {}
void __tsan_vptr_update(void** p, void*) { CheckAccess(p, PLACE); }
void __tsan_vptr_read(void** p) { CheckAccess(p, PLACE); }
void __tsan_read_range(void* p, unsigned long) { CheckAccess(p, PLACE); }
void __tsan_write_range(void* p, unsigned long) { CheckAccess(p, PLACE); }
void __tsan_atomic_thread_fence(int) { AtPoint(Op::kFence, PLACE); }
void __tsan_atomic_signal_fence(int) {}

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

}  // extern "C"
