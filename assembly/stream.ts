// What a filter can do to the stream it sees: let it go on, end it, or answer it.

import { GRPC_STATUS_UNSET, Status, StreamType } from "./abi";
import {
  proxy_close_stream,
  proxy_continue_request,
  proxy_continue_response,
  proxy_continue_stream,
  proxy_send_local_response,
} from "./env";
import { Headers } from "./headers";
import { beginCall, reserve, write, written } from "./memory";
import { checked, complain, DONE } from "./status";
import { ABI } from "./version";

/** Lets a held half of the stream go on, after the running callback. ABI 0.1.0 has no call for TCP: `Unimplemented`. */
export function continueStream(stream: StreamType): Status {
  if (ABI < 20) {
    if (stream > StreamType.HttpResponse) {
      complain(changetype<usize>("not continued: ABI 0.1.0 cannot continue a TCP stream"), memory.data(4));
      return Status.Unimplemented;
    }
    const status = stream == StreamType.HttpRequest ? proxy_continue_request() : proxy_continue_response();
    return checked(changetype<usize>("proxy_continue_request/response"), status, DONE, memory.data(4));
  }
  const status = proxy_continue_stream(stream);
  return checked(changetype<usize>("proxy_continue_stream"), status, DONE, memory.data(4));
}

/** Ends the stream without an answer, after the running callback. ABI 0.1.0 has no such call: `Unimplemented`. */
export function closeStream(stream: StreamType): Status {
  if (ABI < 20) {
    complain(changetype<usize>("not closed: ABI 0.1.0 cannot close a stream"), memory.data(4));
    return Status.Unimplemented;
  }
  const status = proxy_close_stream(stream);
  return checked(changetype<usize>("proxy_close_stream"), status, DONE, memory.data(4));
}

/** Answers the request from the proxy; body and details are text. */
export function sendLocalResponse(
  statusCode: u32,
  body: string,
  headers: Headers | null,
  grpcStatus: i32 = GRPC_STATUS_UNSET,
  details: string = "",
): Status {
  beginCall();
  const reason = write(changetype<usize>(details));
  const reasonSize = written;
  const text = write(changetype<usize>(body));
  return send(statusCode, reason, reasonSize, text, written, headers, grpcStatus);
}

/** Answers the request from the proxy; the body is bytes. */
export function sendLocalResponseBytes(
  statusCode: u32,
  body: Uint8Array,
  headers: Headers | null,
  grpcStatus: i32 = GRPC_STATUS_UNSET,
  details: string = "",
): Status {
  beginCall();
  const reason = write(changetype<usize>(details));
  return send(statusCode, reason, written, body.dataStart, body.byteLength, headers, grpcStatus);
}

function send(
  statusCode: u32,
  details: usize,
  detailsSize: usize,
  body: usize,
  bodySize: usize,
  headers: Headers | null,
  grpcStatus: i32,
): Status {
  const pairs = headers !== null ? headers.encode() : reserve(0);
  return checked(
    changetype<usize>("proxy_send_local_response"),
    proxy_send_local_response(statusCode, details, detailsSize, body, bodySize, pairs, written, grpcStatus),
    DONE,
    memory.data(4),
  );
}
