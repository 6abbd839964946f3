// A host that does next to nothing, so that what is measured is the filter: every host call answers at once, from
// values prepared beforehand. It keeps `live` streams open, as a proxy does, and gives each the callbacks of one request.

const text = new TextEncoder();
const path = text.encode("/products/42?color=red");
const authority = text.encode("shop.example.com");
const agent = text.encode("Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0");
const nothingAtAll = new Uint8Array(0);
const colon = 0x3a;

/** Instantiates a module and gives `stream()`, which opens a stream, passes a request through it and ends the oldest. */
export async function load(bytes, { live = 16 } = {}) {
  const module = await WebAssembly.compile(bytes);
  let memory, allocate;
  // Views of the memory are made anew when it has grown.
  let octets = new Uint8Array(0);
  let words = new Uint32Array(0);
  const look = () => {
    octets = new Uint8Array(memory.buffer);
    words = new Uint32Array(memory.buffer);
  };
  const give = (value, data, size) => {
    const at = allocate(value.length);
    if (!octets.length) look();
    octets.set(value, at);
    words[data >> 2] = at;
    words[size >> 2] = value.length;
    return 0;
  };
  const calls = {
    // Of the names that are asked for, first byte and length tell which one it is.
    proxy_get_header_map_value(map, key, keySize, data, size) {
      if (!octets.length) look();
      if (octets[key] === colon) return give(keySize === 5 ? path : authority, data, size);
      return keySize === 10 ? give(agent, data, size) : 1;
    },
    // The root id, which other SDKs ask for.
    proxy_get_property: (name, nameSize, data, size) => give(nothingAtAll, data, size),
    proxy_get_buffer_bytes(buffer, start, max, data, size) {
      if (!octets.length) look();
      words[data >> 2] = 0;
      words[size >> 2] = 0;
      return 0;
    },
  };
  const env = {};
  for (const { name } of WebAssembly.Module.imports(module)) {
    env[name] = calls[name] ?? (() => 0);
  }
  const instance = await WebAssembly.instantiate(module, { env, wasi_snapshot_preview1: env, wasi_unstable: env });
  const { exports } = instance;
  memory = exports.memory;
  allocate = exports.malloc ?? exports.proxy_on_memory_allocate;
  (exports._initialize ?? exports._start)?.();
  exports.proxy_on_context_create?.(1, 0);
  exports.proxy_on_vm_start?.(1, 0);
  exports.proxy_on_configure?.(1, 0);

  const nothing = () => 0;
  const create = exports.proxy_on_context_create ?? nothing;
  const requestHeaders = exports.proxy_on_request_headers ?? nothing;
  const responseHeaders = exports.proxy_on_response_headers ?? nothing;
  const log = exports.proxy_on_log ?? nothing;
  const done = exports.proxy_on_done ?? nothing;
  const remove = exports.proxy_on_delete ?? nothing;
  const end = (id) => {
    log(id);
    done(id);
    remove(id);
  };
  let next = 2;
  const stream = () => {
    const id = next++;
    create(id, 1);
    requestHeaders(id, 9, 1);
    responseHeaders(id, 7, 0);
    if (id - live > 1) end(id - live);
  };
  return { stream, exports, pages: () => memory.buffer.byteLength / 65536 };
}
