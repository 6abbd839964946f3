// The configurations that an operator gives to the VM and to the plugin.

import { BufferType, Status } from "./abi";
import { proxy_get_buffer_bytes, proxy_get_configuration } from "./env";
import { answerBytes, answerData, answerSize, answerText, beginCall } from "./memory";
import { checked, FOUND_OR_NOT } from "./status";
import { ABI } from "./version";

/** The configuration in this buffer as text; `""` when it is empty, `null` when it cannot be read now. */
export function configurationText(buffer: BufferType): string | null {
  return ask(buffer) == Status.Ok ? answerText() : null;
}

/** The configuration in this buffer as bytes; no bytes when it is empty, `null` when it cannot be read now. */
export function configurationBytes(buffer: BufferType): Uint8Array | null {
  return ask(buffer) == Status.Ok ? answerBytes() : null;
}

/** Whether `onConfigure` is running. */
let configuring: bool = false;

/** `onConfigure` begins or ends. */
export function setConfiguring(now: bool): void {
  if (ABI < 20) configuring = now;
}

function ask(buffer: BufferType): Status {
  beginCall();
  if (ABI < 20) {
    // One call for both: it gives the plugin's configuration in `onConfigure`, and the VM's elsewhere.
    if (configuring != (buffer == BufferType.PluginConfiguration)) return Status.NotFound;
    const status = proxy_get_configuration(answerData, answerSize);
    return checked(changetype<usize>("proxy_get_configuration"), status, FOUND_OR_NOT, memory.data(4));
  }
  const status = proxy_get_buffer_bytes(buffer, 0, usize.MAX_VALUE, answerData, answerSize);
  return checked(changetype<usize>("proxy_get_buffer_bytes"), status, FOUND_OR_NOT, memory.data(4));
}
