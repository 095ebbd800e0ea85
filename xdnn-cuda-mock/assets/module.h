// A module: the shared object that the stand-in for NVRTC built, and what its symbols tell of shared memory.
#pragma once
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <map>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "abi.h"
#include "scheduler.h"

namespace xdnn {

constexpr unsigned DEFAULT_SHARED = 48 << 10;

struct LoadedModule;

struct Function {
  LoadedModule* module;
  std::string name;
  const Kernel* kernel;
  std::vector<Range> shared;
  size_t static_shared;
  size_t max_dynamic;
  int carveout = -1;
};

// The first line of an image. The path of the shared object is the second, and the third the number of its bytes, which
// may follow, in case that the path is no longer there.
constexpr char IMAGE_MAGIC[] = "// xdnn-cuda-mock\n";

struct LoadedModule {
  void* handle = nullptr;
  const Module* table = nullptr;
  std::map<std::string, std::unique_ptr<Function>> functions;
  std::vector<uint64_t> globals;
  // Static shared memory, by the function that declares it.
  struct Static {
    std::string symbol;
    Range range;
  };
  std::vector<Static> statics;

  // Empty when it worked, else what is wrong.
  std::string open(const char* image) {
    const size_t magic = sizeof IMAGE_MAGIC - 1;
    if (strncmp(image, IMAGE_MAGIC, magic)) return "the image is none that the stand-in for NVRTC made";
    const char* end = strchr(image + magic, '\n');
    if (!end) return "the image is cut off";
    std::string path(image + magic, end);
    char* bytes = nullptr;
    const size_t size = strtoull(end + 1, &bytes, 10);
    bool scratch = false;
    if (access(path.c_str(), R_OK) && size) {
      path = "/tmp/xdnn-cuda-mock-XXXXXX.so";
      const int file = mkstemps(path.data(), 3);
      if (file < 0 || write(file, bytes + 1, size) != ssize_t(size)) return "cannot write " + path;
      close(file);
      scratch = true;
    }
    const std::string wrong = open_object(path);
    if (scratch) unlink(path.c_str());
    return wrong;
  }

  ~LoadedModule() {
    if (handle) dlclose(handle);
  }

 private:
  std::string open_object(const std::string& path) {
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) return dlerror();
    table = static_cast<const Module*>(dlsym(handle, "xdnn_mock_module"));
    if (!table || table->version != MODULE_VERSION) return path + " is of another version";
    read_statics(path);
    for (unsigned i = 0; i < table->kernel_count; i++) {
      Dl_info info;
      if (!dladdr(table->kernels[i].function, &info) || !info.dli_sname) continue;
      auto function = std::make_unique<Function>();
      function->module = this;
      function->name = info.dli_sname;
      function->kernel = &table->kernels[i];
      function->static_shared = 0;
      functions[function->name] = std::move(function);
    }
    for (const Static& variable : statics) {
      Function* owner = nullptr;
      for (auto& entry : functions)
        if (variable.symbol.rfind("_ZZ" + mangled(entry.first) + "E", 0) == 0) owner = entry.second.get();
      // What a device function declares may belong to any kernel.
      for (auto& entry : functions)
        if (!owner || owner == entry.second.get()) entry.second->shared.push_back(variable.range);
      if (owner) owner->static_shared += variable.range.bytes;
    }
    for (auto& entry : functions) {
      Function& f = *entry.second;
      if (f.static_shared > DEFAULT_SHARED)
        return "kernel `" + f.name + "` declares " + std::to_string(f.static_shared) + " bytes of shared memory, of at most " + std::to_string(DEFAULT_SHARED);
      f.max_dynamic = DEFAULT_SHARED - f.static_shared;
    }
    return {};
  }

  static std::string mangled(const std::string& name) {
    return name.rfind("_Z", 0) == 0 ? name.substr(2) : std::to_string(name.size()) + name;
  }

  // Variables of functions are what `__shared__` declares; the object's symbol table knows them all.
  void read_statics(const std::string& path) {
    link_map* map = nullptr;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) || dlinfo(handle, RTLD_DI_LINKMAP, &map)) {
      if (file >= 0) close(file);
      return;
    }
    void* data = mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (data == MAP_FAILED) return;
    const char* base = static_cast<const char*>(data);
    const auto* header = reinterpret_cast<const ElfW(Ehdr)*>(base);
    const auto* sections = reinterpret_cast<const ElfW(Shdr)*>(base + header->e_shoff);
    for (unsigned s = 0; s < header->e_shnum; s++) {
      if (sections[s].sh_type != SHT_SYMTAB) continue;
      const auto* symbols = reinterpret_cast<const ElfW(Sym)*>(base + sections[s].sh_offset);
      const char* names = base + sections[sections[s].sh_link].sh_offset;
      for (size_t i = 0; i < sections[s].sh_size / sizeof *symbols; i++) {
        const auto& symbol = symbols[i];
        if (ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT || symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= header->e_shnum) continue;
        const char* name = names + symbol.st_name;
        if (strncmp(name, "_ZZ", 3) || !(sections[symbol.st_shndx].sh_flags & SHF_WRITE)) continue;
        statics.push_back({name, {reinterpret_cast<char*>(map->l_addr + symbol.st_value), symbol.st_size}});
      }
    }
    munmap(data, status.st_size);
  }
};

}  // namespace xdnn
