// The filter in C++, with WASI's C library and libc++.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_map>

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))
#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

extern "C" {
IMPORT(proxy_log) uint32_t proxy_log(uint32_t level, const char *message, size_t size);
IMPORT(proxy_get_header_map_value)
uint32_t get_header(uint32_t map, const char *key, size_t key_size, char **value, size_t *value_size);
IMPORT(proxy_replace_header_map_value)
uint32_t replace_header(uint32_t map, const char *key, size_t key_size, const char *value, size_t value_size);
}

namespace {

struct Freed {
  void operator()(char *answer) const { std::free(answer); }
};

std::string header(uint32_t map, const std::string &name) {
  char *data = nullptr;
  size_t size = 0;
  if (get_header(map, name.data(), name.size(), &data, &size) != 0) return "";
  std::unique_ptr<char, Freed> answer(data);
  return std::string(data, size);
}

// Made by a constructor, which runs in _initialize.
std::unordered_map<uint32_t, std::string> paths{{0, ""}};

}  // namespace

EXPORT(malloc) void *allocate(size_t size) { return std::malloc(size); }
EXPORT(proxy_abi_version_0_2_1) void abi_version() {}
EXPORT(proxy_on_vm_start) uint32_t on_vm_start(uint32_t, uint32_t) { return paths.count(0); }
EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t, uint32_t) { return 1; }
EXPORT(proxy_on_context_create) void on_context_create(uint32_t, uint32_t) {}

EXPORT(proxy_on_request_headers)
uint32_t on_request_headers(uint32_t context, uint32_t, uint32_t) {
  const std::string &path = paths[context] = header(0, ":path");
  const std::string line = "path " + path;
  proxy_log(2, line.data(), line.size());
  if (path == "/trap") std::abort();
  return 0;
}

EXPORT(proxy_on_response_headers)
uint32_t on_response_headers(uint32_t context, uint32_t, uint32_t) {
  const std::string language = paths.at(context).empty() ? "?" : "c++";
  replace_header(2, "x-language", 10, language.data(), language.size());
  return 0;
}

EXPORT(proxy_on_delete) void on_delete(uint32_t context) { paths.erase(context); }
