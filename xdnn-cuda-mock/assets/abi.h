// What a kernel built for the host and the driver's stand-in know of each other.
#pragma once

namespace xdnn {

struct Index {
  unsigned x, y, z;
};

// Done once for all lanes of `mask` after the last of them has arrived; `lanes[i]` is what lane `i` brought.
using WarpOperation = void (*)(void* const* lanes, unsigned mask);

// The scheduler, as a kernel sees it. `line` is the line of the kernel's source.
struct Scheduler {
  // Waits for all threads of the block; the number of threads whose `predicate` is not zero.
  unsigned (*block_barrier)(int predicate, int line);
  void (*warp)(unsigned mask, WarpOperation operation, void* mine, int line);
  // Copies to shared memory are done at the wait that covers them; until then the target holds poison.
  void (*copy_async)(void* shared, const void* global, unsigned bytes, bool valid, int line);
  void (*copy_async_commit)();
  void (*copy_async_wait)(unsigned groups_in_flight);
  // Lanes of the own warp that have not exited.
  unsigned (*active)();
  void (*trap)(const char* message, int line);
};

// The launch as the running thread sees it. The scheduler writes it whenever it changes threads.
struct Launch {
  Index thread, block, block_dim, grid_dim;
  unsigned lane;
  char* dynamic_shared;
  unsigned long long number;  // of the block, among those of all launches
  const Scheduler* scheduler;
};

struct Parameter {
  unsigned bytes;
  bool pointer;
};

struct Kernel {
  const void* function;
  void (*call)(void** arguments);
  const Parameter* parameters;
  unsigned parameter_count;
  // The first argument of `__launch_bounds__`; 1024 without.
  unsigned max_threads;
};

struct Module {
  unsigned version;
  Launch* launch;
  const Kernel* kernels;
  unsigned kernel_count;
};

constexpr unsigned MODULE_VERSION = 2;

}  // namespace xdnn
