// What Envoy's other extensions call: an access logger's onLog, a stats sink's onStatsUpdate, a service's ticks.

import {
  HttpContext,
  logInfo,
  registerRootContext,
  request,
  response,
  HeaderMap,
  MapType,
  RootContext,
  StatsUpdate,
  getPropertyI64,
} from "proxy-wasm/assembly";

class Root extends RootContext {
  private wanted: string[] = [];

  override onConfigure(_size: u32): bool {
    const configuration = this.configuration!;
    logInfo("configured " + configuration);
    if (configuration == "service") {
      this.setRepeatingTimer<Root>(50, (_self) => logInfo("tick"));
    }
    this.wanted = configuration.split(",");
    return true;
  }

  override onLog(): void {
    const trailer = HeaderMap.of(MapType.HttpResponseTrailers).get("x-t");
    const code = getPropertyI64(["response", "code"]);
    const header = HeaderMap.of(MapType.HttpRequestHeaders).get("x-a");
    logInfo(
      "log " +
        request.method! +
        " " +
        request.path! +
        " " +
        response.status.toString() +
        " " +
        code.toString() +
        " " +
        (header === null ? "-" : header) +
        " " +
        (trailer === null ? "-" : trailer),
    );
    logInfo("write " + HeaderMap.of(MapType.HttpResponseHeaders).set("x", "y").toString());
  }

  override onStatsUpdate(stats: StatsUpdate): void {
    let counters = 0;
    let gauges = 0;
    while (stats.next()) {
      if (stats.isGauge) gauges++;
      else counters++;
      const name = stats.name;
      if (this.wanted.includes(name)) {
        logInfo(
          (stats.isGauge ? "gauge " : "counter ") + name + " " + stats.value.toString() + " " + stats.delta.toString(),
        );
      }
    }
    logInfo("stats " + counters.toString() + " " + gauges.toString() + (stats.next() ? " more" : ""));
  }

  override onDone(): bool {
    logInfo("done");
    return true;
  }

  override createHttpContext(): HttpContext | null {
    return null;
  }
}
registerRootContext("", () => new Root());
