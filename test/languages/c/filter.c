// The filter in C, with nothing but the compiler.

#include <stddef.h>
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(proxy_log) uint32_t proxy_log(uint32_t level, const char *message, size_t size);
IMPORT(proxy_get_header_map_value)
uint32_t get_header(uint32_t map, const char *key, size_t key_size, const char **value, size_t *value_size);
IMPORT(proxy_replace_header_map_value)
uint32_t replace_header(uint32_t map, const char *key, size_t key_size, const char *value, size_t value_size);

static char answers[65536];
static size_t used;

EXPORT(malloc) void *allocate(size_t size) {
  if (size > sizeof answers - used) return NULL;
  void *answer = answers + used;
  used += size;
  return answer;
}

EXPORT(proxy_abi_version_0_2_1) void abi_version(void) {}
EXPORT(proxy_on_vm_start) uint32_t on_vm_start(uint32_t context, uint32_t size) { return 1; }
EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t context, uint32_t size) { return 1; }
EXPORT(proxy_on_context_create) void on_context_create(uint32_t context, uint32_t parent) {}

EXPORT(proxy_on_request_headers)
uint32_t on_request_headers(uint32_t context, uint32_t count, uint32_t end_of_stream) {
  static char line[4096] = "path ";
  const char *path;
  size_t size;
  used = 0;
  if (get_header(0, ":path", 5, &path, &size) == 0 && size < sizeof line - 5) {
    for (size_t i = 0; i < size; i++) line[5 + i] = path[i];
    proxy_log(2, line, 5 + size);
    if (size == 5 && path[1] == 't') __builtin_trap();
  }
  return 0;
}

EXPORT(proxy_on_response_headers)
uint32_t on_response_headers(uint32_t context, uint32_t count, uint32_t end_of_stream) {
  replace_header(2, "x-language", 10, "c", 1);
  return 0;
}
