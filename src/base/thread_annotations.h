// Clang's thread-safety attributes; nothing under other compilers.
#ifndef VARVE_BASE_THREAD_ANNOTATIONS_H_
#define VARVE_BASE_THREAD_ANNOTATIONS_H_

#if defined(__clang__)
#define VARVE_ATTRIBUTE_(x) __attribute__((x))
#else
#define VARVE_ATTRIBUTE_(x)
#endif

#define VARVE_CAPABILITY(x) VARVE_ATTRIBUTE_(capability(x))
#define VARVE_SCOPED_CAPABILITY VARVE_ATTRIBUTE_(scoped_lockable)
#define VARVE_GUARDED_BY(x) VARVE_ATTRIBUTE_(guarded_by(x))
#define VARVE_PT_GUARDED_BY(x) VARVE_ATTRIBUTE_(pt_guarded_by(x))
#define VARVE_REQUIRES(...) VARVE_ATTRIBUTE_(requires_capability(__VA_ARGS__))
#define VARVE_EXCLUDES(...) VARVE_ATTRIBUTE_(locks_excluded(__VA_ARGS__))
#define VARVE_ACQUIRE(...) VARVE_ATTRIBUTE_(acquire_capability(__VA_ARGS__))
#define VARVE_RELEASE(...) VARVE_ATTRIBUTE_(release_capability(__VA_ARGS__))
#define VARVE_TRY_ACQUIRE(...) VARVE_ATTRIBUTE_(try_acquire_capability(__VA_ARGS__))
#define VARVE_ASSERT_CAPABILITY(x) VARVE_ATTRIBUTE_(assert_capability(x))
#define VARVE_NO_THREAD_SAFETY_ANALYSIS VARVE_ATTRIBUTE_(no_thread_safety_analysis)

#endif  // VARVE_BASE_THREAD_ANNOTATIONS_H_
