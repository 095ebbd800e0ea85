// Runs a kernel's grid block after block, each CUDA thread as a fiber of the calling thread.
//
// Deterministic. A warp runs as far as it can, to a barrier of the block or its end, before the next warp runs, so that
// a missing `__syncthreads` shows as one warp that reads what another has not written. A thread that meets no barrier
// costs a function call: fibers are taken only by threads that wait.
#pragma once
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "abi.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#define XDNN_UCONTEXT 1
#endif
#ifdef XDNN_UCONTEXT
#include <ucontext.h>
#endif

namespace xdnn {

// The driver's error codes for kernels that went wrong.
constexpr int ILLEGAL_ADDRESS = 700, MISALIGNED_ADDRESS = 716, LAUNCH_FAILED = 719;

constexpr unsigned MAX_THREADS = 1024, WARP = 32, MAX_SHARED = 227 << 10, SHARED_ROOM = 228 << 10;

#ifdef XDNN_UCONTEXT
using Context = ucontext_t;
inline void prepare(Context& context, char* stack, size_t bytes, void (*entry)()) {
  getcontext(&context);
  context.uc_stack.ss_sp = stack;
  context.uc_stack.ss_size = bytes;
  context.uc_link = nullptr;
  makecontext(&context, entry, 0);
}
inline void exchange(Context& from, Context& to) { swapcontext(&from, &to); }
#else
using Context = void*;  // the stack pointer; the callee-saved registers lie on the stack
extern "C" void xdnn_exchange(void** from, void* to);
#if defined(__x86_64__)
asm(R"(
.text
.local xdnn_exchange
.type xdnn_exchange,@function
xdnn_exchange:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size xdnn_exchange,.-xdnn_exchange
)");
constexpr size_t RETURN = 6, FRAME = 7, RESERVED = 9;  // the entry finds its stack as after a call
#else
asm(R"(
.text
.local xdnn_exchange
.type xdnn_exchange,%function
xdnn_exchange:
  stp x19, x20, [sp, #-160]!
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  ldp x19, x20, [sp], #160
  ret
.size xdnn_exchange,.-xdnn_exchange
)");
constexpr size_t RETURN = 11, FRAME = 20, RESERVED = 0;
#endif
inline void prepare(Context& context, char* stack, size_t bytes, void (*entry)()) {
  void** top = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(stack + bytes) & ~uintptr_t(63));
  top -= RESERVED + FRAME;
  memset(top, 0, FRAME * sizeof(void*));
  top[RETURN] = reinterpret_cast<void*>(entry);
  context = top;
}
inline void exchange(Context& from, Context& to) { xdnn_exchange(&from, to); }
#endif

struct Fiber {
  Context context;
  char* stack;
  size_t bytes;
};

struct PendingCopy {
  void* shared;
  const void* global;
  unsigned bytes;
  bool valid;
};

struct Thread {
  Fiber* fiber;
  // What the thread waits for.
  unsigned mask;
  WarpOperation operation;
  void* mine;
  int line;
  // Asynchronous copies in order of issue; `groups` are the ends of the committed ones.
  std::vector<PendingCopy> copies;
  std::vector<size_t> groups;
};

// Lanes by what they do. `fresh` and `ready` are indexed by the lane's place in the order, the others by lane.
struct WarpState {
  unsigned fresh, ready, at_warp, at_block, exited;
};

struct Range {
  char* start;
  size_t bytes;
};

// Memory that ends at an inaccessible page and has one before it.
inline char* map_guarded(size_t bytes) {
  const size_t page = sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
  char* map = static_cast<char*>(mmap(nullptr, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (map == MAP_FAILED || mprotect(map + page, body, PROT_READ | PROT_WRITE)) {
    fprintf(stderr, "xdnn-cuda-mock: no memory for %zu bytes\n", bytes);
    abort();
  }
  return map + page + body - bytes;
}

class Machine {
 public:
  struct Request {
    Launch* seen;
    const Kernel* kernel;
    void** arguments;
    Index grid, block;
    unsigned dynamic_bytes;
    const std::vector<Range>* shared;  // static shared memory of the kernel
    int order;                         // 0 forward, 1 reverse, else shuffled by this seed
  };

  // 0, or the driver's error, which `message` explains.
  int run(const Request& request);
  const std::string& message() const { return message_; }
  // Whether the error came from an access to memory, and to which address.
  bool faulted() const { return faulted_; }
  uintptr_t fault_address() const { return fault_address_; }

 private:
  static constexpr size_t STACK = 128 << 10;

  static unsigned block_barrier(int predicate, int line);
  static void warp(unsigned mask, WarpOperation operation, void* mine, int line);
  static void copy_async(void* shared, const void* global, unsigned bytes, bool valid, int line);
  static void copy_async_commit();
  static void copy_async_wait(unsigned groups_in_flight);
  static unsigned active();
  static void trap(const char* message, int line);
  static void fiber_main();
  static void on_signal(int signal, siginfo_t* info, void* context);

  void order_all();
  bool next_block();
  int pick();
  void select(unsigned thread);
  void resume(unsigned thread);
  void suspend();
  bool complete(unsigned warp, unsigned mask, int line);
  void after_exit(unsigned warp);
  void release_block();
  Fiber* take_fiber();
  bool is_shared(const void* address, unsigned bytes) const;
  [[noreturn]] void stuck();
  [[noreturn]] void fail(int error, const char* format, ...) __attribute__((format(printf, 3, 4)));

  Request request_{};
  unsigned threads_ = 0, warps_ = 0;
  Index dims_{};
  int ordered_ = -1;
  unsigned ordered_warps_ = 0;
  Index index_[MAX_THREADS];
  Thread thread_[MAX_THREADS];
  WarpState warp_[WARP];
  unsigned char lane_at_[WARP], place_of_[WARP], warp_at_[WARP];
  unsigned turn_ = 0, current_ = 0, live_ = 0, at_block_ = 0, predicates_ = 0, counted_ = 0;
  uint64_t done_blocks_ = 0, blocks_ = 0;
  bool copied_ = false;  // some thread of the launch has copied asynchronously
  Index block_{};
  char* dynamic_ = nullptr;
  Context host_;
  Fiber* running_ = nullptr;
  std::vector<Fiber*> fibers_, idle_;
  sigjmp_buf escape_;
  int error_ = 0;
  std::string message_;
  bool faulted_ = false;
  uintptr_t fault_address_ = 0;
};

inline Machine the_machine;
inline Machine& machine() { return the_machine; }

// The host thread in which a kernel runs right now.
// Without a lazily allocated block: it is read in a handler of signals.
__attribute__((tls_model("initial-exec"))) inline thread_local volatile bool in_kernel = false;

inline struct sigaction previous_actions[32];

inline void Machine::on_signal(int signal, siginfo_t* info, void* context) {
  Machine& m = machine();
  if (in_kernel) {
    m.faulted_ = true;
    m.fault_address_ = reinterpret_cast<uintptr_t>(info->si_addr);
    // A general protection fault has no address: a misaligned vector access, or an address that cannot exist.
    bool general = info->si_code == SI_KERNEL;
    m.error_ = signal == SIGFPE || signal == SIGILL ? LAUNCH_FAILED : general || signal == SIGBUS ? MISALIGNED_ADDRESS : ILLEGAL_ADDRESS;
    siglongjmp(m.escape_, signal);
  }
  const struct sigaction& previous = previous_actions[signal];
  if ((previous.sa_flags & SA_SIGINFO) && previous.sa_sigaction) return previous.sa_sigaction(signal, info, context);
  sigaction(signal, &previous, nullptr);  // the fault comes again and meets the former action
}

inline void install_signals(void (*handler)(int, siginfo_t*, void*)) {
  static const bool once = [&] {
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
      struct sigaction action{};
      action.sa_sigaction = handler;
      action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
      sigaction(signal, &action, &previous_actions[signal]);
    }
    return true;
  }();
  (void)once;
  // A fault on a fiber's guard page needs another stack to be handled on.
  static thread_local const bool stack = [] {
    stack_t present{};
    if (!sigaltstack(nullptr, &present) && (present.ss_flags & SS_DISABLE)) {
      stack_t own{};
      own.ss_size = 64 << 10;
      own.ss_sp = malloc(own.ss_size);
      sigaltstack(&own, nullptr);
    }
    return true;
  }();
  (void)stack;
}

inline void Machine::order_all() {
  uint64_t random = 0x9E3779B97F4A7C15ull * (request_.order + 1);
  auto order = [&](unsigned char* places, unsigned n) {
    for (unsigned i = 0; i < n; i++) places[i] = request_.order == 1 ? n - 1 - i : i;
    for (unsigned i = n; request_.order > 1 && i > 1; i--) {
      random ^= random << 13, random ^= random >> 7, random ^= random << 17;
      std::swap(places[i - 1], places[random % i]);
    }
  };
  order(warp_at_, warps_);
  order(lane_at_, WARP);
  for (unsigned place = 0; place < WARP; place++) place_of_[lane_at_[place]] = place;
}

inline Fiber* Machine::take_fiber() {
  if (!idle_.empty()) {
    Fiber* fiber = idle_.back();
    idle_.pop_back();
    return fiber;
  }
  Fiber* fiber = new Fiber;
  fiber->stack = map_guarded(STACK);
  // Tops at different places of a page, for they would share a few sets of the cache.
  fiber->bytes = STACK - fibers_.size() * 320 % 4096;
  prepare(fiber->context, fiber->stack, fiber->bytes, fiber_main);
  fibers_.push_back(fiber);
  return fiber;
}

inline int Machine::run(const Request& request) {
  static const Scheduler scheduler = {block_barrier, warp, copy_async, copy_async_commit, copy_async_wait, active, trap};
  request_ = request;
  request_.seen->scheduler = &scheduler;
  request_.seen->grid_dim = request.grid;
  request_.seen->block_dim = request.block;
  threads_ = request.block.x * request.block.y * request.block.z;
  warps_ = (threads_ + WARP - 1) / WARP;
  if (memcmp(&dims_, &request.block, sizeof dims_)) {
    dims_ = request.block;
    for (unsigned i = 0; i < threads_; i++) index_[i] = {i % dims_.x, i / dims_.x % dims_.y, i / (dims_.x * dims_.y)};
  }
  if (ordered_ != request.order || ordered_warps_ != warps_) {
    order_all();
    ordered_ = request.order;
    ordered_warps_ = warps_;
  }
  if (!dynamic_) dynamic_ = map_guarded(SHARED_ROOM);
  // Flush against the guard page as far as the alignment allows, so that an overrun faults.
  const unsigned align = request.dynamic_bytes % 1024 == 0 ? 1024 : 128;
  request_.seen->dynamic_shared = dynamic_ + (SHARED_ROOM - request.dynamic_bytes) / align * align;
  done_blocks_ = 0;
  blocks_ = uint64_t(request.grid.x) * request.grid.y * request.grid.z;
  error_ = 0;
  faulted_ = false;
  message_.clear();
  install_signals(on_signal);
  if (int signal = sigsetjmp(escape_, 0)) {
    in_kernel = false;
    if (signal != SIGUSR2) {  // `fail` has its own message
      char text[200];
      const char* what = signal == SIGFPE                      ? "division by zero"
                         : signal == SIGILL                    ? "illegal instruction"
                         : error_ == MISALIGNED_ADDRESS        ? "misaligned or impossible address"
                                                               : "illegal address";
      const Index t = request_.seen->thread, b = request_.seen->block;
      snprintf(text, sizeof text, "%s in thread (%u, %u, %u) of block (%u, %u, %u)", what, t.x, t.y, t.z, b.x, b.y, b.z);
      message_ = text;
    }
    // The fibers were left where they stood: they begin anew.
    for (Fiber* fiber : fibers_) prepare(fiber->context, fiber->stack, fiber->bytes, fiber_main);
    idle_ = fibers_;
    return error_;
  }
  next_block();
  running_ = take_fiber();
  select(pick());
  in_kernel = true;
  exchange(host_, running_->context);
  in_kernel = false;
  return 0;
}

// Sets the next block up; false after the last.
inline bool Machine::next_block() {
  if (done_blocks_ && request_.dynamic_bytes % 128) {
    const char* end = request_.seen->dynamic_shared + request_.dynamic_bytes;
    for (unsigned i = 0; i < 128 - request_.dynamic_bytes % 128; i++)
      if (end[i] != char(0xff)) fail(ILLEGAL_ADDRESS, "dynamic shared memory was written %u bytes behind its end of %u bytes", i, request_.dynamic_bytes);
  }
  if (done_blocks_ == blocks_) return false;
  uint64_t b = request_.order == 1 ? blocks_ - 1 - done_blocks_ : done_blocks_;
  done_blocks_++;
  const Index grid = request_.grid;
  if (grid.y == 1 && grid.z == 1)
    block_ = {unsigned(b), 0, 0};
  else
    block_ = {unsigned(b % grid.x), unsigned(b / grid.x % grid.y), unsigned(b / grid.x / grid.y)};
  request_.seen->block = block_;
  static std::atomic<uint64_t> number{0};
  request_.seen->number = ++number;
  for (const Range& range : *request_.shared) memset(range.start, 0xff, range.bytes);
  if (request_.dynamic_bytes) memset(request_.seen->dynamic_shared, 0xff, (request_.dynamic_bytes + 127) / 128 * 128);
  for (unsigned w = 0; w < warps_; w++) {
    unsigned lanes = threads_ - w * WARP < WARP ? (1u << (threads_ - w * WARP)) - 1 : ~0u, fresh = lanes;
    if (lanes != ~0u) {
      fresh = 0;
      for (unsigned lane = 0; lane < threads_ - w * WARP; lane++) fresh |= 1u << place_of_[lane];
    }
    warp_[w] = {fresh, 0, 0, 0, ~lanes};
  }
  live_ = threads_;
  at_block_ = predicates_ = 0;
  turn_ = 0;
  return true;
}

// The next thread that can run, or -1.
inline int Machine::pick() {
  for (; turn_ < warps_; turn_++) {
    const unsigned w = warp_at_[turn_], can = warp_[w].fresh | warp_[w].ready;
    if (can) return w * WARP + lane_at_[__builtin_ctz(can)];
  }
  return -1;
}

inline void Machine::select(unsigned thread) {
  current_ = thread;
  request_.seen->thread = index_[thread];
  request_.seen->lane = thread % WARP;
}

// Changes from the running fiber, which has been put where it will be found again, to the thread.
inline void Machine::resume(unsigned thread) {
  select(thread);
  WarpState& w = warp_[thread / WARP];
  const unsigned place = 1u << place_of_[thread % WARP];
  Fiber *from = running_, *to;
  if (w.ready & place) {
    w.ready ^= place;
    to = thread_[thread].fiber;
  } else {
    to = take_fiber();
  }
  if (from == to) return;
  running_ = to;
  exchange(from->context, to->context);
}

inline void Machine::suspend() {
  thread_[current_].fiber = running_;
  const int next = pick();
  if (next < 0) stuck();
  resume(next);
}

inline void Machine::fiber_main() {
  Machine& m = machine();
  for (;;) {
    // The current thread is fresh; after it, on the same fiber, those of its warp that are.
    const unsigned warp = m.current_ / WARP;
    WarpState& w = m.warp_[warp];
    w.fresh ^= 1u << m.place_of_[m.current_ % WARP];
    for (;;) {
      const unsigned lane = m.current_ % WARP;
      if (m.copied_) m.thread_[m.current_].copies.clear(), m.thread_[m.current_].groups.clear();
      m.request_.kernel->call(m.request_.arguments);
      w.exited |= 1u << lane;
      m.live_--;
      if (w.at_warp) m.after_exit(warp);
      if (w.ready || !w.fresh) break;
      m.select(warp * WARP + m.lane_at_[__builtin_ctz(w.fresh)]);
      w.fresh &= w.fresh - 1;
    }
    int next = m.pick();
    if (next < 0) {
      if (m.live_) m.stuck();
      if (!m.next_block()) {
        m.idle_.push_back(m.running_);
        exchange(m.running_->context, m.host_);
        continue;
      }
      next = m.pick();
    }
    if (m.warp_[next / WARP].fresh >> m.place_of_[next % WARP] & 1) {
      m.select(next);
    } else {
      m.idle_.push_back(m.running_);
      m.resume(next);
    }
  }
}

inline unsigned Machine::block_barrier(int predicate, int line) {
  Machine& m = machine();
  const unsigned i = m.current_;
  if (m.live_ != m.threads_) m.fail(LAUNCH_FAILED, "divergent barrier: `__syncthreads` in line %d after %u threads of the block have exited", line, m.threads_ - m.live_);
  m.thread_[i].line = line;
  m.warp_[i / WARP].at_block |= 1u << (i % WARP);
  m.predicates_ += predicate != 0;
  if (++m.at_block_ == m.threads_) m.release_block();
  m.suspend();
  return m.counted_;
}

inline void Machine::release_block() {
  for (unsigned i = 1; i < threads_; i++)
    if (thread_[i].line != thread_[0].line)
      fail(LAUNCH_FAILED, "divergent barrier: thread 0 waits in line %d and thread %u in line %d", thread_[0].line, i, thread_[i].line);
  for (unsigned w = 0; w < warps_; w++) {
    unsigned lanes = warp_[w].at_block, places = lanes;
    if (lanes != ~0u) {
      places = 0;
      for (; lanes; lanes &= lanes - 1) places |= 1u << place_of_[__builtin_ctz(lanes)];
    }
    warp_[w].ready = places;
    warp_[w].at_block = 0;
  }
  counted_ = predicates_;
  at_block_ = predicates_ = 0;
  turn_ = 0;
}

// Lets the lanes of `mask` go when all of them that have not exited are there.
inline bool Machine::complete(unsigned warp, unsigned mask, int line) {
  WarpState& w = warp_[warp];
  const unsigned wanted = mask & ~w.exited;
  if ((w.at_warp & wanted) != wanted) return false;
  void* lanes[WARP] = {};
  const Thread* threads = thread_ + warp * WARP;
  const WarpOperation operation = threads[__builtin_ctz(wanted)].operation;
  for (unsigned left = wanted; left; left &= left - 1) {
    const unsigned lane = __builtin_ctz(left);
    if (threads[lane].mask != mask) return false;
    if (threads[lane].operation != operation)
      fail(LAUNCH_FAILED, "divergent warp: lanes %d and %u of one mask meet in different operations, in lines %d and %d", __builtin_ctz(wanted), lane, line, threads[lane].line);
    lanes[lane] = threads[lane].mine;
  }
  if (operation) operation(lanes, wanted);
  w.at_warp &= ~wanted;
  for (unsigned left = wanted; left; left &= left - 1) w.ready |= 1u << place_of_[__builtin_ctz(left)];
  return true;
}

// A lane that exits may be the one for which others waited.
inline void Machine::after_exit(unsigned warp) {
  for (unsigned left = warp_[warp].at_warp; left;) {
    const Thread& thread = thread_[warp * WARP + __builtin_ctz(left)];
    if (complete(warp, thread.mask, thread.line)) left &= warp_[warp].at_warp;
    left &= left - 1;
  }
}

inline void Machine::warp(unsigned mask, WarpOperation operation, void* mine, int line) {
  Machine& m = machine();
  const unsigned i = m.current_, w = i / WARP, lane = 1u << (i % WARP);
  if (!(mask & lane)) m.fail(LAUNCH_FAILED, "line %d: the mask 0x%08x of a warp operation lacks the calling lane %u", line, mask, i % WARP);
  Thread& thread = m.thread_[i];
  thread.mask = mask;
  thread.operation = operation;
  thread.mine = mine;
  thread.line = line;
  m.warp_[w].at_warp |= lane;
  if (m.complete(w, mask, line) && m.ordered_ == 0) {
    // The last to arrive goes on: it saves one change of fibers.
    m.warp_[w].ready &= ~(1u << m.place_of_[i % WARP]);
    return;
  }
  m.suspend();
}

inline bool Machine::is_shared(const void* address, unsigned bytes) const {
  const char* at = static_cast<const char*>(address);
  auto within = [&](const char* start, size_t size) { return at >= start && at + bytes <= start + size; };
  if (within(request_.seen->dynamic_shared, request_.dynamic_bytes)) return true;
  for (const Range& range : *request_.shared)
    if (within(range.start, range.bytes)) return true;
  return false;
}

inline void Machine::copy_async(void* shared, const void* global, unsigned bytes, bool valid, int line) {
  Machine& m = machine();
  if (reinterpret_cast<uintptr_t>(shared) % bytes || reinterpret_cast<uintptr_t>(global) % bytes)
    m.fail(MISALIGNED_ADDRESS, "line %d: an asynchronous copy of %u bytes needs addresses that are multiples of it", line, bytes);
  if (!m.is_shared(shared, bytes)) m.fail(ILLEGAL_ADDRESS, "line %d: the target of an asynchronous copy is not in shared memory", line);
  memset(shared, 0xff, bytes);
  m.copied_ = true;
  m.thread_[m.current_].copies.push_back({shared, global, bytes, valid});
}

inline void Machine::copy_async_commit() {
  Thread& thread = machine().thread_[machine().current_];
  thread.groups.push_back(thread.copies.size());
}

inline void Machine::copy_async_wait(unsigned groups_in_flight) {
  Thread& thread = machine().thread_[machine().current_];
  if (thread.groups.size() <= groups_in_flight) return;
  const size_t groups = thread.groups.size() - groups_in_flight, end = thread.groups[groups - 1];
  for (size_t i = 0; i < end; i++) {
    const PendingCopy& copy = thread.copies[i];
    if (copy.valid)
      memcpy(copy.shared, copy.global, copy.bytes);
    else
      memset(copy.shared, 0, copy.bytes);
  }
  thread.copies.erase(thread.copies.begin(), thread.copies.begin() + end);
  thread.groups.erase(thread.groups.begin(), thread.groups.begin() + groups);
  for (size_t& group : thread.groups) group -= end;
}

inline unsigned Machine::active() {
  Machine& m = machine();
  return ~m.warp_[m.current_ / WARP].exited;
}

inline void Machine::trap(const char* message, int line) { machine().fail(LAUNCH_FAILED, "line %d: %s", line, message); }

inline void Machine::fail(int error, const char* format, ...) {
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  char where[100];
  snprintf(where, sizeof where, " (block (%u, %u, %u))", block_.x, block_.y, block_.z);
  message_ = std::string(text) + where;
  error_ = error;
  siglongjmp(escape_, SIGUSR2);
}

inline void Machine::stuck() {
  unsigned at_warp = 0, warp_thread = 0, block_thread = 0;
  for (unsigned i = 0; i < threads_; i++) {
    const WarpState& w = warp_[i / WARP];
    const unsigned lane = 1u << (i % WARP);
    if (w.at_warp & lane) at_warp++, warp_thread = i;
    if (w.at_block & lane) block_thread = i;
  }
  if (at_warp)
    fail(LAUNCH_FAILED, "deadlock: %u threads wait in a warp operation (thread %u in line %d, mask 0x%08x) for lanes that never come; %u wait at `__syncthreads`, %u have exited",
         at_warp, warp_thread, thread_[warp_thread].line, thread_[warp_thread].mask, at_block_, threads_ - live_);
  fail(LAUNCH_FAILED, "divergent barrier: %u threads wait at `__syncthreads` (thread %u in line %d), %u have exited", at_block_, block_thread,
       thread_[block_thread].line, threads_ - live_);
}

}  // namespace xdnn
