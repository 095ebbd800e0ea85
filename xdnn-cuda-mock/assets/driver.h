// The state of the driver, and how its functions open: counted, one at a time, failing on demand.
#pragma once
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

}  // namespace
