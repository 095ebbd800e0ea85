// Work in the order of streams: done, put off or captured; copies, fills and launches.
#pragma once

#include "driver.h"

namespace {

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
