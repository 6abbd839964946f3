// Who we are, for a registry. A secret goes to the registry that it was stored for, and to the token server that this
// registry names; never anywhere else, and never where others can read it.
// Source: RFC 7617; Distribution's "Token Authentication Specification" and "OAuth2 Token Authentication".

import { type Challenge, parseChallenges } from "./challenge.ts";
import { ImageError } from "./error.ts";
import { exchange, type HttpOptions, type HttpResponse, refusalText } from "./http.ts";
import { isInternal, isLoopback } from "./hosts.ts";
import { redact } from "./redact.ts";
import { parseObject } from "./source.ts";

/** What proves who we are. */
export type Credential =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** Is exchanged for tokens. */
  | { readonly kind: "identity"; readonly token: string }
  /** Is sent as it is. */
  | { readonly kind: "registry"; readonly token: string };

const TOKEN_BYTES = 1 << 20;
/** A token that says nothing else is good for this long. */
const TOKEN_SECONDS = 60;

/** Authorization at one registry, for one scope. */
export class Authentication {
  /** The challenge that the registry answered with; undefined while it asked for nothing. */
  challenge: string | undefined;
  readonly #registry: URL;
  readonly #scope: string;
  readonly #findCredential: () => Promise<Credential | undefined>;
  readonly #options: HttpOptions;
  #value: string | undefined;
  #expiresAt = Infinity;

  /** `scope` is what is asked for, such as `repository:acme/my-filter:pull,push`. */
  constructor(
    registry: URL,
    scope: string,
    findCredential: () => Promise<Credential | undefined>,
    options: HttpOptions,
  ) {
    this.#registry = registry;
    this.#scope = scope;
    this.#findCredential = findCredential;
    this.#options = options;
  }

  /** The header for the next request to the registry; renewed when it is about to expire. */
  async header(): Promise<string | undefined> {
    if (this.challenge !== undefined && Date.now() > this.#expiresAt) await this.#answer(this.challenge);
    return this.#value;
  }

  /** Answers a 401; throws when there is nothing to answer with. */
  async challenged(response: HttpResponse): Promise<void> {
    this.challenge = response.headers.get("www-authenticate") ?? "";
    await this.#answer(this.challenge);
  }

  async #answer(header: string): Promise<void> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const basic = challenges.find(({ scheme }) => scheme === "basic");
    if (bearer) await this.#askForToken(bearer);
    else if (basic) await this.#useBasic();
    else {
      const asked = challenges.map(({ scheme }) => scheme).join(", ") || "nothing";
      throw new ImageError(`${this.#registry.host} wants a login and asks for ${asked}; Basic or Bearer was expected`);
    }
  }

  async #useBasic(): Promise<void> {
    const credential = await this.#credential();
    if (credential?.kind !== "password") throw new ImageError(missing(this.#registry.host));
    if (!isPrivate(this.#registry)) {
      throw new ImageError(
        `${this.#registry.host} wants a password over plain HTTP, where others could read it; only https, or this machine, gets one`,
      );
    }
    this.#value = basicHeader(credential);
    this.#keep(this.#value);
  }

  async #askForToken({ parameters }: Challenge): Promise<void> {
    const credential = await this.#credential();
    if (credential?.kind === "registry") {
      if (!isPrivate(this.#registry)) throw new ImageError(`a token does not go to ${this.#registry.origin}: no https`);
      this.#value = `Bearer ${checkToken(credential.token, this.#registry.host)}`;
      return;
    }
    const realm = this.#realm(parameters.get("realm") ?? "", credential !== undefined);
    if (credential && !isPrivate(this.#registry)) {
      throw new ImageError(
        `${this.#registry.host} wants a token over plain HTTP, where others could read and use it; only https, or this machine, gets one that a login was given for`,
      );
    }
    const answer = await this.#exchangeToken(realm, parameters.get("service"), credential);
    const document = parseObject(answer.body, `the token of ${realm.host}`);
    const token = checkToken(document["token"] ?? document["access_token"], realm.host);
    const seconds = Number(document["expires_in"] ?? TOKEN_SECONDS);
    // Renewed early: the request that carries it takes its time.
    this.#expiresAt = Date.now() + (Number.isFinite(seconds) ? Math.max(seconds, TOKEN_SECONDS) * 800 : 0);
    this.#value = `Bearer ${token}`;
    this.#keep(token);
  }

  /** The token server, when a credential may go there. */
  #realm(text: string, hasCredential: boolean): URL {
    const registry = this.#registry;
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    if (!realm || !/^https?:$/.test(realm.protocol)) {
      const said = redact(JSON.stringify(text), this.#options.secrets);
      throw new ImageError(`${registry.host} names the token server ${said}; a URL was expected`);
    }
    const fail = (why: string): never => {
      throw new ImageError(
        `${registry.host} names the token server ${realm.origin}, which gets no credentials: ${why}`,
      );
    };
    if (isInternal(realm.hostname) && !isInternal(registry.hostname)) {
      fail("its address is one of a private network, the registry's is not");
    }
    if (!hasCredential) return realm;
    const areHere = isLoopback(realm.hostname) && isLoopback(registry.hostname);
    if (realm.protocol !== "https:" && !areHere) fail("it does not use https");
    const isSameHost = realm.hostname === registry.hostname;
    if (!isSameHost && !areHere && registry.protocol !== "https:") {
      fail("the registry that names it does not use https itself");
    }
    return realm;
  }

  async #exchangeToken(
    realm: URL,
    service: string | undefined,
    credential: Credential | undefined,
  ): Promise<HttpResponse> {
    const url = new URL(realm);
    url.username = url.password = "";
    const query = { ...(service !== undefined && { service }), scope: this.#scope };
    const form = credential?.kind === "identity" && {
      grant_type: "refresh_token",
      client_id: "proxy-wasm",
      refresh_token: credential.token,
    };
    if (!form) for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const request = {
      url,
      limit: TOKEN_BYTES,
      ...(form
        ? {
            method: "POST",
            headers: { "content-type": "application/x-www-form-urlencoded" },
            body: new URLSearchParams({ ...form, ...query }).toString(),
          }
        : {
            method: "GET",
            ...(credential?.kind === "password" && { headers: { authorization: basicHeader(credential) } }),
          }),
    };
    const answer = await exchange(request, this.#options);
    if (answer.status === 200) return answer;
    if (answer.status >= 300 && answer.status < 400) {
      throw new ImageError(`the token server ${url.host} redirects, and credentials do not go along`);
    }
    const text = refusalText(request, answer, this.#options.secrets);
    const denied = answer.status === 401 || answer.status === 403;
    throw new ImageError(denied && !credential ? `${missing(this.#registry.host)} (${text})` : text);
  }

  async #credential(): Promise<Credential | undefined> {
    const credential = await this.#findCredential();
    if (!credential) return undefined;
    this.#keep(credential.kind === "password" ? credential.password : credential.token);
    if (credential.kind === "password") this.#keep(basicHeader(credential).slice("Basic ".length));
    return credential;
  }

  /** Keeps a text out of everything that is shown. */
  #keep(secret: string): void {
    this.#options.secrets.add(secret);
  }
}

/** Whether nobody can read along on the way to this server. */
function isPrivate({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || isLoopback(hostname);
}

function basicHeader({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function checkToken(token: unknown, host: string): string {
  // What `fetch` says of a header that it does not take would show the token.
  if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new ImageError(`${host} gave no token; a member "token" or "access_token" was expected`);
}

function missing(host: string): string {
  return `${host} wants a login, and there is none for it: give --username and --password-stdin, or log in with docker, podman or oras`;
}
