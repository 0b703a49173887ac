// What the operating system says about this process and about a directory.
#ifndef VARVE_BENCH_MEASURE_H_
#define VARVE_BENCH_MEASURE_H_

#include <cstdint>
#include <string>

namespace varve::bench {

// CPU time of all threads of this process, user and system, in seconds.
double CpuSeconds();
// Bytes that this process has caused to be sent to the disk, or made dirty in the page cache
// (/proc/self/io write_bytes). 0 when the kernel does not say.
uint64_t WrittenBytes();
// Forgets the highest memory use so far, so that PeakRssBytes starts anew.
void ResetPeakRss();
// VmHWM: anonymous memory and the file pages that the process has mapped and touched.
uint64_t PeakRssBytes();
// What the files below `dir` occupy on the disk.
uint64_t DiskBytes(const std::string& dir);
// Writes all dirty pages of the file system that holds `dir` to the disk.
void SyncFileSystem(const std::string& dir);
// Drops the pages of all files below `dir` from the page cache.
void DropFromPageCache(const std::string& dir);
// Waits until this process has used almost no CPU (2 %) and written nothing for 0.4 s, at most
// `timeout_seconds`. False when the time was up.
bool WaitUntilIdle(double timeout_seconds);
// True when `dir` is on a file system in memory, where results say little.
bool IsInMemory(const std::string& dir);

// For the head of reports: processor, count, memory, kernel.
std::string MachineDescription();

}  // namespace varve::bench

#endif  // VARVE_BENCH_MEASURE_H_
