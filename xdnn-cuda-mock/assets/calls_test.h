// What tests ask of the stand-in.
#pragma once

#include "work.h"

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
