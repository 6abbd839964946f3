import { expect, test } from "vitest";
import { loadFilter } from "proxy-wasm";
import "proxy-wasm/vitest";
import filter from "../assembly/index.ts?filter";

const connect = async () => {
  const connection = (await loadFilter(filter)).connection();
  connection.connect();
  return connection;
};

test("counts the bytes of both directions", async () => {
  const connection = await connect();
  connection.downstreamData("GET / HTTP/1.1\r\n\r\n");
  connection.upstreamData("HTTP/1.1 204 No Content\r\n\r\n");
  connection.downstreamClose();
  expect(connection.upstream.text).toBe("GET / HTTP/1.1\r\n\r\n");
  expect(connection.logs.map(({ message }) => message)).toEqual(["received 18 bytes, sent 27"]);
});

test("waits until the beginning is there", async () => {
  const connection = await connect();
  connection.downstreamData("PO");
  expect(connection.upstream.text).toBe("");
  connection.downstreamData("ST / HTTP/1.1\r\n");
  expect(connection.upstream.text).toBe("POST / HTTP/1.1\r\n");
});

test("closes what begins in another way, and lets nothing of it pass", async () => {
  const connection = await connect();
  connection.downstreamData("SSH-2.0-OpenSSH\r\n");
  expect(connection.closed).toBe(true);
  expect(connection.upstream.text).toBe("");
});
