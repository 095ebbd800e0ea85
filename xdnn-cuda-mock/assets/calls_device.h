// The driver's functions: devices and contexts.
#pragma once

#include "work.h"

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
