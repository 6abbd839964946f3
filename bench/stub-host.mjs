// A host that does next to nothing, so that what is measured is the filter: every host call answers at once, from
// values prepared beforehand. It keeps `live` streams open, as a proxy does, and gives each the callbacks of one request.

const text = new TextEncoder();
const values = new Map(
  Object.entries({
    ":path": "/products/42?color=red",
    ":authority": "shop.example.com",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
  }).map(([name, value]) => [name, text.encode(value)]),
);

/** Instantiates a module and gives `stream()`, which opens a stream, passes a request through it and ends the oldest. */
export async function load(bytes, { live = 16 } = {}) {
  const module = await WebAssembly.compile(bytes);
  let exports, memory;
  const counts = {};
  const latin1 = (at, size) => {
    const bytes = new Uint8Array(memory.buffer, at, size);
    let text = "";
    for (let i = 0; i < size; i++) text += String.fromCharCode(bytes[i]);
    return text;
  };
  const give = (value, data, size) => {
    const at = exports.malloc(value.length);
    new Uint8Array(memory.buffer).set(value, at);
    const view = new DataView(memory.buffer);
    view.setUint32(data, at, true);
    view.setUint32(size, value.length, true);
    return 0;
  };
  const calls = {
    proxy_get_header_map_value(map, key, keySize, data, size) {
      const value = values.get(latin1(key, keySize));
      return value ? give(value, data, size) : 1;
    },
    proxy_get_property: () => 1,
    proxy_get_buffer_bytes(buffer, start, max, data, size) {
      const view = new DataView(memory.buffer);
      view.setUint32(data, 0, true);
      view.setUint32(size, 0, true);
      return 0;
    },
  };
  const env = {};
  for (const { name } of WebAssembly.Module.imports(module)) {
    env[name] = calls[name] ?? (() => 0);
  }
  const instance = await WebAssembly.instantiate(module, { env, wasi_snapshot_preview1: env });
  exports = instance.exports;
  memory = exports.memory;
  exports._initialize?.();
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
  return { stream, exports, counts, pages: () => memory.buffer.byteLength / 65536 };
}
