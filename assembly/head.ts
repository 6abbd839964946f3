// Where a word of a message comes from: its header while the proxy has the headers for this filter, else the property.
// The answer stays where host calls put it, to be read at once.

import { Status } from "./abi";
import { proxy_get_header_map_value } from "./env";
import { answerData, answerSize, answerText, beginCall, write, written } from "./memory";
import { askBelow, askKnown } from "./properties";
import { checked, FOUND_OR_NOT } from "./status";

/** The numbers of header maps lie below: what lies beyond stands for a stream that the host does not know any more. */
const MOST_MAPS: u32 = 8;

/** Whether the host knows the stream whose map has this number. */
export function isKnown(map: u32): bool {
  return map < MOST_MAPS;
}

/** Asks for the header with the name at `header`, else for the property at `property`; `true` when there is one. */
export function askWord(map: u32, header: usize, property: usize): bool {
  const status = askMap(map, header);
  return status == Status.Ok || (status == Status.BadArgument && askKnown(property) == Status.Ok);
}

/** As `askWord` for a header that is a property below the one at `group`. */
export function askHeader(map: u32, name: usize, group: usize): bool {
  const status = askMap(map, name);
  return status == Status.Ok || (status == Status.BadArgument && askBelow(group, name) == Status.Ok);
}

/** The address of the answer. */
export function wordStart(): usize {
  return load<usize>(answerData);
}

/** The address behind the answer. */
export function wordEnd(): usize {
  return load<usize>(answerData) + load<usize>(answerSize);
}

/** The answer as text. */
export function wordText(): string {
  return answerText();
}

/** `BadArgument` when the proxy does not have the map now, which is no fault. */
function askMap(map: u32, name: usize): u32 {
  if (!isKnown(map)) return Status.NotFound;
  beginCall();
  const key = write(name);
  const status = proxy_get_header_map_value(map, key, written, answerData, answerSize);
  const expected = FOUND_OR_NOT | (1 << Status.BadArgument);
  return checked(changetype<usize>("proxy_get_header_map_value"), status, expected, memory.data(4));
}
