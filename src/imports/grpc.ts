// gRPC callouts.

import { beyond } from "../limits.ts";
import { decodePairs } from "../encoding/pairs.ts";
import { type Family, isRefusal } from "./families.ts";

export const grpcCalls: Family = ({ vm, host: { limits } }) => {
  /** What calls and streams begin with, or the refusal of a place outside of the memory. */
  const common = (places: [what: string, at: number, size: number][]) => {
    let given = 0;
    for (const [what, at, size] of places) {
      if (!vm.memory.has(at, size)) return vm.memory.outside(what, at, size);
      given += size;
    }
    if (given <= limits.calloutRequestBytes) return undefined;
    return beyond("calloutRequestBytes", "the bytes of the gRPC call", given, limits);
  };
  return {
    proxy_grpc_call(
      target: number,
      targetSize: number,
      service: number,
      serviceSize: number,
      method: number,
      methodSize: number,
      metadata: number,
      metadataSize: number,
      message: number,
      messageSize: number,
      timeoutMs: number,
      returnCall: number,
    ) {
      const { memory } = vm;
      const wrong = common([
        ["the cluster", target, targetSize],
        ["the service", service, serviceSize],
        ["the method", method, methodSize],
        ["the metadata", metadata, metadataSize],
        ["the message", message, messageSize],
      ]);
      if (wrong) return wrong;
      const caller = vm.context!;
      const id = caller.root.inbox.grpcCall(
        {
          target: memory.copy(target, targetSize),
          service: memory.text(service, serviceSize),
          method: memory.text(method, methodSize),
          metadata: decodePairs(memory.view(metadata, metadataSize), limits),
          message: memory.copy(message, messageSize),
          timeoutMs,
        },
        caller,
      );
      return isRefusal(id) ? id : memory.writeNumber(returnCall, id);
    },

    proxy_grpc_stream(
      target: number,
      targetSize: number,
      service: number,
      serviceSize: number,
      method: number,
      methodSize: number,
      metadata: number,
      metadataSize: number,
      returnStream: number,
    ) {
      const { memory } = vm;
      const wrong = common([
        ["the cluster", target, targetSize],
        ["the service", service, serviceSize],
        ["the method", method, methodSize],
        ["the metadata", metadata, metadataSize],
      ]);
      if (wrong) return wrong;
      const caller = vm.context!;
      const id = caller.root.inbox.grpcCall(
        {
          target: memory.copy(target, targetSize),
          service: memory.text(service, serviceSize),
          method: memory.text(method, methodSize),
          metadata: decodePairs(memory.view(metadata, metadataSize), limits),
          message: undefined,
          timeoutMs: undefined,
        },
        caller,
      );
      return isRefusal(id) ? id : memory.writeNumber(returnStream, id);
    },

    proxy_grpc_send(call: number, message: number, messageSize: number, endOfStream: number) {
      const { memory } = vm;
      const wrong = common([["the message", message, messageSize]]);
      if (wrong) return wrong;
      return vm.context!.root.inbox.grpcSend(call, memory.copy(message, messageSize), endOfStream !== 0);
    },

    proxy_grpc_cancel(call: number) {
      return vm.context!.root.inbox.grpcEnd(call, "cancel");
    },

    proxy_grpc_close(call: number) {
      return vm.context!.root.inbox.grpcEnd(call, "close");
    },
  };
};
