// Says the request and the response in the web's words, in every callback.

import { Action, HttpContext, logInfo, Parameters, registerHttpContext, RequestHead } from "proxy-wasm/assembly";

function show(text: string | null): string {
  return text === null ? "null" : '"' + text + '"';
}

function list(parameters: Parameters): string {
  const entries = parameters.entries();
  let text = "";
  for (let i = 0; i < entries.length; i++) text += entries[i].name + "=" + entries[i].value + ";";
  return text;
}

class Filter extends HttpContext {
  private kept: RequestHead | null = null;
  private keptSome: RequestHead | null = null;

  private words(where: string): void {
    const request = this.request;
    logInfo(where + " words " + show(request.method) + show(request.path) + show(request.host) + show(request.scheme));
    logInfo(where + " path " + show(request.pathname) + show(request.query) + list(request.queryParameters));
    logInfo(where + " header " + show(request.header("X-Many")) + request.headerAll("x-MANY").join("|"));
    logInfo(where + " cookies " + list(request.cookies) + show(request.cookie("id")));
    const type = request.contentType;
    logInfo(where + " type " + (type === null ? "null" : type.type + " " + show(type.charset)));
    logInfo(where + " from " + request.forwardedFor.join(">") + show(request.id === null ? null : "id"));
    logInfo(where + " agent " + show(request.userAgent) + show(request.referer) + show(request.protocol));
    logInfo(where + " size " + request.size.toString() + " " + (request.time > 0 ? "began" : "-"));
    const response = this.response;
    const answer = response.contentType;
    logInfo(
      where +
        " response " +
        response.status.toString() +
        (answer === null ? " null " : " " + answer.type + " ") +
        response.headerAll("Set-Cookie").join("|") +
        show(response.header("x-none")) +
        show(response.codeDetails) +
        response.flags.toString() +
        " " +
        response.grpcStatus.toString(),
    );
  }

  private head(where: string, head: RequestHead): void {
    logInfo(where + " words " + show(head.method) + show(head.path) + show(head.host) + show(head.scheme));
    logInfo(where + " path " + show(head.pathname) + show(head.query) + list(head.queryParameters));
    logInfo(where + " header " + show(head.header("X-Many")) + head.headerAll("x-MANY").join("|"));
    logInfo(where + " cookies " + list(head.cookies) + show(head.cookie("id")));
    const type = head.contentType;
    logInfo(where + " type " + (type === null ? "null" : type.type + " " + show(type.charset)));
    logInfo(where + " from " + head.forwardedFor.join(">") + show(head.queryParameter("a")));
  }

  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    this.words("request");
    this.kept = this.request.keep();
    this.keptSome = this.request.keep(["Cookie"]);
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    this.words("response");
    this.head("kept", this.kept!);
    this.head("some", this.keptSome!);
    return Action.Continue;
  }

  override onLog(): void {
    this.words("log");
  }
}

registerHttpContext(() => new Filter());
