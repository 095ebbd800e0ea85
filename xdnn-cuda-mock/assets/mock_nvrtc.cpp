// A stand-in for libnvrtc: "compiles" a program with g++ to a shared object, whose path is the program's PTX.
//
// The text is preprocessed first, so that kernels which macros write are found too; then a list of its kernels is
// appended and the whole compiled. Objects stay in a cache under a hash of all that goes into them.
#include <atomic>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <set>
#include <spawn.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

extern char** environ;

namespace {

enum Result {
  SUCCESS = 0,
  OUT_OF_MEMORY = 1,
  PROGRAM_CREATION_FAILURE = 2,
  INVALID_INPUT = 3,
  INVALID_PROGRAM = 4,
  INVALID_OPTION = 5,
  COMPILATION = 6,
  BUILTIN_OPERATION_FAILURE = 7,
  NO_NAME_EXPRESSIONS_AFTER_COMPILATION = 8,
  NO_LOWERED_NAMES_BEFORE_COMPILATION = 9,
  NAME_EXPRESSION_NOT_VALID = 10,
  INTERNAL_ERROR = 11,
};

struct Program {
  // The PTX names the object, the binary holds it as well.
  std::string source, name, log, ptx, binary;
  std::vector<std::pair<std::string, std::string>> headers;
  bool compiled = false;
  bool real = false;  // for an architecture that exists, of which alone there is a binary
};

// What a function was asked so far, and what it shall answer.
struct Entry {
  uint64_t calls = 0;
  std::map<uint64_t, int> failures;
  int always = 0;
};

struct State {
  std::mutex mutex;
  std::set<Program*> programs;
  std::string compiler = "g++", headers = ".", cache = "/tmp", salt;
  std::map<std::string, Entry> entries;
  std::atomic<uint64_t> builds{0};
};

State& state() {
  static State* the_state = new State;
  return *the_state;
}

std::string hash(const std::string& text) {
  uint64_t a = 0xcbf29ce484222325, b = 0x9e3779b97f4a7c15;
  for (unsigned char c : text) {
    a = (a ^ c) * 0x100000001b3;
    b = (b + c + 1) * 0xff51afd7ed558ccd;
    b ^= b >> 29;
  }
  char digits[33];
  snprintf(digits, sizeof digits, "%016llx%016llx", static_cast<unsigned long long>(a), static_cast<unsigned long long>(b));
  return digits;
}

bool read_file(const std::string& path, std::string& text) {
  FILE* file = fopen(path.c_str(), "rb");
  if (!file) return false;
  char buffer[1 << 16];
  text.clear();
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, n);
  fclose(file);
  return true;
}

bool write_file(const std::string& path, const std::string& text) {
  FILE* file = fopen(path.c_str(), "wb");
  if (!file) return false;
  const bool written = fwrite(text.data(), 1, text.size(), file) == text.size();
  return fclose(file) == 0 && written;
}

// Runs a command; what it says on both outputs goes to the file `output`.
bool run(const std::vector<std::string>& command, const std::string& output) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child;
  const int failed = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) {
    write_file(output, std::string("cannot run `") + arguments[0] + "`: " + strerror(failed) + "\n");
    return false;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// --- the kernels of a preprocessed text ---

struct KernelName {
  std::string name, max_threads;
};

bool identifier(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The end of the bracketed text that opens at `at`.
size_t closing(const std::string& text, size_t at) {
  int depth = 0;
  for (size_t i = at; i < text.size(); i++) {
    if (text[i] == '(') depth++;
    if (text[i] == ')' && --depth == 0) return i;
  }
  return text.size();
}

size_t skip_space(const std::string& text, size_t at) {
  for (;;) {
    while (at < text.size() && isspace(static_cast<unsigned char>(text[at]))) at++;
    // A line marker of the preprocessor.
    if (at >= text.size() || text[at] != '#' || (at > 0 && text[at - 1] != '\n')) return at;
    at = text.find('\n', at);
    if (at == std::string::npos) return text.size();
  }
}

std::vector<KernelName> kernels(const std::string& text) {
  std::vector<KernelName> found;
  size_t statement = 0;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      // A quote inside of a number separates its digits.
      if (c == '\'' && i > 0 && isalnum(static_cast<unsigned char>(text[i - 1]))) {
        i++;
        continue;
      }
      for (i++; i < text.size() && text[i] != c; i++)
        if (text[i] == '\\') i++;
      i++;
      continue;
    }
    if (c == ';' || c == '{' || c == '}') statement = i + 1;
    if (!identifier(c)) {
      i++;
      continue;
    }
    size_t end = i;
    while (end < text.size() && identifier(text[end])) end++;
    const std::string word = text.substr(i, end - i);
    i = end;
    if (word != "__global__" || text.substr(statement, end - statement).find("template") != std::string::npos) continue;
    KernelName kernel{"", "1024"};
    for (size_t at = skip_space(text, end); at < text.size();) {
      if (!identifier(text[at])) break;
      size_t stop = at;
      while (stop < text.size() && identifier(text[stop])) stop++;
      const std::string token = text.substr(at, stop - at);
      const size_t bracket = skip_space(text, stop);
      at = bracket;
      if (bracket >= text.size() || text[bracket] != '(') continue;
      const size_t close = closing(text, bracket);
      if (token == "__launch_bounds__") {
        size_t comma = bracket + 1;
        for (int depth = 0; comma < close && (text[comma] != ',' || depth); comma++) depth += (text[comma] == '(') - (text[comma] == ')');
        kernel.max_threads = text.substr(bracket + 1, comma - bracket - 1);
      } else if (token != "__attribute__" && token != "__cluster_dims__") {
        const size_t body = skip_space(text, close + 1);
        if (body < text.size() && text[body] == '{') kernel.name = token;
        break;
      }
      at = skip_space(text, close + 1);
    }
    if (!kernel.name.empty()) found.push_back(kernel);
  }
  return found;
}

// --- options ---

struct Options {
  std::vector<std::string> flags;  // for g++
  bool real = false;
  std::string wrong;
};

Options translate(int count, const char* const* options) {
  Options out;
  std::string arch = "750", standard = "c++17";
  auto value = [&](const std::string& option, int& i, const std::vector<std::string>& names, std::string& into) {
    for (const std::string& name : names) {
      if (option == name && i + 1 < count) {
        into = options[++i];
        return true;
      }
      if (option.rfind(name + "=", 0) == 0) {
        into = option.substr(name.size() + 1);
        return true;
      }
    }
    return false;
  };
  for (int i = 0; i < count; i++) {
    const std::string option = options[i];
    std::string text;
    if (value(option, i, {"--gpu-architecture", "-arch"}, text)) {
      const size_t digits = text.find_first_of("0123456789");
      if ((text.rfind("sm_", 0) && text.rfind("compute_", 0)) || digits == std::string::npos) return {{}, false, option};
      out.real = text[0] == 's';
      arch = std::to_string(atoi(text.c_str() + digits) * 10);
      if (text.back() == 'a') out.flags.push_back("-D__CUDA_ARCH_FEAT_SM" + arch.substr(0, arch.size() - 1) + "_ALL");
    } else if (value(option, i, {"--define-macro", "-D"}, text)) {
      out.flags.push_back("-D" + text);
    } else if (option.rfind("-D", 0) == 0) {
      out.flags.push_back(option);
    } else if (value(option, i, {"--undefine-macro", "-U"}, text)) {
      out.flags.push_back("-U" + text);
    } else if (option.rfind("-U", 0) == 0) {
      out.flags.push_back(option);
    } else if (value(option, i, {"--include-path", "-I"}, text)) {
      out.flags.push_back("-I" + text);
    } else if (option.rfind("-I", 0) == 0) {
      out.flags.push_back(option);
    } else if (value(option, i, {"--std", "-std"}, text)) {
      standard = text == "c++20" ? text : "c++17";
    } else {
      // Known, and without a meaning on the host.
      static const char* const ignored[] = {
          "--ftz", "-ftz", "--prec-sqrt", "-prec-sqrt", "--prec-div", "-prec-div", "--fmad", "-fmad", "--use_fast_math", "-use_fast_math",
          "--extra-device-vectorization", "-extra-device-vectorization", "--maxrregcount", "-maxrregcount", "--generate-line-info", "-lineinfo",
          "--device-debug", "-G", "--relocatable-device-code", "-rdc", "--device-c", "-dc", "--device-w", "-dw", "--device-as-default-execution-space",
          "-default-device", "--disable-warnings", "-w", "--restrict", "-restrict", "--display-error-number", "-err-no", "--no-display-error-number",
          "-no-err-no", "--diag-suppress", "-diag-suppress", "--diag-error", "-diag-error", "--diag-warn", "-diag-warn", "--ptxas-options", "-Xptxas",
          "--dopt", "-dopt", "--split-compile", "-split-compile", "--minimal", "-minimal", "--builtin-move-forward", "--builtin-initializer-list",
          "--time", "-time", "--fdevice-time-trace", "--no-cache", "-no-cache", "--pch", "-pch", "--brief-diagnostics", "-brief-diag",
          "--modify-stack-limit", "--dlink-time-opt", "-dlto", "--gen-opt-lto", "--device-int128", "-device-int128", "--version-ident", "-O", "-O3"};
      bool known = false;
      for (const char* name : ignored) {
        if (option.rfind(std::string(name) + "=", 0) == 0) known = true;
        if (option != name) continue;
        known = true;
        if (!strcmp(name, "-Xptxas") || !strcmp(name, "--ptxas-options") || !strcmp(name, "--maxrregcount") || !strcmp(name, "-maxrregcount")) i++;
      }
      if (!known) return {{}, false, option};
    }
  }
  out.flags.push_back("-D__CUDA_ARCH__=" + arch);
  out.flags.push_back("-D__CUDACC_RTC__");
  out.flags.push_back("-D__CUDACC__");
  out.flags.push_back("-D__NVCC__");
  out.flags.push_back("-std=" + standard);
  return out;
}

std::vector<std::string> code_flags() {
  std::vector<std::string> flags = {
      "-O2", "-fPIC", "-shared", "-w", "-fno-exceptions", "-fno-rtti", "-fno-gnu-unique", "-fno-asynchronous-unwind-tables", "-ffp-contract=off",
      "-fno-math-errno", "-fno-trapping-math", "-fno-strict-aliasing", "-fwrapv", "-fno-stack-protector", "-Wl,-Bsymbolic"};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c"))
    flags.push_back("-march=x86-64-v3");
#endif
  return flags;
}

Result compile(Program& program, int count, const char* const* options) {
  State& s = state();
  program.log.clear();
  const Options translated = translate(count, options);
  if (!translated.wrong.empty()) {
    program.log = "nvrtc: error: invalid value or unrecognized option `" + translated.wrong + "`\n";
    return INVALID_OPTION;
  }
  std::string key = s.salt + "\n" + program.name + "\n" + program.source;
  for (const auto& header : program.headers) key += "\n" + header.first + "\n" + header.second;
  for (const std::string& flag : translated.flags) key += "\n" + flag;
  const std::vector<std::string> code = code_flags();
  for (const std::string& flag : code) key += "\n" + flag;
  const std::string stem = s.cache + "/" + hash(key), object = stem + ".so";
  if (access(object.c_str(), R_OK)) {
    const std::string scratch = stem + "." + std::to_string(getpid()) + "." + std::to_string(s.builds++);
    const std::string text_file = scratch + ".cu.cpp", plain_file = scratch + ".i", full_file = scratch + ".cpp", log_file = scratch + ".log";
    const std::string built = scratch + ".so", folder = scratch + ".include";
    std::string text = "#include \"cuda_host.h\"\n#line 1 \"" + program.name + "\"\n" + program.source + "\n", plain, full;
    std::vector<std::string> command = {s.compiler, "-E", "-I" + s.headers};
    std::vector<std::string> trash = {text_file, plain_file, full_file, log_file, built};
    if (!program.headers.empty()) {
      mkdir(folder.c_str(), 0755);
      for (const auto& header : program.headers) {
        std::string path = folder + "/" + header.first;
        for (size_t slash = folder.size() + 1; (slash = path.find('/', slash)) != std::string::npos; slash++) mkdir(path.substr(0, slash).c_str(), 0755);
        write_file(path, header.second);
        trash.push_back(path);
      }
      command.push_back("-I" + folder);
    }
    command.insert(command.end(), translated.flags.begin(), translated.flags.end());
    command.insert(command.end(), {"-o", plain_file, text_file});
    Result result = SUCCESS;
    if (!write_file(text_file, text)) {
      program.log = "cannot write below " + s.cache + "\n";
      result = INTERNAL_ERROR;
    } else if (!run(command, log_file) || !read_file(plain_file, plain)) {
      read_file(log_file, program.log);
      result = COMPILATION;
    } else {
      std::string list;
      for (const KernelName& kernel : kernels(plain)) list += "xdnn::kernel<&" + kernel.name + ">(" + kernel.max_threads + "), ";
      full = "#define __global__\n#define __launch_bounds__(...)\n#define __cluster_dims__(...)\n" + plain +
             "\n#line 1 \"list of kernels\"\n"
             "static const xdnn::Kernel xdnn_kernels[] = {" + list + "{nullptr, nullptr, nullptr, 0, 0}};\n"
             "extern \"C\" __attribute__((visibility(\"default\"))) xdnn::Module xdnn_mock_module;\n"
             "xdnn::Module xdnn_mock_module = {xdnn::MODULE_VERSION, &xdnn::launch, xdnn_kernels, sizeof xdnn_kernels / sizeof *xdnn_kernels - 1};\n";
      command = {s.compiler};
      command.insert(command.end(), code.begin(), code.end());
      for (const std::string& flag : translated.flags)
        if (flag.rfind("-std", 0) == 0) command.push_back(flag);
      command.insert(command.end(), {"-o", built, full_file});
      const bool done = write_file(full_file, full) && run(command, log_file);
      read_file(log_file, program.log);
      if (!done) result = COMPILATION;
      // At once whole or not there: another process may look for it.
      else if (rename(built.c_str(), object.c_str())) result = INTERNAL_ERROR;
    }
    if (result == COMPILATION && program.source.find("extern __shared__") != std::string::npos)
      program.log += "note: dynamic shared memory is declared by DYNAMIC_SHARED(type, name) of primitives.cuh\n";
    if (!getenv("XDNN_MOCK_KEEP"))
      for (const std::string& path : trash) unlink(path.c_str());
    rmdir(folder.c_str());
    if (result) return result;
  }
  std::string bytes;
  if (!read_file(object, bytes)) return INTERNAL_ERROR;
  program.ptx = "// xdnn-cuda-mock\n" + object + "\n0\n";
  program.binary = "// xdnn-cuda-mock\n" + object + "\n" + std::to_string(bytes.size()) + "\n" + bytes;
  program.compiled = true;
  program.real = translated.real;
  return SUCCESS;
}

Result called(const char* name) {
  Entry& entry = state().entries[name];
  entry.calls++;
  auto it = entry.failures.find(entry.calls);
  return Result(entry.always ? entry.always : it == entry.failures.end() ? 0 : it->second);
}

// Opens every function: one at a time, counted, and failing when that was asked for.
#define ENTER(name)                                \
  std::lock_guard<std::mutex> lock(state().mutex); \
  if (Result error = called(#name)) return error;
#define PROGRAM(name, program) \
  ENTER(name)                  \
  if (!state().programs.count(program)) return INVALID_PROGRAM;

}  // namespace

EXPORT Result nvrtcVersion(int* major, int* minor) {
  ENTER(nvrtcVersion)
  // The minor version stands for all that a compiled program depends on, so that a cache which knows programs by their
  // text and the version never confuses them with those of other stand-ins, nor of NVRTC.
  *major = 13;
  *minor = int(1000 + strtoull(hash(state().salt).substr(0, 8).c_str(), nullptr, 16) % 1000000);
  return SUCCESS;
}

EXPORT const char* nvrtcGetErrorString(Result result) {
  static const char* const names[] = {"NVRTC_SUCCESS",
                                      "NVRTC_ERROR_OUT_OF_MEMORY",
                                      "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
                                      "NVRTC_ERROR_INVALID_INPUT",
                                      "NVRTC_ERROR_INVALID_PROGRAM",
                                      "NVRTC_ERROR_INVALID_OPTION",
                                      "NVRTC_ERROR_COMPILATION",
                                      "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
                                      "NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION",
                                      "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION",
                                      "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID",
                                      "NVRTC_ERROR_INTERNAL_ERROR"};
  return result >= 0 && result < int(sizeof names / sizeof *names) ? names[result] : "NVRTC_ERROR unknown";
}

EXPORT Result nvrtcGetNumSupportedArchs(int* count) {
  ENTER(nvrtcGetNumSupportedArchs)
  *count = 3;
  return SUCCESS;
}
EXPORT Result nvrtcGetSupportedArchs(int* archs) {
  ENTER(nvrtcGetSupportedArchs)
  archs[0] = 80;
  archs[1] = 90;
  archs[2] = 100;
  return SUCCESS;
}

EXPORT Result nvrtcCreateProgram(Program** program, const char* source, const char* name, int headers, const char* const* texts, const char* const* names) {
  ENTER(nvrtcCreateProgram)
  if (!program || !source || headers < 0 || (headers && (!texts || !names))) return INVALID_INPUT;
  Program* created = new Program;
  created->source = source;
  created->name = name ? name : "default_program";
  for (int i = 0; i < headers; i++) created->headers.push_back({names[i], texts[i]});
  state().programs.insert(created);
  *program = created;
  return SUCCESS;
}

EXPORT Result nvrtcDestroyProgram(Program** program) {
  if (!program) return INVALID_PROGRAM;
  PROGRAM(nvrtcDestroyProgram, *program)
  state().programs.erase(*program);
  delete *program;
  *program = nullptr;
  return SUCCESS;
}

EXPORT Result nvrtcCompileProgram(Program* program, int count, const char* const* options) {
  {
    PROGRAM(nvrtcCompileProgram, program)
  }
  // Several threads may compile at once, each its own program.
  return compile(*program, count, options);
}

#define PIECE(name, text, available)                                    \
  EXPORT Result nvrtcGet##name##Size(Program* program, size_t* bytes) { \
    PROGRAM(nvrtcGet##name##Size, program)                              \
    if (!(available)) return INVALID_PROGRAM;                           \
    *bytes = (text).size() + 1;                                         \
    return SUCCESS;                                                     \
  }                                                                     \
  EXPORT Result nvrtcGet##name(Program* program, char* out) {           \
    PROGRAM(nvrtcGet##name, program)                                    \
    if (!(available)) return INVALID_PROGRAM;                           \
    memcpy(out, (text).c_str(), (text).size() + 1);                     \
    return SUCCESS;                                                     \
  }
PIECE(PTX, program->ptx, program->compiled)
PIECE(CUBIN, program->binary, program->compiled && program->real)
PIECE(ProgramLog, program->log, true)
PIECE(LTOIR, program->ptx, false)
PIECE(OptiXIR, program->ptx, false)

EXPORT Result nvrtcAddNameExpression(Program* program, const char*) {
  PROGRAM(nvrtcAddNameExpression, program)
  return program->compiled ? NO_NAME_EXPRESSIONS_AFTER_COMPILATION : NAME_EXPRESSION_NOT_VALID;
}
EXPORT Result nvrtcGetLoweredName(Program* program, const char*, const char**) {
  PROGRAM(nvrtcGetLoweredName, program)
  return program->compiled ? NAME_EXPRESSION_NOT_VALID : NO_LOWERED_NAMES_BEFORE_COMPILATION;
}

// --- what tests ask of the stand-in ---

// Where the compiler, the headers and the cache are; `salt` stands for all of them in the names of cached objects.
EXPORT void xdnn_mock_nvrtc_setup(const char* compiler, const char* headers, const char* cache, const char* salt) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  s.compiler = compiler;
  s.headers = headers;
  s.cache = cache;
  s.salt = salt;
}

// Makes the `nth` call from now of the function fail, or with 0 every call.
EXPORT void xdnn_mock_nvrtc_fail(const char* function, int nth, int error) {
  std::lock_guard<std::mutex> lock(state().mutex);
  Entry& entry = state().entries[function];
  if (nth > 0)
    entry.failures[entry.calls + nth] = error;
  else
    entry.always = error;
}

EXPORT uint64_t xdnn_mock_nvrtc_calls(const char* function) {
  std::lock_guard<std::mutex> lock(state().mutex);
  return state().entries[function].calls;
}

// Forgets failures and counts.
EXPORT void xdnn_mock_nvrtc_reset() {
  std::lock_guard<std::mutex> lock(state().mutex);
  state().entries.clear();
}

// Programs that were not destroyed.
EXPORT uint64_t xdnn_mock_nvrtc_live() {
  std::lock_guard<std::mutex> lock(state().mutex);
  return state().programs.size();
}

// Compilations that found nothing in the cache.
EXPORT uint64_t xdnn_mock_nvrtc_builds() {
  std::lock_guard<std::mutex> lock(state().mutex);
  return state().builds;
}
