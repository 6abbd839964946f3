// The part of WASI that proxies offer. Source: proxy-wasm-cpp-host src/exports.cc; what a running Envoy 1.40 answered.

import { LogLevel } from "../../assembly/abi.ts";
import { bytesOf, decodeText, encodeText } from "../encoding/bytes.ts";
import { beyond } from "../limits.ts";
import type { Surroundings } from "./families.ts";

const [SUCCESS, BADF, FAULT, FBIG, INVAL, NOENT, NOTDIR, NOSYS, NOTSUP] = [0, 8, 21, 22, 28, 44, 20, 52, 58];

/** A WASI function: takes 32-bit numbers and bigints, gives an errno. */
export type WasiCall = (...args: never[]) => number;

/** The WASI functions of a VM, by name. */
export function wasiCalls({ vm, plugin, host }: Surroundings): Record<string, WasiCall> {
  const isOutput = (fd: number): boolean => fd === 1 || fd === 2;
  const outputOnly = (fd: number): number => (isOutput(fd) ? SUCCESS : BADF);
  const answers = (errno: number) => (): number => errno;
  const writeNumbers = (...pairs: [at: number, value: number][]): number =>
    pairs.some(([at, value]) => vm.memory.writeNumber(at, value)) ? FAULT : SUCCESS;
  const environment = (): string[] =>
    Object.entries(plugin.options.environment).map(([name, value]) => encodeText(`${name}=${value}\0`));

  const write = (fd: number, vectors: number, count: number, returnWritten: number): number => {
    if (!isOutput(fd)) return BADF;
    let text = "";
    const most = host.limits.logLineBytes;
    if (!vm.memory.has(vectors, count * 8)) return FAULT;
    for (let at = vectors; at < vectors + count * 8; at += 8) {
      const [start, size] = [vm.memory.number(at), vm.memory.number(at + 4)];
      if (!vm.memory.has(start, size)) return FAULT;
      if (text.length + size > most) {
        const { reason } = beyond("logLineBytes", "the bytes of the line", text.length + size, host.limits);
        vm.context?.trace.push({ kind: "note", text: `fd_write → EFBIG: ${reason}` });
        return FBIG;
      }
      text += vm.memory.text(start, size);
    }
    const entry = { level: fd === 1 ? LogLevel.Info : LogLevel.Error, message: decodeText(text.replace(/\n$/, "")) };
    if (entry.level >= host.logLevel) {
      vm.context?.trace.push({ kind: "log", ...entry });
      host.log(entry, vm.context);
    }
    return writeNumbers([returnWritten, text.length]);
  };

  return {
    fd_write: write,
    fd_pwrite: (fd: number, vectors: number, count: number, _offset: bigint, returnWritten: number) =>
      write(fd, vectors, count, returnWritten),
    fd_fdstat_get(fd: number, returnStat: number) {
      if (!isOutput(fd)) return BADF;
      const stat = vm.memory.writeLong(returnStat, 0n) ?? vm.memory.writeLong(returnStat + 8, 64n);
      return (stat ?? vm.memory.writeLong(returnStat + 16, 0n)) ? FAULT : SUCCESS;
    },
    fd_tell: (fd: number, returnOffset: number) =>
      !isOutput(fd) ? BADF : vm.memory.writeLong(returnOffset, 0n) ? FAULT : SUCCESS,
    fd_readdir: (_fd: number, _buffer: number, _size: number, _cookie: bigint, returnSize: number) => {
      writeNumbers([returnSize, 0]);
      return NOTDIR;
    },
    fd_renumber: (from: number, to: number) => (isOutput(from) && isOutput(to) ? NOTSUP : BADF),
    fd_fdstat_set_rights: outputOnly,
    fd_allocate: outputOnly,
    fd_filestat_set_size: outputOnly,
    fd_datasync: outputOnly,
    fd_sync: outputOnly,
    fd_filestat_set_times: outputOnly,
    fd_read: answers(NOSYS),
    fd_pread: answers(NOSYS),
    fd_fdstat_set_flags: answers(NOSYS),
    fd_prestat_dir_name: answers(NOSYS),
    fd_seek: answers(SUCCESS),
    fd_close: answers(SUCCESS),
    fd_advise: answers(SUCCESS),
    fd_filestat_get: answers(BADF),
    fd_prestat_get: answers(BADF),
    environ_sizes_get(returnCount: number, returnSize: number) {
      const entries = environment();
      return writeNumbers([returnCount, entries.length], [returnSize, entries.join("").length]);
    },
    environ_get(pointers: number, buffer: number) {
      let at = buffer;
      for (const [index, entry] of environment().entries()) {
        if (vm.memory.writeNumber(pointers + index * 4, at) || !vm.memory.has(at, entry.length)) return FAULT;
        vm.memory.write(at, bytesOf(entry));
        at += entry.length;
      }
      return SUCCESS;
    },
    args_sizes_get: (returnCount: number, returnSize: number) => writeNumbers([returnCount, 0], [returnSize, 0]),
    args_get: answers(SUCCESS),
    clock_time_get: (clock: number, _precision: bigint, returnTime: number) =>
      clock > 1 ? NOTSUP : vm.memory.writeLong(returnTime, host.clock.now()) ? FAULT : SUCCESS,
    clock_res_get: (clock: number, returnResolution: number) =>
      clock > 1 ? NOTSUP : vm.memory.writeLong(returnResolution, 1n) ? FAULT : SUCCESS,
    random_get(buffer: number, size: number) {
      if (size > host.limits.randomBytes) return INVAL;
      if (!vm.memory.has(buffer, size)) return FAULT;
      host.random(vm.memory.view(buffer, size));
      return SUCCESS;
    },
    poll_oneoff: (_in: number, _out: number, _count: number, returnCount: number) => writeNumbers([returnCount, 0]),
    sched_yield: answers(SUCCESS),
    path_open: answers(NOENT),
    path_filestat_get: answers(NOTSUP),
    path_create_directory: answers(NOTSUP),
    path_remove_directory: answers(NOTSUP),
    path_unlink_file: answers(NOTSUP),
    path_rename: answers(NOTSUP),
    path_readlink: answers(NOTSUP),
    path_filestat_set_times: answers(NOTSUP),
    path_link: answers(NOTSUP),
    path_symlink: answers(NOTSUP),
    sock_accept: answers(NOTSUP),
    sock_recv: answers(NOTSUP),
    sock_send: answers(NOTSUP),
    sock_shutdown: answers(NOTSUP),
    // Envoy logs and returns: what follows the call runs on.
    proc_exit: answers(SUCCESS),
  };
}
