// Two plugins in one module: `producer` puts what `x-item` says into the queue of the consumer, `consumer` takes it out,
// in the way that its configuration says.

import {
  Action,
  HttpContext,
  logInfo,
  Queue,
  registerRootContext,
  RootContext,
  SharedData,
  Status,
} from "proxy-wasm/assembly";

class Producer extends RootContext {
  override createHttpContext(): HttpContext {
    return new Producing();
  }
}

class Producing extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const queue = Queue.resolve("consumer", "jobs");
    if (queue === null) {
      this.sendLocalResponse(503, "no queue");
      return Action.Pause;
    }
    const items = this.requestHeaders.getAllBytes("x-item");
    for (let i = 0; i < items.length; i++) queue.enqueueBytes(items[i]);
    if (this.requestHeaders.has("x-answer")) this.sendLocalResponse(200, "queued " + queue.id.toString());
    return Action.Continue;
  }

  override onResponseHeaders(_count: u32, _endOfStream: bool): Action {
    logInfo("answered");
    return Action.Continue;
  }
}

class Consumer extends RootContext {
  private queue: Queue | null = null;
  private mode: string = "";
  private seen: i32 = 0;

  override onConfigure(_configurationSize: u32): bool {
    this.mode = this.configuration!;
    if (this.mode == "by hand") this.queue = Queue.register("jobs");
    if (this.mode.startsWith("text")) this.subscribe<Consumer>("jobs", (self, item) => self.handle('"' + item + '"'));
    if (this.mode == "bytes") this.subscribeBytes<Consumer>("jobs", (self, item) => self.handle(item.toString()));
    if (this.mode == "again") {
      this.subscribe<Consumer>("jobs", (self, item) => {
        self.seen++;
        Queue.resolve("", "jobs")!.enqueue(item);
      });
    }
    if (this.mode == "wrong") this.subscribe<OtherConsumer>("jobs", (_self, _item) => {});
    return true;
  }

  override onQueueReady(queue: Queue): void {
    const item = queue.dequeue();
    const same = this.queue !== null && this.queue!.id == queue.id ? "same" : "other";
    this.handle(same + " " + (item === null ? "nothing" : item));
  }

  override onDelete(): void {
    if (this.mode == "again") logInfo("seen " + this.seen.toString());
  }

  private handle(item: string): void {
    if (this.mode == "text trap" && item == '"trap"') throw new Error("trapped on purpose");
    logInfo("got " + item);
    SharedData.set("got", item);
  }

  override createHttpContext(): HttpContext | null {
    return this.mode == "polling" ? new Polling() : null;
  }
}

class OtherConsumer extends Consumer {}

class Polling extends HttpContext {
  override onRequestHeaders(_count: u32, _endOfStream: bool): Action {
    const queue = Queue.register("jobs")!;
    logInfo(queue.enqueue("").toString() + queue.enqueue("2").toString());
    const first = queue.dequeue();
    logInfo(first === null ? "null" : '"' + first + '"');
    logInfo(queue.dequeueBytes()!.length.toString());
    logInfo(queue.dequeue() === null ? "null" : "item");
    logInfo(queue.dequeueBytes() === null ? "null" : "item");
    logInfo((Queue.of(77).enqueue("x") == Status.NotFound).toString());
    return Action.Continue;
  }
}

registerRootContext("producer", () => new Producer());
registerRootContext("consumer", () => new Consumer());
registerRootContext("other", () => new OtherConsumer());
