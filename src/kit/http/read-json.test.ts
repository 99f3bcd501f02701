import { expect, test } from "bun:test";
import { testCall } from "../../../test/support/plugin-host.ts";
import { rawServer, silentServer } from "../../../test/support/silent-server.ts";
import { get } from "./post.ts";
import { readJson } from "./read-json.ts";

const { signal } = testCall().call;

test("a JSON body is read whole, however it comes", async () => {
  const body = { text: "ü".repeat(100_000) };
  expect(await readJson(Response.json(body), signal)).toEqual(body);
  expect(await readJson(new Response("\n null "), signal)).toBeNull();
});

test("what isn't JSON is a bad response that says to the log how it begins", async () => {
  await expect(readJson(new Response("<html>no</html>"), signal)).rejects.toMatchObject({
    code: "bad-response",
    message: "the upstream sent something that is no JSON",
    detail: "<html>no</html>",
  });
  await expect(readJson(new Response(null), signal)).rejects.toMatchObject({ code: "bad-response" });
});

test("a body that breaks off is truncated", async () => {
  using server = rawServer('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":', "close");
  const response = await get({ fetch, url: server.url }, signal);
  await expect(readJson(response, signal)).rejects.toMatchObject({ code: "truncated" });
});

test("leaving ends the reading with the reason", async () => {
  using server = rawServer('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":', "keep");
  const leaver = testCall();
  const reading = readJson(await get({ fetch, url: server.url }, leaver.call.signal), leaver.call.signal);
  leaver.abort(new Error("left"));
  await expect(reading).rejects.toThrow("left");
});

test("asking ends as posting does", async () => {
  using server = rawServer("HTTP/1.1 429 No\r\nretry-after: 3\r\ncontent-length: 2\r\n\r\n{}", "close");
  await expect(get({ fetch, url: server.url }, signal)).rejects.toMatchObject({
    code: "rate-limited",
    retryAfterMs: 3000,
  });
  await expect(get({ fetch, url: "http://127.0.0.1:1/x" }, signal)).rejects.toMatchObject({
    code: "unreachable",
  });
  await using silent = silentServer();
  const leaver = testCall();
  const asking = get({ fetch, url: silent.url, headers: { a: "b" } }, leaver.call.signal);
  leaver.abort(new Error("left"));
  await expect(asking).rejects.toThrow("left");
});
