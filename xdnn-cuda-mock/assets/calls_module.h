// The driver's functions: modules, launches and occupancy.
#pragma once

#include "work.h"

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
