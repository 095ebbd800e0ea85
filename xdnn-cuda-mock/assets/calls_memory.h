// The driver's functions: allocations, copies and fills.
#pragma once

#include "work.h"

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
