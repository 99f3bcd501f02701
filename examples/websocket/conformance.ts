import type { Answer, Fixtures, Scenario, ScenarioName, TestUpstream } from "modelyard/conformance";
import { say, startEmulator } from "./emulator.ts";
import type { Socket } from "./emulator.ts";

/** The upstream as the conformance kit plays it: the emulator, with an answer for each scenario. */
const fixtures: Fixtures = {
  model: "small",
  upstream: (scenario) => play(scenario),
  handled: { stream_options: "the gateway itself gives the usage chunk" },
  unsupported: {
    tools: "the upstream calls no tools",
    reasoning: "the upstream gives no reasoning",
    joined: "a word and the end are frames of their own",
    pages: "its models stand in gateway.yaml",
    oversized: "the upstream takes whatever is sent",
    split: "a frame is a whole text",
    begun: "an answer has no beginning but its first word",
  },
};

export default fixtures;

function play(scenario: Scenario): TestUpstream {
  const received: string[] = [];
  let sent = 0;
  const server = startEmulator(
    0,
    (socket) => perform(scenario, socket, (frame) => void (sent += say(socket, frame))),
    (text) => void received.push(text),
  );
  return {
    options: { url: `ws://127.0.0.1:${server.port}`, token: "token-of-the-emulator" },
    received,
    get active() {
      return server.pendingWebSockets;
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

type Tell = (frame: object) => void;

function perform(
  { name, answer, errorMessage, retryAfterSeconds }: Scenario,
  socket: Socket,
  tell: Tell,
): void {
  const words = answer.events.map((event) => ({
    type: "word",
    text: event.type === "text" ? event.text : "",
  }));
  const half = words.slice(0, words.length / 2);
  const error = (code: string) => ({ type: "error", code, message: errorMessage });
  const said: { readonly [scenario in ScenarioName]?: readonly object[] } = {
    silent: [],
    refused: [error("bad_token")],
    filtered: [error("improper")],
    spent: [{ ...error("no_credit"), wait_s: retryAfterSeconds }],
    limited: [{ ...error("slow_down"), wait_s: retryAfterSeconds }],
    broken: [error("crashed")],
    failing: [...half, error("crashed")],
    stall: half,
    cut: half,
    garbage: half,
    end: words,
  };
  if (name === "endless") return talkOn(words, socket, tell);
  for (const frame of said[name] ?? [...words, endOf(answer)]) tell(frame);
  if (name === "cut") socket.terminate();
  if (name === "garbage") socket.send("}{ <html>");
  if (name === "end") socket.close();
}

function endOf({ finish, usage }: Answer): object {
  return { type: "end", reason: finish, tokens: { read: usage.input, written: usage.output } };
}

/** All words at each turn of the loop, so that others get theirs, unless those before still wait to be read. */
function talkOn(words: readonly object[], socket: Socket, tell: Tell): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  if (socket.getBufferedAmount() === 0) words.forEach(tell);
  setImmediate(() => talkOn(words, socket, tell));
}
