import type { Fixtures, Scenario, TestUpstream } from "modelyard/conformance";
import type { Frame } from "./frames.ts";
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
    split: "a frame is a whole text",
  },
};

export default fixtures;

function start(scenario: Scenario): TestUpstream {
  const received: string[] = [];
  const lines = new Set<Line>();
  let sent = 0;
  const server = serve(0, (question, line, key) => {
    received.push(JSON.stringify(question));
    lines.add(line);
    line.signal.addEventListener("abort", () => void lines.delete(line));
    const say = (frame: Frame): number => {
      const bytes = line.say(frame);
      sent += bytes;
      return bytes;
    };
    play(key === KEY ? scenario : { ...scenario, name: "refused" }, { ...line, say });
  });
  return {
    options: { base_url: `http://127.0.0.1:${server.port}`, api_key: KEY },
    received,
    get active() {
      return lines.size;
    },
    ping() {
      for (const { say } of lines) say({ ping: 1 });
      return lines.size;
    },
    get connections() {
      return server.pendingWebSockets;
    },
    get sent() {
      return sent;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function play({ name, answer, errorMessage, retryAfterSeconds }: Scenario, line: Line): void {
  const frames = answer.events.map((event): Frame => ({ text: event.type === "text" ? event.text : "" }));
  const tokens = { read: answer.usage.input, written: answer.usage.output };
  const end: Frame = { end: answer.finish === "tool_calls" ? "stop" : answer.finish, tokens };
  const error = (code: string, wait?: number): Frame => ({
    error: { code, message: errorMessage, ...(wait !== undefined && { wait_seconds: wait }) },
  });
  if (name === "silent") return;
  if (name === "begun") return void line.say({ ping: 1 });
  if (name === "refused") return void line.say(error("bad-key"));
  if (name === "limited") return void line.say(error("too-many", retryAfterSeconds));
  if (name === "spent") return void line.say(error("no-credit", retryAfterSeconds));
  if (name === "filtered") return void line.say(error("improper"));
  if (name === "oversized") return void line.say(error("too-large"));
  if (name === "broken") return void line.say(error("crashed"));
  if (name === "endless") return talkOn(frames, line);
  const half = frames.slice(0, frames.length / 2);
  const breaks = ["stall", "cut", "garbage", "failing"].includes(name);
  const whole = name === "joined" ? [...frames.slice(0, -1), { ...frames.at(-1), ...end }] : [...frames, end];
  const said = breaks ? half : name === "end" ? frames : whole;
  for (const frame of said) line.say(frame);
  if (name === "cut") line.socket.terminate();
  if (name === "end") line.socket.close();
  if (name === "garbage") line.socket.send("}{ <html>");
  if (name === "failing") line.say(error("crashed"));
}

/** Sends one round per event loop turn, unless the one before is still buffered. */
function talkOn(frames: readonly Frame[], line: Line): void {
  if (line.signal.aborted) return;
  if (line.socket.getBufferedAmount() === 0) for (const frame of frames) line.say(frame);
  setImmediate(() => talkOn(frames, line));
}
