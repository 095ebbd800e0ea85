// Device memory: every allocation between two inaccessible pages, filled with NaN, and unreachable once freed.
#pragma once
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace xdnn {

using Address = uint64_t;

class Memory {
 public:
  enum Kind { DEVICE, PINNED, GLOBAL };

  struct Allocation {
    Address base;
    size_t bytes;
    Kind kind;
    char* map;
    size_t map_bytes;
  };

  static constexpr size_t CAPACITY = size_t(8) << 30;

  size_t capacity = CAPACITY;

  // 0 where there is no room.
  Address allocate(size_t bytes, Kind kind) {
    if (kind == DEVICE && (bytes > capacity || used_ > capacity - bytes)) return 0;
    const size_t body = (bytes + page_ - 1) / page_ * page_, total = body + 2 * page_;
    char* map = static_cast<char*>(mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (map == MAP_FAILED) return 0;
    if (mprotect(map + page_, body, PROT_READ | PROT_WRITE)) {
      munmap(map, total);
      return 0;
    }
    memset(map + page_, POISON, body);
    // Flush against the page behind; a vector access needs multiples of 16.
    const Address base = reinterpret_cast<Address>(map + page_ + body - (bytes + ALIGN - 1) / ALIGN * ALIGN);
    live_[base] = {base, bytes, kind, map, total};
    if (kind == DEVICE) used_ += bytes;
    counts_[kind]++;
    return base;
  }

  // Makes a module's variable known.
  void add_global(Address base, size_t bytes) { live_.insert({base, {base, bytes, GLOBAL, nullptr, 0}}); }
  void remove_global(Address base) {
    auto it = live_.find(base);
    if (it != live_.end() && it->second.kind == GLOBAL) live_.erase(it);
  }

  bool release(Address base, Kind kind) {
    auto it = live_.find(base);
    if (it == live_.end() || it->second.kind != kind) return false;
    const Allocation a = it->second;
    live_.erase(it);
    counts_[kind]--;
    if (kind == DEVICE) used_ -= a.bytes;
    // The addresses stay taken for a while, so that a use after the release faults.
    mmap(a.map, a.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    released_.push_back(a);
    if (released_.size() > QUARANTINE) {
      munmap(released_.front().map, released_.front().map_bytes);
      released_.pop_front();
    }
    return true;
  }

  // The allocation in which the address lies, its end included.
  const Allocation* find(Address address) const {
    auto it = live_.upper_bound(address);
    if (it == live_.begin()) return nullptr;
    const Allocation& a = std::prev(it)->second;
    return address <= a.base + a.bytes ? &a : nullptr;
  }

  bool holds(Address address, size_t bytes, bool device_only = true) const {
    const Allocation* a = find(address);
    return a && bytes <= a->base + a->bytes - address && (!device_only || a->kind != PINNED);
  }

  // Bytes just outside of the allocation that are no longer as they were filled: written by an overrun too small to
  // reach a guard page. Empty when all is well.
  std::string overrun(const Allocation& a) const {
    if (a.kind == GLOBAL) return {};
    const char* end = reinterpret_cast<const char*>(a.base + a.bytes);
    const char* limit = a.map + a.map_bytes - page_;
    for (const char* p = end; p < limit; p++)
      if (*p != char(POISON)) return "written " + std::to_string(p - end) + " bytes behind the end of " + describe(a);
    const char *start = reinterpret_cast<const char*>(a.base), *first = a.map + page_;
    for (const char* p = start; p > first && p > start - 64;)
      if (*--p != char(POISON)) return "written " + std::to_string(start - p) + " bytes before the start of " + describe(a);
    return {};
  }

  std::string overrun() const {
    for (const auto& entry : live_) {
      std::string found = overrun(entry.second);
      if (!found.empty()) return found;
    }
    return {};
  }

  // Where an address lies that nothing may touch.
  std::string describe(Address address) const {
    for (const auto& entry : live_) {
      const Allocation& a = entry.second;
      if (!a.map) continue;
      const Address map = reinterpret_cast<Address>(a.map);
      if (address < map || address >= map + a.map_bytes) continue;
      return address < a.base ? std::to_string(a.base - address) + " bytes before the start of " + describe(a)
                              : std::to_string(address - a.base - a.bytes) + " bytes behind the end of " + describe(a);
    }
    for (const Allocation& a : released_) {
      const Address map = reinterpret_cast<Address>(a.map);
      if (address >= map && address < map + a.map_bytes) return "inside of freed memory: " + describe(a);
    }
    char text[40];
    snprintf(text, sizeof text, "0x%llx, in no allocation", static_cast<unsigned long long>(address));
    return text;
  }

  static std::string describe(const Allocation& a) {
    char text[80];
    snprintf(text, sizeof text, "an allocation of %zu bytes at 0x%llx", a.bytes, static_cast<unsigned long long>(a.base));
    return text;
  }

  size_t used() const { return used_; }
  size_t count(Kind kind) const { return counts_[kind]; }

 private:
  static constexpr size_t ALIGN = 16, QUARANTINE = 512;
  const size_t page_ = sysconf(_SC_PAGESIZE);
  static constexpr int POISON = 0xff;

  std::map<Address, Allocation> live_;
  std::deque<Allocation> released_;
  size_t used_ = 0, counts_[3] = {};
};

}  // namespace xdnn
