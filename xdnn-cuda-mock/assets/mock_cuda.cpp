// A stand-in for libcuda: device memory is guarded host memory, a kernel is a shared object that g++ built from its
// very text, and a launch runs it thread by thread.
//
// Work is done when it is submitted, unless `xdnn_mock_defer` is on or the stream is captured. Every function can be
// made to fail.
#include <algorithm>
#include <cstdarg>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "memory.h"
#include "module.h"
#include "scheduler.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using namespace xdnn;

enum Error {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  INVALID_PTX = 218,
  FILE_NOT_FOUND = 301,
  INVALID_HANDLE = 400,
  ILLEGAL_STATE = 401,
  NOT_FOUND = 500,
  NOT_READY = 600,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
  CAPTURE_MERGE = 902,
  CAPTURE_UNMATCHED = 903,
  CAPTURE_UNJOINED = 904,
  CAPTURE_ISOLATION = 905,
  CAPTURE_IMPLICIT = 906,
  CAPTURED_EVENT = 907,
  CAPTURE_WRONG_THREAD = 908,
};

using Work = std::function<int()>;

// Memory that captured allocations stand for; it goes with the last graph that uses it.
struct GraphMemory : std::vector<Address> {
  ~GraphMemory();
};

struct Graph {
  std::vector<Work> nodes;
  std::shared_ptr<GraphMemory> memory = std::make_shared<GraphMemory>();
};

struct Stream;

struct Capture {
  Graph* graph;
  Stream* origin;
  unsigned mode;  // 0 global, 1 of the thread, 2 relaxed
  pthread_t thread;
  uint64_t id;
  bool valid = true;
};

struct Stream {
  bool blocking = true;
  int priority = 0;
  std::shared_ptr<Capture> capture;
  // Captured work in the order of capture, and how much of it another stream has waited for.
  uint64_t captured = 0, joined = 0;
  // Work not yet done, when work is deferred; `done` counts what was taken from it.
  std::deque<Work> queue;
  uint64_t done = 0;
};

struct Event {
  Stream* stream = nullptr;
  std::shared_ptr<Capture> capture;
  uint64_t at = 0;  // what the stream had submitted or captured by then
  bool recorded = false;
  bool timing = true;
  timespec time{};
};

struct Context_ {
  bool primary;
};

// What a driver's function was asked so far, and what it shall answer.
struct Entry {
  uint64_t calls = 0;
  std::map<uint64_t, int> failures;
  int always = 0;

  int call() {
    calls++;
    if (always) return always;
    auto it = failures.find(calls);
    if (it == failures.end()) return SUCCESS;
    const int error = it->second;
    failures.erase(it);
    return error;
  }
};

struct Driver {
  std::recursive_mutex mutex;
  std::map<std::string, Entry> entries;
  std::map<int, int> attributes;
  int devices = 1;
  bool initialised = false, pools = true, deferred = false;
  int order = 0;
  Memory memory;
  std::set<LoadedModule*> modules;
  std::set<Stream*> streams;
  std::set<Event*> events;
  std::set<Graph*> graphs, executables;
  std::set<Context_*> contexts;
  Context_ primary{true};
  unsigned primary_references = 0;
  Stream legacy;
  std::map<pthread_t, Stream> per_thread;
  std::set<std::shared_ptr<Capture>> captures;
  uint64_t next_capture = 1;
  std::map<std::string, uint64_t> launches;
  std::string message;
};

Driver& driver() {
  static Driver* the_driver = new Driver;  // outlives every static of the process
  return *the_driver;
}

thread_local Context_* current = nullptr;

GraphMemory::~GraphMemory() {
  for (Address address : *this) driver().memory.release(address, Memory::DEVICE);
}

void report(const std::string& message) {
  driver().message = message;
  fprintf(stderr, "xdnn-cuda-mock: %s\n", message.c_str());
}

// Names of one function in several versions are one name.
std::string plain(const char* name) {
  std::string plain = name;
  const size_t version = plain.rfind("_v");
  if (version != std::string::npos && version + 2 < plain.size() && plain.find_first_not_of("0123456789", version + 2) == std::string::npos)
    plain.resize(version);
  return plain;
}

int called(Entry& entry) {
  static Entry& any = driver().entries["*"];
  const int of_any = any.call(), own = entry.call();
  return own ? own : of_any;
}

// Opens every function of the driver: one at a time, counted, and failing when that was asked for.
#define ENTER_UNINITIALISED(name)                                    \
  std::lock_guard<std::recursive_mutex> lock(driver().mutex);        \
  static Entry& entry_of_this = driver().entries[plain(#name)];      \
  if (int error = called(entry_of_this)) return error;
#define ENTER(name)          \
  ENTER_UNINITIALISED(name)  \
  if (!driver().initialised) return NOT_INITIALIZED;
#define ENTER_CONTEXT(name) \
  ENTER(name)               \
  if (!current) return INVALID_CONTEXT;
#define STREAM(stream, handle)            \
  Stream* stream = stream_of(handle);     \
  if (!stream) return INVALID_HANDLE;

Stream* stream_of(void* handle) {
  Driver& d = driver();
  if (!handle || handle == reinterpret_cast<void*>(1)) return &d.legacy;
  if (handle == reinterpret_cast<void*>(2)) return &d.per_thread[pthread_self()];
  Stream* stream = static_cast<Stream*>(handle);
  return d.streams.count(stream) ? stream : nullptr;
}

// --- order of work ---

void drop_queues() {
  auto drop = [](Stream& stream) {
    stream.done += stream.queue.size();
    stream.queue.clear();
  };
  for (Stream* stream : driver().streams) drop(*stream);
  for (auto& entry : driver().per_thread) drop(entry.second);
  drop(driver().legacy);
}

// Does what was submitted to the stream before `end`.
int drain(Stream& stream, uint64_t end = ~uint64_t(0)) {
  while (!stream.queue.empty() && stream.done < end) {
    Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    stream.done++;
    if (int error = work()) {
      drop_queues();
      return error;
    }
  }
  return SUCCESS;
}

int drain_all() {
  Driver& d = driver();
  for (Stream* stream : std::set<Stream*>(d.streams))
    if (int error = drain(*stream)) return error;
  for (auto& entry : d.per_thread)
    if (int error = drain(entry.second)) return error;
  return drain(d.legacy);
}

// The legacy stream and the streams that block for it wait for each other.
int drain_before(Stream& stream) {
  Driver& d = driver();
  if (&stream == &d.legacy) {
    for (Stream* other : std::set<Stream*>(d.streams))
      if (other->blocking)
        if (int error = drain(*other)) return error;
    for (auto& entry : d.per_thread)
      if (int error = drain(entry.second)) return error;
    return SUCCESS;
  }
  return stream.blocking ? drain(d.legacy) : SUCCESS;
}

bool blocking_capture() {
  for (const auto& capture : driver().captures)
    if (capture->origin->blocking) return true;
  return false;
}

int invalidate(Capture& capture, int error) {
  capture.valid = false;
  return error;
}

// Work in the order of the stream: captured, done, or put off.
int submit(Stream& stream, Work work) {
  if (stream.capture) {
    if (!stream.capture->valid) return CAPTURE_INVALIDATED;
    stream.captured++;
    stream.capture->graph->nodes.push_back(std::move(work));
    return SUCCESS;
  }
  if (&stream == &driver().legacy && blocking_capture()) {
    for (const auto& capture : driver().captures)
      if (capture->origin->blocking) capture->valid = false;
    return CAPTURE_IMPLICIT;
  }
  if (int error = drain_before(stream)) return error;
  if (driver().deferred) {
    stream.queue.push_back(std::move(work));
    return SUCCESS;
  }
  stream.done++;
  return work();
}

// Calls that wait for the device, or may, are not allowed while a capture that forbids them is under way.
int forbid_in_capture() {
  int error = SUCCESS;
  for (const auto& capture : driver().captures)
    if (capture->mode == 0 || (capture->mode == 1 && pthread_equal(capture->thread, pthread_self())))
      error = invalidate(*capture, CAPTURE_UNSUPPORTED);
  return error;
}

// A synchronous copy or fill: of the legacy stream, done at once.
int at_once(const Work& work) {
  if (int error = forbid_in_capture()) return error;
  if (blocking_capture()) return CAPTURE_IMPLICIT;
  if (int error = drain_before(driver().legacy)) return error;
  if (int error = drain(driver().legacy)) return error;
  return work();
}

// --- copies ---

bool is_device(Address address, size_t bytes) { return bytes == 0 || driver().memory.holds(address, bytes); }

int copy(Address to, Address from, size_t bytes) {
  memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  return SUCCESS;
}

// `to_device` and `from_device` say which side must lie in device memory.
int copy_in_order(Stream& stream, Address to, bool to_device, Address from, bool from_device, size_t bytes) {
  Driver& d = driver();
  if ((to_device && !is_device(to, bytes)) || (from_device && !is_device(from, bytes))) return INVALID_VALUE;
  if (bytes == 0) return SUCCESS;
  const bool pageable_source = !from_device && !d.memory.find(from), pageable_target = !to_device && !d.memory.find(to);
  if (d.deferred && !stream.capture) {
    // Pageable memory is read before the call returns, and written as well.
    if (pageable_source) {
      auto staged = std::make_shared<std::vector<char>>(reinterpret_cast<const char*>(from), reinterpret_cast<const char*>(from) + bytes);
      return submit(stream, [=] { return copy(to, reinterpret_cast<Address>(staged->data()), staged->size()); });
    }
    if (pageable_target) {
      if (int error = submit(stream, [=] { return copy(to, from, bytes); })) return error;
      return drain(stream);
    }
  }
  return submit(stream, [=] {
    if ((to_device && !is_device(to, bytes)) || (from_device && !is_device(from, bytes))) {
      report("a copy touches freed memory: " + driver().memory.describe(to_device && !is_device(to, bytes) ? to : from));
      return int(ILLEGAL_ADDRESS);
    }
    return copy(to, from, bytes);
  });
}

int copy_at_once(Address to, bool to_device, Address from, bool from_device, size_t bytes) {
  if ((to_device && !is_device(to, bytes)) || (from_device && !is_device(from, bytes))) return INVALID_VALUE;
  return at_once([=] { return copy(to, from, bytes); });
}

template <class T>
int fill(Address at, T value, size_t n) {
  T* p = reinterpret_cast<T*>(at);
  std::fill(p, p + n, value);
  return SUCCESS;
}

template <class T>
int fill_in_order(Stream& stream, Address at, T value, size_t n) {
  if (at % sizeof(T) || !is_device(at, n * sizeof(T))) return INVALID_VALUE;
  if (n == 0) return SUCCESS;
  return submit(stream, [=] {
    if (!is_device(at, n * sizeof(T))) {
      report("a fill touches freed memory: " + driver().memory.describe(at));
      return int(ILLEGAL_ADDRESS);
    }
    return fill(at, value, n);
  });
}

template <class T>
int fill_at_once(Address at, T value, size_t n) {
  if (at % sizeof(T) || !is_device(at, n * sizeof(T))) return INVALID_VALUE;
  return at_once([=] { return fill(at, value, n); });
}

// --- launches ---

Function* function_of(void* handle) {
  for (LoadedModule* module : driver().modules)
    for (auto& entry : module->functions)
      if (entry.second.get() == handle) return entry.second.get();
  return nullptr;
}

struct Geometry {
  Index grid, block;
  unsigned dynamic_bytes;
};

int check(const Function& f, const Geometry& g) {
  const uint64_t threads = uint64_t(g.block.x) * g.block.y * g.block.z;
  auto refuse = [&](const char* what) {
    char text[300];
    snprintf(text, sizeof text, "launch of `%s` with grid (%u, %u, %u), block (%u, %u, %u), %u bytes of dynamic shared memory: %s", f.name.c_str(),
             g.grid.x, g.grid.y, g.grid.z, g.block.x, g.block.y, g.block.z, g.dynamic_bytes, what);
    report(text);
    return int(INVALID_VALUE);
  };
  if (!g.grid.x || !g.grid.y || !g.grid.z || !threads) return refuse("a dimension is zero");
  if (g.grid.x > 0x7fffffff || g.grid.y > 65535 || g.grid.z > 65535) return refuse("the grid is beyond (2147483647, 65535, 65535)");
  if (g.block.x > 1024 || g.block.y > 1024 || g.block.z > 64 || threads > MAX_THREADS) return refuse("the block is beyond (1024, 1024, 64) or 1024 threads");
  if (threads > f.kernel->max_threads) return refuse("the block is beyond the kernel's launch bounds");
  if (g.dynamic_bytes > f.max_dynamic) return refuse("more dynamic shared memory than cuFuncSetAttribute allowed");
  if (g.dynamic_bytes + f.static_shared > MAX_SHARED) return refuse("more than 227 KiB of shared memory");
  return SUCCESS;
}

int run(const Function& f, const Geometry& g, void** arguments) {
  Driver& d = driver();
  d.launches[f.name]++;
  std::vector<const Memory::Allocation*> touched;
  for (unsigned i = 0; i < f.kernel->parameter_count; i++) {
    if (!f.kernel->parameters[i].pointer) continue;
    const Address address = *static_cast<const Address*>(arguments[i]);
    if (!address) continue;
    const Memory::Allocation* allocation = d.memory.find(address);
    if (!allocation) {
      report("kernel `" + f.name + "`: argument " + std::to_string(i) + " points to no device memory: " + d.memory.describe(address));
      return ILLEGAL_ADDRESS;
    }
    touched.push_back(allocation);
  }
  Machine::Request request{f.module->table->launch, f.kernel, arguments, g.grid, g.block, g.dynamic_bytes, &f.shared, d.order};
  if (int error = machine().run(request)) {
    std::string message = "kernel `" + f.name + "`: " + machine().message();
    if (error == ILLEGAL_ADDRESS && machine().faulted()) message += ": " + d.memory.describe(machine().fault_address());
    report(message);
    return error;
  }
  for (const Memory::Allocation* allocation : touched) {
    const std::string overrun = driver().memory.overrun(*allocation);
    if (overrun.empty()) continue;
    report("kernel `" + f.name + "`: " + overrun);
    return ILLEGAL_ADDRESS;
  }
  return SUCCESS;
}

// Arguments as they were at the call, aligned as the kernel may expect them.
struct Arguments {
  std::vector<char> values;
  std::vector<void*> pointers;

  Arguments(const Kernel& kernel, void** arguments) {
    size_t bytes = 0;
    for (unsigned i = 0; i < kernel.parameter_count; i++) bytes += (kernel.parameters[i].bytes + 15) / 16 * 16;
    values.resize(bytes + 16);
    char* at = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(values.data()) + 15) / 16 * 16);
    for (unsigned i = 0; i < kernel.parameter_count; i++) {
      memcpy(at, arguments[i], kernel.parameters[i].bytes);
      pointers.push_back(at);
      at += (kernel.parameters[i].bytes + 15) / 16 * 16;
    }
  }
  Arguments(const Arguments&) = delete;
};

int launch(void* handle, const Geometry& g, void* stream_handle, void** arguments) {
  STREAM(stream, stream_handle)
  Function* f = function_of(handle);
  if (!f) return INVALID_HANDLE;
  if (f->kernel->parameter_count && !arguments) return INVALID_VALUE;
  if (int error = check(*f, g)) return error;
  auto held = std::make_shared<Arguments>(*f->kernel, arguments);
  return submit(*stream, [=] { return run(*f, g, held->pointers.data()); });
}

int overruns() {
  const std::string overrun = driver().memory.overrun();
  if (overrun.empty()) return SUCCESS;
  report(overrun);
  return ILLEGAL_ADDRESS;
}

}  // namespace

// --- device ---

EXPORT int cuInit(unsigned) {
  ENTER_UNINITIALISED(cuInit)
  if (!driver().devices) return NO_DEVICE;
  driver().initialised = true;
  return SUCCESS;
}

EXPORT int cuDriverGetVersion(int* version) {
  ENTER_UNINITIALISED(cuDriverGetVersion)
  *version = 13000;
  return SUCCESS;
}

EXPORT int cuDeviceGetCount(int* count) {
  ENTER(cuDeviceGetCount)
  *count = driver().devices;
  return SUCCESS;
}

EXPORT int cuDeviceGet(int* device, int ordinal) {
  ENTER(cuDeviceGet)
  if (ordinal < 0 || ordinal >= driver().devices) return INVALID_DEVICE;
  *device = ordinal;
  return SUCCESS;
}

#define DEVICE(device) \
  if (device < 0 || device >= driver().devices) return INVALID_DEVICE;

EXPORT int cuDeviceGetName(char* name, int length, int device) {
  ENTER(cuDeviceGetName)
  DEVICE(device)
  snprintf(name, length, "xdnn mock GPU");
  return SUCCESS;
}

EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  ENTER(cuDeviceTotalMem_v2)
  DEVICE(device)
  *bytes = driver().memory.capacity;
  return SUCCESS;
}

static int uuid(char* bytes, int device) {
  DEVICE(device)
  memcpy(bytes, "xdnn-mock-gpu-00", 16);
  bytes[15] += device;
  return SUCCESS;
}
EXPORT int cuDeviceGetUuid(char* bytes, int device) {
  ENTER(cuDeviceGetUuid)
  return uuid(bytes, device);
}
EXPORT int cuDeviceGetUuid_v2(char* bytes, int device) {
  ENTER(cuDeviceGetUuid_v2)
  return uuid(bytes, device);
}

EXPORT int cuDeviceGetAttribute(int* value, int attribute, int device) {
  ENTER(cuDeviceGetAttribute)
  DEVICE(device)
  // As an H100 answers; the numbers are those of CUdevice_attribute.
  static const std::map<int, int> h100 = {
      {1, 1024},      {2, 1024},       {3, 1024},     {4, 64},        {5, 0x7fffffff}, {6, 65535},      {7, 65535},
      {8, 48 << 10},  {9, 64 << 10},   {10, 32},      {11, 0x7fffffff}, {12, 65536},   {13, 1980000},   {14, 512},
      {15, 1},        {16, 132},       {19, 1},       {31, 1},        {32, 1},         {36, 2619000},   {37, 5120},
      {38, 50 << 20}, {39, 2048},      {40, 3},       {41, 1},        {75, 9},         {76, 0},         {78, 1},
      {79, 1},        {80, 1},         {81, 228 << 10}, {82, 65536},  {83, 1},         {89, 1},         {97, 227 << 10},
      {106, 32},      {108, 128 << 20}, {109, 32 << 20}, {111, 1 << 10},
  };
  auto set = driver().attributes.find(attribute);
  auto usual = h100.find(attribute);
  if (set != driver().attributes.end())
    *value = set->second;
  else if (attribute == 115)
    *value = driver().pools;
  else
    *value = usual == h100.end() ? 0 : usual->second;
  return SUCCESS;
}

// --- contexts ---

EXPORT int cuDevicePrimaryCtxRetain(void** context, int device) {
  ENTER(cuDevicePrimaryCtxRetain)
  DEVICE(device)
  driver().primary_references++;
  *context = &driver().primary;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER(cuDevicePrimaryCtxRelease_v2)
  DEVICE(device)
  if (!driver().primary_references) return INVALID_CONTEXT;
  driver().primary_references--;
  return SUCCESS;
}

static int create_context(void** context, int device) {
  DEVICE(device)
  Context_* created = new Context_{false};
  driver().contexts.insert(created);
  current = created;
  *context = created;
  return SUCCESS;
}
EXPORT int cuCtxCreate_v3(void** context, void*, int, unsigned, int device) {
  ENTER(cuCtxCreate_v3)
  return create_context(context, device);
}
EXPORT int cuCtxCreate_v4(void** context, void*, unsigned, int device) {
  ENTER(cuCtxCreate_v4)
  return create_context(context, device);
}

EXPORT int cuCtxDestroy_v2(void* context) {
  ENTER(cuCtxDestroy_v2)
  Context_* c = static_cast<Context_*>(context);
  if (!driver().contexts.erase(c)) return INVALID_CONTEXT;
  if (current == c) current = nullptr;
  delete c;
  return SUCCESS;
}

EXPORT int cuCtxSetCurrent(void* context) {
  ENTER(cuCtxSetCurrent)
  Context_* c = static_cast<Context_*>(context);
  if (c && c != &driver().primary && !driver().contexts.count(c)) return INVALID_CONTEXT;
  if (c == &driver().primary && !driver().primary_references) return INVALID_CONTEXT;
  current = c;
  return SUCCESS;
}

EXPORT int cuCtxGetCurrent(void** context) {
  ENTER(cuCtxGetCurrent)
  *context = current;
  return SUCCESS;
}

EXPORT int cuCtxGetDevice(int* device) {
  ENTER_CONTEXT(cuCtxGetDevice)
  *device = 0;
  return SUCCESS;
}

EXPORT int cuCtxSynchronize() {
  ENTER_CONTEXT(cuCtxSynchronize)
  if (!driver().captures.empty()) {
    for (const auto& capture : driver().captures) capture->valid = false;
    return CAPTURE_UNSUPPORTED;
  }
  if (int error = drain_all()) return error;
  return overruns();
}

EXPORT int cuCtxSetFlags(unsigned) {
  ENTER_CONTEXT(cuCtxSetFlags)
  return SUCCESS;
}
EXPORT int cuCtxGetLimit(size_t* value, int limit) {
  ENTER_CONTEXT(cuCtxGetLimit)
  *value = limit == 0 ? 1024 : limit == 1 ? 1 << 20 : 8 << 20;
  return SUCCESS;
}
EXPORT int cuCtxSetLimit(int, size_t) {
  ENTER_CONTEXT(cuCtxSetLimit)
  return SUCCESS;
}
EXPORT int cuCtxGetCacheConfig(int* config) {
  ENTER_CONTEXT(cuCtxGetCacheConfig)
  *config = 0;
  return SUCCESS;
}
EXPORT int cuCtxSetCacheConfig(int) {
  ENTER_CONTEXT(cuCtxSetCacheConfig)
  return SUCCESS;
}
EXPORT int cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  ENTER_CONTEXT(cuCtxGetStreamPriorityRange)
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return SUCCESS;
}
EXPORT int cuProfilerStart() {
  ENTER_CONTEXT(cuProfilerStart)
  return SUCCESS;
}
EXPORT int cuProfilerStop() {
  ENTER_CONTEXT(cuProfilerStop)
  return SUCCESS;
}

// --- memory ---

static int allocate(Address* address, size_t bytes, Memory::Kind kind) {
  *address = driver().memory.allocate(bytes, kind);
  return *address ? SUCCESS : OUT_OF_MEMORY;
}

static int release(Address address, Memory::Kind kind) {
  Driver& d = driver();
  const Memory::Allocation* allocation = d.memory.find(address);
  const std::string overrun = allocation && allocation->base == address ? driver().memory.overrun(*allocation) : std::string();
  if (!d.memory.release(address, kind)) {
    report("not the start of a live allocation: " + d.memory.describe(address));
    return INVALID_VALUE;
  }
  if (overrun.empty()) return SUCCESS;
  report(overrun);
  return ILLEGAL_ADDRESS;
}

EXPORT int cuMemAlloc_v2(Address* address, size_t bytes) {
  ENTER_CONTEXT(cuMemAlloc_v2)
  if (int error = forbid_in_capture()) return error;
  if (!bytes) return INVALID_VALUE;
  return allocate(address, bytes, Memory::DEVICE);
}

EXPORT int cuMemAllocManaged(Address* address, size_t bytes, unsigned) {
  ENTER_CONTEXT(cuMemAllocManaged)
  if (int error = forbid_in_capture()) return error;
  if (!bytes) return INVALID_VALUE;
  return allocate(address, bytes, Memory::DEVICE);
}

EXPORT int cuMemFree_v2(Address address) {
  ENTER_CONTEXT(cuMemFree_v2)
  if (int error = forbid_in_capture()) return error;
  if (int error = drain_all()) return error;
  return address ? release(address, Memory::DEVICE) : SUCCESS;
}

static int allocate_in_order(Address* address, size_t bytes, void* handle) {
  STREAM(stream, handle)
  if (!driver().pools) return NOT_SUPPORTED;
  *address = 0;
  if (!bytes) return SUCCESS;
  if (int error = allocate(address, bytes, Memory::DEVICE)) return error;
  if (!stream->capture) return SUCCESS;
  // Memory of a graph's node lives as long as the graph; its content does not outlast a launch.
  const Address at = *address;
  stream->capture->graph->memory->push_back(at);
  return submit(*stream, [=] { return fill(at, char(0xff), bytes); });
}
EXPORT int cuMemAllocAsync(Address* address, size_t bytes, void* stream) {
  ENTER_CONTEXT(cuMemAllocAsync)
  return allocate_in_order(address, bytes, stream);
}
EXPORT int cuMemAllocFromPoolAsync(Address* address, size_t bytes, void*, void* stream) {
  ENTER_CONTEXT(cuMemAllocFromPoolAsync)
  return allocate_in_order(address, bytes, stream);
}

EXPORT int cuMemFreeAsync(Address address, void* handle) {
  ENTER_CONTEXT(cuMemFreeAsync)
  STREAM(stream, handle)
  if (!driver().pools) return NOT_SUPPORTED;
  if (!address) return SUCCESS;
  if (!driver().memory.find(address)) return release(address, Memory::DEVICE);
  if (stream->capture) return submit(*stream, [] { return int(SUCCESS); });
  return submit(*stream, [=] { return release(address, Memory::DEVICE); });
}

EXPORT int cuMemHostAlloc(void** pointer, size_t bytes, unsigned) {
  ENTER_CONTEXT(cuMemHostAlloc)
  if (int error = forbid_in_capture()) return error;
  if (!bytes) return INVALID_VALUE;
  Address address;
  if (int error = allocate(&address, bytes, Memory::PINNED)) return error;
  *pointer = reinterpret_cast<void*>(address);
  return SUCCESS;
}
EXPORT int cuMemAllocHost_v2(void** pointer, size_t bytes) { return cuMemHostAlloc(pointer, bytes, 0); }

EXPORT int cuMemFreeHost(void* pointer) {
  ENTER_CONTEXT(cuMemFreeHost)
  if (int error = forbid_in_capture()) return error;
  if (int error = drain_all()) return error;
  return pointer ? release(reinterpret_cast<Address>(pointer), Memory::PINNED) : SUCCESS;
}

EXPORT int cuMemHostGetDevicePointer_v2(Address* address, void* pointer, unsigned) {
  ENTER_CONTEXT(cuMemHostGetDevicePointer_v2)
  *address = reinterpret_cast<Address>(pointer);
  return driver().memory.find(*address) ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuMemGetInfo_v2(size_t* free, size_t* total) {
  ENTER_CONTEXT(cuMemGetInfo_v2)
  const Memory& memory = driver().memory;
  *free = memory.capacity > memory.used() ? memory.capacity - memory.used() : 0;
  *total = memory.capacity;
  return SUCCESS;
}

EXPORT int cuMemGetAddressRange_v2(Address* base, size_t* bytes, Address address) {
  ENTER_CONTEXT(cuMemGetAddressRange_v2)
  const Memory::Allocation* allocation = driver().memory.find(address);
  if (!allocation) return NOT_FOUND;
  if (base) *base = allocation->base;
  if (bytes) *bytes = allocation->bytes;
  return SUCCESS;
}

EXPORT int cuMemAdvise_v2(Address, size_t, int, uint64_t) {
  ENTER_CONTEXT(cuMemAdvise_v2)
  return SUCCESS;
}
EXPORT int cuMemPrefetchAsync_v2(Address, size_t, uint64_t, unsigned, void*) {
  ENTER_CONTEXT(cuMemPrefetchAsync_v2)
  return SUCCESS;
}
EXPORT int cuStreamAttachMemAsync(void*, Address, size_t, unsigned) {
  ENTER_CONTEXT(cuStreamAttachMemAsync)
  return SUCCESS;
}

static char the_pool;
static int pool(void** pool) {
  if (!driver().pools) return NOT_SUPPORTED;
  *pool = &the_pool;
  return SUCCESS;
}
EXPORT int cuDeviceGetDefaultMemPool(void** out, int device) {
  ENTER(cuDeviceGetDefaultMemPool)
  DEVICE(device)
  return pool(out);
}
EXPORT int cuDeviceGetMemPool(void** out, int device) {
  ENTER(cuDeviceGetMemPool)
  DEVICE(device)
  return pool(out);
}
EXPORT int cuDeviceSetMemPool(int device, void*) {
  ENTER(cuDeviceSetMemPool)
  DEVICE(device)
  return driver().pools ? SUCCESS : NOT_SUPPORTED;
}
EXPORT int cuMemPoolCreate(void** out, const void*) {
  ENTER_CONTEXT(cuMemPoolCreate)
  return pool(out);
}
EXPORT int cuMemPoolDestroy(void*) {
  ENTER_CONTEXT(cuMemPoolDestroy)
  return SUCCESS;
}
EXPORT int cuMemPoolTrimTo(void*, size_t) {
  ENTER_CONTEXT(cuMemPoolTrimTo)
  return SUCCESS;
}
EXPORT int cuMemPoolGetAttribute(void*, int, void* value) {
  ENTER_CONTEXT(cuMemPoolGetAttribute)
  *static_cast<uint64_t*>(value) = 0;
  return SUCCESS;
}
EXPORT int cuMemPoolSetAttribute(void*, int, void*) {
  ENTER_CONTEXT(cuMemPoolSetAttribute)
  return SUCCESS;
}

// --- copies and fills ---

#define HOST(pointer) reinterpret_cast<Address>(pointer)

EXPORT int cuMemcpyHtoD_v2(Address to, const void* from, size_t bytes) {
  ENTER_CONTEXT(cuMemcpyHtoD_v2)
  return copy_at_once(to, true, HOST(from), false, bytes);
}
EXPORT int cuMemcpyDtoH_v2(void* to, Address from, size_t bytes) {
  ENTER_CONTEXT(cuMemcpyDtoH_v2)
  return copy_at_once(HOST(to), false, from, true, bytes);
}
EXPORT int cuMemcpyDtoD_v2(Address to, Address from, size_t bytes) {
  ENTER_CONTEXT(cuMemcpyDtoD_v2)
  return copy_at_once(to, true, from, true, bytes);
}
EXPORT int cuMemcpy(Address to, Address from, size_t bytes) {
  ENTER_CONTEXT(cuMemcpy)
  return copy_at_once(to, false, from, false, bytes);
}
EXPORT int cuMemcpyPeer(Address to, void*, Address from, void*, size_t bytes) {
  ENTER_CONTEXT(cuMemcpyPeer)
  return copy_at_once(to, true, from, true, bytes);
}
EXPORT int cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, void* handle) {
  ENTER_CONTEXT(cuMemcpyHtoDAsync_v2)
  STREAM(stream, handle)
  return copy_in_order(*stream, to, true, HOST(from), false, bytes);
}
EXPORT int cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, void* handle) {
  ENTER_CONTEXT(cuMemcpyDtoHAsync_v2)
  STREAM(stream, handle)
  return copy_in_order(*stream, HOST(to), false, from, true, bytes);
}
EXPORT int cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void* handle) {
  ENTER_CONTEXT(cuMemcpyDtoDAsync_v2)
  STREAM(stream, handle)
  return copy_in_order(*stream, to, true, from, true, bytes);
}
EXPORT int cuMemcpyAsync(Address to, Address from, size_t bytes, void* handle) {
  ENTER_CONTEXT(cuMemcpyAsync)
  STREAM(stream, handle)
  return copy_in_order(*stream, to, false, from, false, bytes);
}
EXPORT int cuMemcpyPeerAsync(Address to, void*, Address from, void*, size_t bytes, void* handle) {
  ENTER_CONTEXT(cuMemcpyPeerAsync)
  STREAM(stream, handle)
  return copy_in_order(*stream, to, true, from, true, bytes);
}

// CUDA_MEMCPY2D: a host pointer, a device address and an array for each side.
struct Copy2D {
  size_t from_x, from_y;
  unsigned from_type;
  const char* from_host;
  Address from_device;
  void* from_array;
  size_t from_pitch, to_x, to_y;
  unsigned to_type;
  char* to_host;
  Address to_device;
  void* to_array;
  size_t to_pitch, width, height;
};

static int copy_2d(const Copy2D& c, const std::function<int(const Work&)>& how) {
  if (!c.width || !c.height) return SUCCESS;
  if (c.from_type == 3 || c.to_type == 3) return NOT_SUPPORTED;
  const bool from_device = c.from_type != 1, to_device = c.to_type != 1;
  const Address from = (from_device ? c.from_device : HOST(c.from_host)) + c.from_y * c.from_pitch + c.from_x;
  const Address to = (to_device ? c.to_device : HOST(c.to_host)) + c.to_y * c.to_pitch + c.to_x;
  if (c.height > 1 && (c.from_pitch < c.width || c.to_pitch < c.width)) return INVALID_VALUE;
  if (from_device && !is_device(from, (c.height - 1) * c.from_pitch + c.width)) return INVALID_VALUE;
  if (to_device && !is_device(to, (c.height - 1) * c.to_pitch + c.width)) return INVALID_VALUE;
  return how([=] {
    for (size_t row = 0; row < c.height; row++) copy(to + row * c.to_pitch, from + row * c.from_pitch, c.width);
    return int(SUCCESS);
  });
}
EXPORT int cuMemcpy2D_v2(const Copy2D* c) {
  ENTER_CONTEXT(cuMemcpy2D_v2)
  return copy_2d(*c, at_once);
}
EXPORT int cuMemcpy2DUnaligned_v2(const Copy2D* c) {
  ENTER_CONTEXT(cuMemcpy2DUnaligned_v2)
  return copy_2d(*c, at_once);
}
EXPORT int cuMemcpy2DAsync_v2(const Copy2D* c, void* handle) {
  ENTER_CONTEXT(cuMemcpy2DAsync_v2)
  STREAM(stream, handle)
  return copy_2d(*c, [&](const Work& work) { return submit(*stream, work); });
}

#define FILL(name, type)                                                            \
  EXPORT int cuMemset##name##_v2(Address at, type value, size_t n) {                \
    ENTER_CONTEXT(cuMemset##name##_v2)                                              \
    return fill_at_once(at, value, n);                                              \
  }                                                                                 \
  EXPORT int cuMemset##name##Async(Address at, type value, size_t n, void* handle) { \
    ENTER_CONTEXT(cuMemset##name##Async)                                            \
    STREAM(stream, handle)                                                          \
    return fill_in_order(*stream, at, value, n);                                    \
  }
FILL(D8, unsigned char)
FILL(D16, unsigned short)
FILL(D32, unsigned)

// --- streams ---

static int create_stream(void** handle, unsigned flags, int priority) {
  Stream* stream = new Stream;
  stream->blocking = !(flags & 1);
  stream->priority = priority;
  driver().streams.insert(stream);
  *handle = stream;
  return SUCCESS;
}
EXPORT int cuStreamCreate(void** stream, unsigned flags) {
  ENTER_CONTEXT(cuStreamCreate)
  return create_stream(stream, flags, 0);
}
EXPORT int cuStreamCreateWithPriority(void** stream, unsigned flags, int priority) {
  ENTER_CONTEXT(cuStreamCreateWithPriority)
  return create_stream(stream, flags, priority);
}
EXPORT int cuStreamGetPriority(void* handle, int* priority) {
  ENTER_CONTEXT(cuStreamGetPriority)
  STREAM(stream, handle)
  *priority = stream->priority;
  return SUCCESS;
}

EXPORT int cuStreamDestroy_v2(void* handle) {
  ENTER_CONTEXT(cuStreamDestroy_v2)
  Stream* stream = static_cast<Stream*>(handle);
  if (!driver().streams.count(stream)) return INVALID_HANDLE;
  const int error = drain(*stream);
  if (stream->capture && stream->capture->origin == stream) {
    stream->capture->valid = false;
    driver().captures.erase(stream->capture);
    delete stream->capture->graph;
  }
  driver().streams.erase(stream);
  delete stream;
  return error;
}

EXPORT int cuStreamSynchronize(void* handle) {
  ENTER_CONTEXT(cuStreamSynchronize)
  STREAM(stream, handle)
  if (stream->capture) return invalidate(*stream->capture, CAPTURE_UNSUPPORTED);
  if (stream == &driver().legacy && blocking_capture()) return CAPTURE_IMPLICIT;
  if (int error = drain_before(*stream)) return error;
  if (int error = drain(*stream)) return error;
  return overruns();
}

EXPORT int cuStreamQuery(void* handle) {
  ENTER_CONTEXT(cuStreamQuery)
  STREAM(stream, handle)
  if (stream->capture) return invalidate(*stream->capture, CAPTURE_UNSUPPORTED);
  if (stream->queue.empty()) return SUCCESS;
  const int error = drain(*stream);
  return error ? error : NOT_READY;
}

EXPORT int cuLaunchHostFunc(void* handle, void (*function)(void*), void* data) {
  ENTER_CONTEXT(cuLaunchHostFunc)
  STREAM(stream, handle)
  return submit(*stream, [=] {
    function(data);
    return int(SUCCESS);
  });
}

// --- events ---

#define EVENT(event, handle)                     \
  Event* event = static_cast<Event*>(handle);    \
  if (!driver().events.count(event)) return INVALID_HANDLE;

EXPORT int cuEventCreate(void** handle, unsigned flags) {
  ENTER_CONTEXT(cuEventCreate)
  Event* event = new Event;
  event->timing = !(flags & 2);
  driver().events.insert(event);
  *handle = event;
  return SUCCESS;
}

EXPORT int cuEventDestroy_v2(void* handle) {
  ENTER_CONTEXT(cuEventDestroy_v2)
  EVENT(event, handle)
  driver().events.erase(event);
  delete event;
  return SUCCESS;
}

static int record(void* event_handle, void* stream_handle) {
  EVENT(event, event_handle)
  STREAM(stream, stream_handle)
  event->stream = stream;
  event->recorded = true;
  event->capture = stream->capture;
  if (stream->capture) {
    if (!stream->capture->valid) return CAPTURE_INVALIDATED;
    event->at = stream->captured;
    return SUCCESS;
  }
  const int error = submit(*stream, [=] {
    if (driver().events.count(event)) clock_gettime(CLOCK_MONOTONIC, &event->time);
    return int(SUCCESS);
  });
  event->at = stream->done + stream->queue.size();
  return error;
}
EXPORT int cuEventRecord(void* event, void* stream) {
  ENTER_CONTEXT(cuEventRecord)
  return record(event, stream);
}
EXPORT int cuEventRecordWithFlags(void* event, void* stream, unsigned) {
  ENTER_CONTEXT(cuEventRecordWithFlags)
  return record(event, stream);
}

static bool pending(const Event& event) {
  const bool known = event.stream == &driver().legacy || driver().streams.count(event.stream) ||
                     std::any_of(driver().per_thread.begin(), driver().per_thread.end(), [&](auto& entry) { return &entry.second == event.stream; });
  return event.recorded && known && event.stream->done < event.at;
}

EXPORT int cuEventQuery(void* handle) {
  ENTER_CONTEXT(cuEventQuery)
  EVENT(event, handle)
  if (event->capture) return CAPTURED_EVENT;
  if (!pending(*event)) return SUCCESS;
  const int error = drain(*event->stream, event->at);
  return error ? error : NOT_READY;
}

EXPORT int cuEventSynchronize(void* handle) {
  ENTER_CONTEXT(cuEventSynchronize)
  EVENT(event, handle)
  if (event->capture) return CAPTURED_EVENT;
  return pending(*event) ? drain(*event->stream, event->at) : SUCCESS;
}

static int elapsed(float* ms, void* start_handle, void* end_handle) {
  EVENT(start, start_handle)
  EVENT(end, end_handle)
  if (!start->timing || !end->timing || !start->recorded || !end->recorded) return INVALID_HANDLE;
  if (start->capture || end->capture) return CAPTURED_EVENT;
  if (pending(*start) || pending(*end)) return NOT_READY;
  *ms = float((end->time.tv_sec - start->time.tv_sec) * 1e3 + (end->time.tv_nsec - start->time.tv_nsec) * 1e-6);
  return SUCCESS;
}
EXPORT int cuEventElapsedTime(float* ms, void* start, void* end) {
  ENTER_CONTEXT(cuEventElapsedTime)
  return elapsed(ms, start, end);
}
EXPORT int cuEventElapsedTime_v2(float* ms, void* start, void* end) {
  ENTER_CONTEXT(cuEventElapsedTime_v2)
  return elapsed(ms, start, end);
}

EXPORT int cuStreamWaitEvent(void* stream_handle, void* event_handle, unsigned) {
  ENTER_CONTEXT(cuStreamWaitEvent)
  STREAM(stream, stream_handle)
  EVENT(event, event_handle)
  if (!event->recorded) return SUCCESS;
  if (!event->capture) {
    if (stream->capture) return invalidate(*stream->capture, CAPTURE_ISOLATION);
    if (!pending(*event)) return SUCCESS;
    Stream* other = event->stream;
    const uint64_t at = event->at;
    return submit(*stream, [=] { return drain(*other, at); });
  }
  if (!driver().captures.count(event->capture)) return CAPTURED_EVENT;
  if (!event->capture->valid) return CAPTURE_INVALIDATED;
  if (stream == &driver().legacy) return invalidate(*event->capture, CAPTURE_IMPLICIT);
  if (!stream->capture) {
    stream->capture = event->capture;
    stream->captured = stream->joined = 0;
  } else if (stream->capture != event->capture) {
    return invalidate(*stream->capture, CAPTURE_MERGE);
  }
  if (event->stream != stream) event->stream->joined = std::max(event->stream->joined, event->at);
  return SUCCESS;
}

// --- modules and functions ---

static int load(void** handle, const void* image) {
  if (int error = forbid_in_capture()) return error;
  auto module = std::make_unique<LoadedModule>();
  const std::string wrong = module->open(static_cast<const char*>(image));
  if (!wrong.empty()) {
    report(wrong);
    return module->table ? INVALID_PTX : INVALID_IMAGE;
  }
  *handle = module.get();
  driver().modules.insert(module.release());
  return SUCCESS;
}
EXPORT int cuModuleLoadData(void** module, const void* image) {
  ENTER_CONTEXT(cuModuleLoadData)
  return load(module, image);
}
EXPORT int cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
  ENTER_CONTEXT(cuModuleLoadDataEx)
  return load(module, image);
}
EXPORT int cuModuleLoad(void** module, const char* path) {
  ENTER_CONTEXT(cuModuleLoad)
  FILE* file = fopen(path, "rb");
  if (!file) return FILE_NOT_FOUND;
  std::string image;
  char buffer[1 << 16];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;) image.append(buffer, n);
  fclose(file);
  return load(module, image.c_str());
}

EXPORT int cuModuleUnload(void* handle) {
  ENTER_CONTEXT(cuModuleUnload)
  if (int error = forbid_in_capture()) return error;
  LoadedModule* module = static_cast<LoadedModule*>(handle);
  if (!driver().modules.count(module)) return INVALID_HANDLE;
  const int error = drain_all();
  for (Address global : module->globals) driver().memory.remove_global(global);
  driver().modules.erase(module);
  delete module;
  return error;
}

EXPORT int cuModuleGetFunction(void** function, void* handle, const char* name) {
  ENTER_CONTEXT(cuModuleGetFunction)
  LoadedModule* module = static_cast<LoadedModule*>(handle);
  if (!driver().modules.count(module)) return INVALID_HANDLE;
  auto it = module->functions.find(name);
  if (it == module->functions.end()) return NOT_FOUND;
  *function = it->second.get();
  return SUCCESS;
}

EXPORT int cuModuleGetGlobal_v2(Address* address, size_t* bytes, void* handle, const char* name) {
  ENTER_CONTEXT(cuModuleGetGlobal_v2)
  LoadedModule* module = static_cast<LoadedModule*>(handle);
  if (!driver().modules.count(module)) return INVALID_HANDLE;
  void* variable = dlsym(module->handle, name);
  Dl_info info;
  const ElfW(Sym)* symbol = nullptr;
  if (!variable || !dladdr1(variable, &info, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&symbol)), RTLD_DL_SYMENT) || !symbol) return NOT_FOUND;
  const Address base = reinterpret_cast<Address>(variable);
  driver().memory.add_global(base, symbol->st_size);
  module->globals.push_back(base);
  if (address) *address = base;
  if (bytes) *bytes = symbol->st_size;
  return SUCCESS;
}

#define FUNCTION(f, handle)          \
  Function* f = function_of(handle); \
  if (!f) return INVALID_HANDLE;

EXPORT int cuFuncGetAttribute(int* value, int attribute, void* handle) {
  ENTER_CONTEXT(cuFuncGetAttribute)
  FUNCTION(f, handle)
  switch (attribute) {
    case 0: *value = f->kernel->max_threads; break;
    case 1: *value = int(f->static_shared); break;
    case 2: case 3: *value = 0; break;  // constant and local memory
    case 4: *value = 32; break;         // registers
    case 5: case 6: *value = 90; break;
    case 7: *value = 0; break;
    case 8: *value = int(f->max_dynamic); break;
    case 9: *value = f->carveout; break;
    default: return INVALID_VALUE;
  }
  return SUCCESS;
}

EXPORT int cuFuncSetAttribute(void* handle, int attribute, int value) {
  ENTER_CONTEXT(cuFuncSetAttribute)
  FUNCTION(f, handle)
  if (attribute == 8) {
    if (value < 0 || value + f->static_shared > MAX_SHARED) return INVALID_VALUE;
    f->max_dynamic = value;
  } else if (attribute == 9) {
    if (value < -1 || value > 100) return INVALID_VALUE;
    f->carveout = value;
  } else {
    return INVALID_VALUE;
  }
  return SUCCESS;
}

EXPORT int cuFuncSetCacheConfig(void* handle, int) {
  ENTER_CONTEXT(cuFuncSetCacheConfig)
  FUNCTION(f, handle)
  return SUCCESS;
}

EXPORT int cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void* stream, void** arguments,
                          void** extra) {
  ENTER_CONTEXT(cuLaunchKernel)
  if (extra) return NOT_SUPPORTED;
  return launch(f, {{gx, gy, gz}, {bx, by, bz}, shared}, stream, arguments);
}

// CUlaunchConfig. Of its attributes only clusters change what a kernel may do.
struct LaunchConfig {
  unsigned grid[3], block[3], shared;
  void* stream;
  struct Attribute {
    unsigned id, reserved, value[16];
  }* attributes;
  unsigned attribute_count;
};
EXPORT int cuLaunchKernelEx(const LaunchConfig* c, void* f, void** arguments, void** extra) {
  ENTER_CONTEXT(cuLaunchKernelEx)
  if (extra) return NOT_SUPPORTED;
  for (unsigned i = 0; i < c->attribute_count; i++) {
    const LaunchConfig::Attribute& a = c->attributes[i];
    if (a.id == 4 && a.value[0] * a.value[1] * a.value[2] != 1) return NOT_SUPPORTED;
  }
  return launch(f, {{c->grid[0], c->grid[1], c->grid[2]}, {c->block[0], c->block[1], c->block[2]}, c->shared}, c->stream, arguments);
}

// Blocks run one after another: a grid that waits for itself would wait for ever.
EXPORT int cuLaunchCooperativeKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**) {
  ENTER_CONTEXT(cuLaunchCooperativeKernel)
  return NOT_SUPPORTED;
}

// --- occupancy ---

static unsigned blocks_per_multiprocessor(const Function& f, unsigned threads, size_t dynamic) {
  const size_t shared = f.static_shared + dynamic + 1024, warps = (threads + 31) / 32;
  if (!threads || threads > f.kernel->max_threads || shared > (228 << 10)) return 0;
  return unsigned(std::min({size_t(32), 64 / warps, size_t(228 << 10) / shared}));
}

EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* handle, int threads, size_t dynamic) {
  ENTER_CONTEXT(cuOccupancyMaxActiveBlocksPerMultiprocessor)
  FUNCTION(f, handle)
  *blocks = blocks_per_multiprocessor(*f, threads, dynamic);
  return SUCCESS;
}
EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, void* handle, int threads, size_t dynamic, unsigned) {
  ENTER_CONTEXT(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags)
  FUNCTION(f, handle)
  *blocks = blocks_per_multiprocessor(*f, threads, dynamic);
  return SUCCESS;
}
EXPORT int cuOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, void* handle, int blocks, int) {
  ENTER_CONTEXT(cuOccupancyAvailableDynamicSMemPerBlock)
  FUNCTION(f, handle)
  if (blocks < 1) return INVALID_VALUE;
  const size_t each = (228 << 10) / blocks, taken = f->static_shared + 1024;
  *bytes = each > taken ? std::min(each - taken, f->max_dynamic) : 0;
  return SUCCESS;
}
static int best_block(int* grid, int* block, void* handle, size_t (*shared)(int), size_t dynamic, int limit) {
  FUNCTION(f, handle)
  unsigned best = 0;
  for (unsigned threads = 32; threads <= f->kernel->max_threads && (limit <= 0 || threads <= unsigned(limit)); threads += 32) {
    const unsigned blocks = blocks_per_multiprocessor(*f, threads, shared ? shared(threads) : dynamic);
    if (blocks && blocks * threads >= best) best = blocks * threads, *grid = blocks * 132, *block = threads;
  }
  return best ? SUCCESS : INVALID_VALUE;
}
EXPORT int cuOccupancyMaxPotentialBlockSize(int* grid, int* block, void* f, size_t (*shared)(int), size_t dynamic, int limit) {
  ENTER_CONTEXT(cuOccupancyMaxPotentialBlockSize)
  return best_block(grid, block, f, shared, dynamic, limit);
}
EXPORT int cuOccupancyMaxPotentialBlockSizeWithFlags(int* grid, int* block, void* f, size_t (*shared)(int), size_t dynamic, int limit, unsigned) {
  ENTER_CONTEXT(cuOccupancyMaxPotentialBlockSizeWithFlags)
  return best_block(grid, block, f, shared, dynamic, limit);
}
EXPORT int cuOccupancyMaxActiveClusters(int*, void*, const void*) {
  ENTER_CONTEXT(cuOccupancyMaxActiveClusters)
  return NOT_SUPPORTED;
}
EXPORT int cuOccupancyMaxPotentialClusterSize(int*, void*, const void*) {
  ENTER_CONTEXT(cuOccupancyMaxPotentialClusterSize)
  return NOT_SUPPORTED;
}

// --- capture and graphs ---

EXPORT int cuStreamBeginCapture_v2(void* handle, int mode) {
  ENTER_CONTEXT(cuStreamBeginCapture_v2)
  STREAM(stream, handle)
  if (mode < 0 || mode > 2) return INVALID_VALUE;
  if (stream == &driver().legacy) return CAPTURE_UNSUPPORTED;
  if (stream->capture) return ILLEGAL_STATE;
  stream->capture = std::make_shared<Capture>(Capture{new Graph, stream, unsigned(mode), pthread_self(), driver().next_capture++});
  stream->captured = stream->joined = 0;
  driver().captures.insert(stream->capture);
  return SUCCESS;
}

EXPORT int cuStreamEndCapture(void* handle, void** graph) {
  ENTER_CONTEXT(cuStreamEndCapture)
  STREAM(stream, handle)
  *graph = nullptr;
  const auto capture = stream->capture;
  if (!capture) return ILLEGAL_STATE;
  if (capture->origin != stream) return CAPTURE_UNMATCHED;
  if (capture->mode != 2 && !pthread_equal(capture->thread, pthread_self())) return CAPTURE_WRONG_THREAD;
  int error = capture->valid ? SUCCESS : CAPTURE_INVALIDATED;
  auto leave = [&](Stream& other) {
    if (other.capture != capture) return;
    if (&other != stream && other.joined < other.captured && !error) error = CAPTURE_UNJOINED;
    other.capture.reset();
  };
  for (Stream* other : driver().streams) leave(*other);
  for (auto& entry : driver().per_thread) leave(entry.second);
  driver().captures.erase(capture);
  if (error) {
    delete capture->graph;
    return error;
  }
  driver().graphs.insert(capture->graph);
  *graph = capture->graph;
  return SUCCESS;
}

static int capture_status(const Stream& stream) { return !stream.capture ? 0 : stream.capture->valid ? 1 : 2; }

EXPORT int cuStreamIsCapturing(void* handle, int* status) {
  ENTER_CONTEXT(cuStreamIsCapturing)
  STREAM(stream, handle)
  if (stream == &driver().legacy && blocking_capture()) return CAPTURE_IMPLICIT;
  *status = capture_status(*stream);
  return SUCCESS;
}
static int capture_info(void* handle, int* status, uint64_t* id) {
  STREAM(stream, handle)
  *status = capture_status(*stream);
  if (id && stream->capture) *id = stream->capture->id;
  return SUCCESS;
}
EXPORT int cuStreamGetCaptureInfo(void* stream, int* status, uint64_t* id) {
  ENTER_CONTEXT(cuStreamGetCaptureInfo)
  return capture_info(stream, status, id);
}
EXPORT int cuStreamGetCaptureInfo_v2(void* stream, int* status, uint64_t* id, void** graph, const void** dependencies, size_t* count) {
  ENTER_CONTEXT(cuStreamGetCaptureInfo_v2)
  if (graph) *graph = nullptr;
  if (dependencies) *dependencies = nullptr;
  if (count) *count = 0;
  return capture_info(stream, status, id);
}
EXPORT int cuStreamGetCaptureInfo_v3(void* stream, int* status, uint64_t* id, void** graph, const void** dependencies, const void** edges, size_t* count) {
  ENTER_CONTEXT(cuStreamGetCaptureInfo_v3)
  if (graph) *graph = nullptr;
  if (dependencies) *dependencies = nullptr;
  if (edges) *edges = nullptr;
  if (count) *count = 0;
  return capture_info(stream, status, id);
}
EXPORT int cuThreadExchangeStreamCaptureMode(int* mode) {
  ENTER_CONTEXT(cuThreadExchangeStreamCaptureMode)
  static thread_local int present = 0;
  std::swap(*mode, present);
  return SUCCESS;
}

#define GRAPH(graph, handle, set)             \
  Graph* graph = static_cast<Graph*>(handle); \
  if (!driver().set.count(graph)) return INVALID_VALUE;

static int instantiate(void** executable, void* handle, unsigned long long flags) {
  GRAPH(graph, handle, graphs)
  // Freeing at launch and launching from the device exclude each other.
  if (flags & ~15ull || (flags & 5) == 5) return INVALID_VALUE;
  Graph* copy = new Graph(*graph);
  driver().executables.insert(copy);
  *executable = copy;
  return SUCCESS;
}
EXPORT int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long flags) {
  ENTER_CONTEXT(cuGraphInstantiateWithFlags)
  return instantiate(executable, graph, flags);
}

EXPORT int cuGraphLaunch(void* handle, void* stream_handle) {
  ENTER_CONTEXT(cuGraphLaunch)
  GRAPH(graph, handle, executables)
  STREAM(stream, stream_handle)
  return submit(*stream, [nodes = graph->nodes, memory = graph->memory] {
    for (const Work& work : nodes)
      if (int error = work()) return error;
    return int(SUCCESS);
  });
}

EXPORT int cuGraphUpload(void* handle, void* stream_handle) {
  ENTER_CONTEXT(cuGraphUpload)
  GRAPH(graph, handle, executables)
  STREAM(stream, stream_handle)
  return stream->capture ? invalidate(*stream->capture, CAPTURE_UNSUPPORTED) : SUCCESS;
}

EXPORT int cuGraphExecDestroy(void* handle) {
  ENTER_CONTEXT(cuGraphExecDestroy)
  GRAPH(graph, handle, executables)
  driver().executables.erase(graph);
  delete graph;
  return SUCCESS;
}

EXPORT int cuGraphDestroy(void* handle) {
  ENTER_CONTEXT(cuGraphDestroy)
  GRAPH(graph, handle, graphs)
  driver().graphs.erase(graph);
  delete graph;
  return SUCCESS;
}

EXPORT int cuGraphGetNodes(void* handle, void**, size_t* count) {
  ENTER_CONTEXT(cuGraphGetNodes)
  GRAPH(graph, handle, graphs)
  *count = graph->nodes.size();
  return SUCCESS;
}

// --- memory of others ---

EXPORT int cuImportExternalMemory(void**, const void*) {
  ENTER_CONTEXT(cuImportExternalMemory)
  return NOT_SUPPORTED;
}
EXPORT int cuExternalMemoryGetMappedBuffer(Address*, void*, const void*) {
  ENTER_CONTEXT(cuExternalMemoryGetMappedBuffer)
  return NOT_SUPPORTED;
}
EXPORT int cuDestroyExternalMemory(void*) {
  ENTER_CONTEXT(cuDestroyExternalMemory)
  return NOT_SUPPORTED;
}

// --- errors ---

static const std::pair<const char*, const char*>* error_text(int error) {
  static const std::map<int, std::pair<const char*, const char*>> texts = {
      {0, {"CUDA_SUCCESS", "no error"}},
      {1, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
      {2, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
      {3, {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"}},
      {4, {"CUDA_ERROR_DEINITIALIZED", "driver shutting down"}},
      {100, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}},
      {101, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}},
      {200, {"CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"}},
      {201, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
      {209, {"CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"}},
      {218, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
      {222, {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."}},
      {301, {"CUDA_ERROR_FILE_NOT_FOUND", "file not found"}},
      {400, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}},
      {401, {"CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"}},
      {500, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
      {600, {"CUDA_ERROR_NOT_READY", "device not ready"}},
      {700, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
      {701, {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"}},
      {702, {"CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"}},
      {716, {"CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"}},
      {719, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
      {801, {"CUDA_ERROR_NOT_SUPPORTED", "operation not supported"}},
      {803, {"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"}},
      {900, {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}},
      {901, {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"}},
      {902, {"CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"}},
      {903, {"CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"}},
      {904, {"CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"}},
      {905, {"CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"}},
      {906, {"CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"}},
      {907, {"CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"}},
      {908, {"CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a thread-local capture sequence from another thread"}},
      {999, {"CUDA_ERROR_UNKNOWN", "unknown error"}},
  };
  auto it = texts.find(error);
  return it == texts.end() ? nullptr : &it->second;
}
EXPORT int cuGetErrorName(int error, const char** text) {
  const auto* found = error_text(error);
  *text = found ? found->first : nullptr;
  return found ? SUCCESS : INVALID_VALUE;
}
EXPORT int cuGetErrorString(int error, const char** text) {
  const auto* found = error_text(error);
  *text = found ? found->second : nullptr;
  return found ? SUCCESS : INVALID_VALUE;
}

// --- what tests ask of the stand-in ---

#define LOCK std::lock_guard<std::recursive_mutex> lock(driver().mutex);

// Makes the `nth` call from now of the function fail, or with 0 every call; of any function with the name `*`.
EXPORT void xdnn_mock_fail(const char* function, int nth, int error) {
  LOCK
  Entry& entry = driver().entries[plain(function)];
  if (nth > 0)
    entry.failures[entry.calls + nth] = error;
  else
    entry.always = error;
}

EXPORT uint64_t xdnn_mock_calls(const char* function) {
  LOCK
  return driver().entries[plain(function)].calls;
}

// Launches of one kernel, replays of graphs among them; of all kernels with a null name.
EXPORT uint64_t xdnn_mock_launches(const char* kernel) {
  LOCK
  uint64_t sum = 0;
  for (const auto& entry : driver().launches)
    if (!kernel || entry.first == kernel) sum += entry.second;
  return sum;
}

struct Live {
  uint64_t allocations, bytes, pinned, streams, events, modules, graphs, executables, contexts;
};
EXPORT void xdnn_mock_live(Live* live) {
  LOCK
  Driver& d = driver();
  *live = {d.memory.count(Memory::DEVICE), d.memory.used(),   d.memory.count(Memory::PINNED), d.streams.size(), d.events.size(), d.modules.size(),
           d.graphs.size(),                d.executables.size(), d.contexts.size() + (d.primary_references ? 1 : 0)};
}

EXPORT void xdnn_mock_memory(uint64_t bytes) {
  LOCK
  driver().memory.capacity = bytes;
}

EXPORT void xdnn_mock_order(int order) {
  LOCK
  driver().order = order;
}

EXPORT void xdnn_mock_pools(int supported) {
  LOCK
  driver().pools = supported;
}

EXPORT void xdnn_mock_devices(int count) {
  LOCK
  driver().devices = count;
  if (!count) driver().initialised = false;
}

EXPORT void xdnn_mock_attribute(int attribute, int value) {
  LOCK
  driver().attributes[attribute] = value;
}

// Puts work off until it is waited for, as a device may.
EXPORT void xdnn_mock_defer(int on) {
  LOCK
  if (!on) drain_all();
  driver().deferred = on;
}

// The last complaint, empty when there was none; the bytes that the whole takes, its end included.
EXPORT size_t xdnn_mock_message(char* text, size_t bytes) {
  LOCK
  const std::string& message = driver().message;
  if (bytes) snprintf(text, bytes, "%s", message.c_str());
  return message.size() + 1;
}

// Forgets failures, counts and settings; what lives stays.
EXPORT void xdnn_mock_reset() {
  LOCK
  Driver& d = driver();
  drop_queues();
  for (auto& entry : d.entries) entry.second = {};
  d.launches.clear();
  d.message.clear();
  d.attributes.clear();
  d.devices = 1;
  d.pools = true;
  d.deferred = false;
  d.order = 0;
  d.memory.capacity = Memory::CAPACITY;
}
