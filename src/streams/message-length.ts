// Whether a body that goes out is as long as its head says. Envoy does not look.

import type { Body } from "../http/body.ts";
import type { HttpProtocol } from "../http/codec.ts";
import type { Which } from "./direction.ts";
import { EnvoyFault, HostFault } from "../error.ts";
import type { HeaderMap } from "../http/header-map.ts";
import type { HostProfile } from "../profiles/profile.ts";

/** Counts the bytes of a message on its way out. */
export class MessageLength {
  readonly #what: Which;
  readonly #protocol: HttpProtocol;
  readonly #profile: HostProfile;
  readonly #announced: string | undefined;
  #sent = 0;

  /** The head goes out, with a body to follow. */
  constructor(what: Which, headers: HeaderMap, protocol: HttpProtocol, profile: HostProfile) {
    this.#what = what;
    this.#protocol = protocol;
    this.#profile = profile;
    this.#announced = headers.get("content-length");
  }

  /** A piece of the body goes out. */
  data(data: Body): void {
    this.#sent += data.length;
  }

  /** The message ends; an `EnvoyFault` when it does so too early or too late. */
  end(): void {
    if (this.#announced === undefined || Number(this.#announced) === this.#sent) return;
    const { title, server } = this.#profile;
    const Fault = server === "envoy" ? EnvoyFault : HostFault;
    const becomes =
      this.#protocol === "HTTP/2"
        ? "breaks the stream off (PROTOCOL_ERROR)"
        : "waits for ever, or takes what is too much for the next message";
    throw new Fault(
      `the ${this.#what}'s body has ${this.#sent} bytes, and its content-length says ${this.#announced}: ${title} sends ` +
        `both as they are, and the other side ${becomes}. ` +
        `Remove content-length in on_${this.#what}_headers when the body will be changed.`,
    );
  }
}
