import type { Fixtures, Scenario, TestUpstream } from "modelyard/conformance";
import type { Piece } from "./connection.ts";
import { serve } from "./server.ts";
import type { Line } from "./server.ts";

const KEY = "key-for-tests-0123456789";

/** The test upstream for the conformance kit. */
const fixtures: Fixtures = {
  model: "small",
  upstream: start,
  handled: { stream_options: "the gateway itself gives the usage chunk" },
  unsupported: {
    tools: "the upstream knows no tools",
    reasoning: "the upstream gives no reasoning",
    pages: "the upstream lists all its models at once",
    split: "Socket.IO gives whole messages",
  },
};

export default fixtures;

async function start(scenario: Scenario): Promise<TestUpstream> {
  const seen = {
    received: [] as string[],
    active: 0,
    accepted: 0,
    sent: 0,
    get connections() {
      return server.sockets;
    },
  };
  const server = await serve(0, {
    admit(key) {
      seen.accepted += 1;
      if (scenario.name === "refused" || key !== KEY) refuse("bad-key", scenario);
      if (scenario.name === "limited") refuse("too-many", scenario);
      if (scenario.name === "spent") refuse("no-credit", scenario);
    },
    answer(question, line) {
      seen.received.push(JSON.stringify(question));
      seen.active += 1;
      line.signal.addEventListener("abort", () => void (seen.active -= 1));
      const say = (piece: Piece) => {
        seen.sent += JSON.stringify(piece).length;
        line.say(piece);
      };
      play(scenario, { ...line, say });
    },
  });
  return Object.assign(seen, {
    options: { base_url: server.url, api_key: KEY },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  });
}

function refuse(code: string, { errorMessage, retryAfterSeconds }: Scenario): never {
  throw Object.assign(new Error(errorMessage), { data: { code, wait_seconds: retryAfterSeconds } });
}

function play({ name, answer, errorMessage }: Scenario, line: Line): void {
  const pieces = answer.events.map((event): Piece => ({ text: event.type === "text" ? event.text : "" }));
  const tokens = { read: answer.usage.input, written: answer.usage.output };
  const end: Piece = { end: answer.finish === "tool_calls" ? "stop" : answer.finish, tokens };
  if (name === "silent") return;
  if (name === "begun") return line.say({ text: "" });
  if (name === "filtered") return line.say({ error: errorMessage, code: "improper" });
  if (name === "oversized") return line.say({ error: errorMessage, code: "too-large" });
  if (name === "broken") return line.say({ error: errorMessage });
  if (name === "endless") return talkOn(pieces, line);
  const half = pieces.slice(0, pieces.length / 2);
  const breaks = ["stall", "cut", "garbage", "failing"].includes(name);
  const whole = name === "joined" ? [...pieces.slice(0, -1), { ...pieces.at(-1), ...end }] : [...pieces, end];
  const said = breaks ? half : name === "end" ? pieces : whole;
  said.forEach(line.say);
  if (name === "cut") line.socket.conn.close();
  if (name === "end") line.socket.disconnect();
  if (name === "garbage") line.socket.emit("piece", "}{ <html>");
  if (name === "failing") line.say({ error: errorMessage });
}

/** Sends one round per event loop turn, so that others are not starved. */
function talkOn(pieces: readonly Piece[], line: Line): void {
  if (line.signal.aborted) return;
  pieces.forEach(line.say);
  setImmediate(() => talkOn(pieces, line));
}
