import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { footprintOf } from "../promises/footprint.ts";
import { CodeProcess, GatewayFolder, startMain } from "../support/gateway-process.ts";
import { until } from "../support/until.ts";

/**
 * 200 clients that don't read ask at once for 5 MB each, of an upstream that writes as fast as it can.
 * @module
 */
const READERS = 200;
const HOLD_MS = 5_000;
const KEY = "sk-long-0123456789abcdef";
const HEADERS = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };

const messages = [{ role: "user", content: "Well?" }];

function idleReader(url: string): Socket {
  const { hostname, port } = new URL(url);
  const body = JSON.stringify({ model: "fast/m", stream: true, messages });
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => undefined);
  socket.pause();
  const headers = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${headers.join("")}content-length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

/** The most that a process ever held, in MiB. */
function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** How long each of so many short requests took, in ms, asked every 50 ms. */
async function shortRequests(url: string, count: number): Promise<number[]> {
  const body = JSON.stringify({ model: "other/m", messages });
  const asked: Promise<number>[] = [];
  for (let nth = 0; nth < count; nth++) {
    const began = performance.now();
    const answer = fetch(`${url}/v1/chat/completions`, { method: "POST", headers: HEADERS, body });
    asked.push(
      answer.then(async (response) => {
        expect(response.status).toBe(200);
        await response.text();
        return performance.now() - began;
      }),
    );
    await Bun.sleep(50);
  }
  return Promise.all(asked);
}

/** The upstream in a process of its own. */
async function startUpstream(): Promise<CodeProcess> {
  const upstream = new CodeProcess("test/long/fast-upstream.ts", []);
  await until(() => upstream.stdout.endsWith("\n"), "the upstream to listen", 10_000);
  return upstream;
}

function upstreamAt({ stdout }: CodeProcess): string {
  const options = { base_url: `${stdout.trim()}/v1`, models: ["m"] };
  return JSON.stringify({ plugin: "openai", options });
}

test("slow readers of fast streams hold up nobody, and their memory comes back", async () => {
  // Each by itself, or the short answers would wait within the upstream.
  await using fast = await startUpstream();
  await using other = await startUpstream();
  using folder = new GatewayFolder(
    `server: { port: 0 }\nkeys: [{ name: long, key: ${KEY} }]\nupstreams:\n  fast: ${upstreamAt(fast)}\n  other: ${upstreamAt(other)}\n`,
  );
  await using gateway = startMain(folder, { BUN_CONFIG_MAX_HTTP_REQUESTS: "65535" });
  const url = await gateway.listening();
  await shortRequests(url, 30);

  const readers = Array.from({ length: READERS }, () => idleReader(url));
  // The first two seconds are those in which it all begins.
  const waits = (await shortRequests(url, 40)).toSorted((one, other) => one - other);
  await Bun.sleep(HOLD_MS);
  const held = footprintOf(gateway.pid).rss;
  for (const reader of readers) reader.destroy();
  await until(() => footprintOf(gateway.pid).rss < 250, "the memory to come back", 30_000);

  const peak = peakOf(gateway.pid);
  const memory = `${peak.toFixed(0)} MiB at most, ${held.toFixed(0)} while they were there`;
  const [median = Infinity, longest = Infinity] = [waits[waits.length >> 1], waits.at(-1)];
  console.log(`${memory}; a short request took ${median.toFixed(0)} ms, ${longest.toFixed(0)} at most`);
  expect(peak).toBeLessThan(600);
  // Some 10 ms on a machine that has nothing else to do; it was 3 s.
  expect(median).toBeLessThan(1_000);
});
