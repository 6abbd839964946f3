// Modules that call any host function with any arguments in any callback: what no compiler would make and a hostile
// author might.

import binaryen from "binaryen";

import { callbackSignatures, envFunctions, wasiFunctions } from "../../src/profiles/function-types.ts";

/** Gives whole numbers from 0 up to below `end`. */
export type Random = (end: number) => number;

/** Repeatable random numbers (Marsaglia's xorshift). */
export function randomNumbers(seed: number): Random {
  let state = seed * 2_654_435_761 || 1;
  return (end) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % end;
  };
}

/** How many calls each callback chooses from, one after the other. */
const CALLS = 8;
const PAGE = 65_536;
const MEMORY = 2 * PAGE;

/** Values that calls make sense with, where the module's memory has them. */
const words = [
  ":path",
  ":authority",
  ":status",
  "content-length",
  "x-a",
  "",
  "a\r\nb: c",
  "\u0000",
  "request\0path",
  "request\0headers\0x-a",
  "plugin_name",
  "xds",
  "source\0address",
  "auth",
  "nobody",
  "queue",
  "vm",
  "compress",
  "clear_route_cache",
  "100",
  "/some/path?a=b",
  // Two header maps: one header, and a count that promises more than there is.
  "\x01\0\0\0\x03\0\0\0\x01\0\0\0x-a\0b\0",
  "\xff\xff\xff\x7f\x03\0\0\0\x01\0\0\0x-a\0b\0",
  "\x03\0\0\0\x05\0\0\0\x01\0\0\0\x07\0\0\0\x03\0\0\0\x0a\0\0\0\x04\0\0\0:path\0/\0:method\0GET\0:authority\0auth\0",
];

/** Where each word stands, and how long it is. */
const places: [number, number][] = [];
let end = 1024;
for (const word of words) {
  places.push([end, word.length]);
  end += word.length + 1;
}
/** Much of the memory, with words in it. */
const expanses: [number, number][] = [
  [0, MEMORY],
  [1024, PAGE],
  [4096, 1000],
];
const data = Buffer.from(words.join("\0"), "latin1");

/** How often a hungry module does a call at once, and one that never ends. */
const [OFTEN, FOR_EVER] = [50_000, -1];

/** Makes a module. A hungry one does some of its calls over and over, with all of its memory, or for ever. */
export function randomModule(random: Random, hungry: boolean = false): Uint8Array {
  const module = new binaryen.Module();
  const { i32, i64, none } = binaryen;
  const typeOf = (text: string | undefined): number => (text === "i32" ? i32 : text === "i64" ? i64 : none);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;

  const functions: { name: string; parameters: string[]; result: string | undefined }[] = [];
  const offered = [
    ...Object.entries(envFunctions)
      .filter(([, { versions }]) => versions.includes("0.2.1"))
      .map(([name, { signature }]) => ["env", name, signature] as const),
    ...Object.entries(wasiFunctions).map(([name, signature]) => ["wasi_snapshot_preview1", name, signature] as const),
  ];
  for (const [from, name, signature] of offered) {
    const [parameters = "", result] = signature.split("->").map((part) => part.trim());
    const list = parameters.split(" ").filter((type) => type);
    module.addFunctionImport(name, from, name, binaryen.createType(list.map(typeOf)), typeOf(result));
    functions.push({ name, parameters: list, result });
  }
  const keepers = functions.filter(({ name }) =>
    /log|add_header|set_|send|shared|metric|http_call|grpc|foreign|continue|resolve|fd_write/.test(name),
  );
  const proxyCalls = functions.filter(({ name }) => name.startsWith("proxy_"));

  module.setMemory(2, 4, "memory", [{ offset: module.i32.const(1024), data }]);
  module.addGlobal("at", i32, true, module.i32.const(0));
  module.addGlobal("count", i32, true, module.i32.const(0));
  module.addGlobal("top", i32, true, module.i32.const(8192));
  module.addFunction("proxy_abi_version_0_2_1", none, none, [], module.nop());
  module.addFunctionExport("proxy_abi_version_0_2_1", "proxy_abi_version_0_2_1");

  /** A number of any kind, or an address with the size behind it. */
  const argument = (): number =>
    pick([
      random(4),
      random(10),
      random(256),
      MEMORY - random(8),
      random(MEMORY),
      0xffff_ffff - random(3),
      0x8000_0000,
    ]);
  /** Any call; one of many in a row asks for something to be kept, under another name each time. */
  const call = (isOneOfMany = false): number => {
    const { name, parameters, result } = pick(isOneOfMany ? keepers : random(8) ? proxyCalls : functions);
    const args: number[] = [];
    for (let i = 0; i < parameters.length; i++) {
      if (parameters[i] === "i64") args.push(module.i64.const(BigInt(argument()) - 2n));
      else if (i + 1 < parameters.length && parameters[i + 1] === "i32" && random(2)) {
        if (isOneOfMany && random(2)) {
          const size = module.i32.and(module.global.get("count", i32), module.i32.const(0xffff));
          args.push(module.i32.const(1024), size);
          i++;
          continue;
        }
        const [at, size] = isOneOfMany && random(2) ? pick(expanses) : pick(places);
        args.push(module.i32.const(at), module.i32.const(random(20) ? size : argument()));
        i++;
      } else args.push(module.i32.const(random(4) ? random(10) : argument()));
    }
    const expression = module.call(name, args, typeOf(result));
    return result ? module.drop(expression) : expression;
  };
  const manyCalls = (): number => {
    const times = module.i32.const(random(20) ? OFTEN : FOR_EVER);
    const count = module.global.get("count", i32);
    return module.block(null, [
      module.global.set("count", module.i32.const(0)),
      module.loop(
        "again",
        module.block(null, [
          call(true),
          module.global.set("count", module.i32.add(count, module.i32.const(1))),
          module.br("again", module.i32.lt_u(module.global.get("count", i32), times)),
        ]),
      ),
    ]);
  };
  const something = (): number => {
    if (hungry && random(2)) return manyCalls();
    if (random(400) === 0) return module.unreachable();
    if (random(200) === 0) return module.drop(module.memory.grow(module.i32.const(random(3))));
    return call();
  };
  /** Does the next of its calls each time. */
  const body = (result: number | undefined): number => {
    const chosen = (index: number): number =>
      module.i32.eq(module.i32.rem_u(module.global.get("at", i32), module.i32.const(CALLS)), module.i32.const(index));
    const statements = Array.from({ length: CALLS }, (_, index) => {
      const calls = Array.from({ length: random(3) }, something);
      return calls.length ? module.if(chosen(index), module.block(null, calls)) : module.nop();
    });
    const next = module.global.set("at", module.i32.add(module.global.get("at", i32), module.i32.const(1)));
    return module.block(null, [next, ...statements, ...(result === undefined ? [] : [result])]);
  };

  /** Registers a queue, so that items can be put in. */
  const queue = (): number =>
    module.drop(module.call("proxy_register_shared_queue", [1024, 1, 512].map(module.i32.const), i32));

  for (const [name, signature] of Object.entries(callbackSignatures)) {
    if (["_start", "main", "__main_void", "proxy_on_memory_allocate"].includes(name)) continue;
    if (name !== "malloc" && random(4) === 0) continue;
    const [parameters = "", result] = signature.split("->").map((part) => part.trim());
    const types = binaryen.createType(
      parameters
        .split(" ")
        .filter((type) => type)
        .map(typeOf),
    );
    if (name === "_initialize") {
      module.addFunction(name, none, none, [], random(20) ? module.nop() : something());
    } else if (name === "malloc") {
      const top = module.global.get("top", i32);
      const taken = module.global.set("top", module.i32.add(top, module.local.get(0, i32)));
      const address = random(20)
        ? module.i32.sub(module.global.get("top", i32), module.local.get(0, i32))
        : module.i32.const(argument());
      const careless = random(30) ? module.nop() : something();
      module.addFunction(name, types, i32, [], module.block(null, [taken, careless, address]));
    } else {
      const accepts = name === "proxy_on_vm_start" || name === "proxy_on_configure";
      const answer = module.i32.const(accepts ? 1 : pick([0, 0, 0, 0, 1, 1, 2, 3, 4, 0xffff_ffff]));
      const whole = body(result ? answer : undefined);
      const first = hungry && name === "proxy_on_configure" ? [queue()] : [];
      module.addFunction(name, types, typeOf(result), [], module.block(null, [...first, whole], typeOf(result)));
    }
    module.addFunctionExport(name, name);
  }
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}
