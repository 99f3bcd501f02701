/** An answer as an upstream sent it, to be broken off at any of its bytes. */
export interface Recording {
  readonly name: string;
  /** Head and body, as on the wire. */
  readonly wire: Uint8Array;
  /** A cut before this place takes from the answer: its terminal event is not complete. */
  readonly complete: number;
  /** A cut from this place on takes nothing from it. In between both verdicts are right. */
  readonly certain: number;
}

const ROLE = `{"role":"assistant","content":""}`;

const TEXT = [
  chunk(ROLE),
  chunk(`{"content":"Zoë sagt: "}`),
  chunk(`{"content":"„你好“ 👋🏽"}`),
  chunk("{}", `"stop"`),
  `{"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}`,
  "[DONE]",
];

const TOOLS = [
  chunk(
    `{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"find","arguments":""}}]}`,
  ),
  chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"{\\"stadt\\":"}}]}`),
  chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"\\"Łódź\\"}"}}]}`),
  chunk("{}", `"tool_calls"`),
  "[DONE]",
];

/** Two streamed answers, text and a tool call, each with LF and with CRLF. */
export function streams(framing: "chunked" | "close"): Recording[] {
  return [
    stream("text, LF", TEXT, { framing, lineEnd: "\n" }),
    stream("text, CRLF", TEXT, { framing, lineEnd: "\r\n" }),
    stream("tool call, LF", TOOLS, { framing, lineEnd: "\n" }),
    stream("tool call, CRLF", TOOLS, { framing, lineEnd: "\r\n" }),
  ];
}

/** One plain answer, whose end is told by its length or by the connection's end. */
export function completion(framing: "length" | "close"): Recording {
  const body = Buffer.from(
    `{"id":"chatcmpl-7","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"„你好“ 👋🏽","refusal":null},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}`,
  );
  const length = framing === "length" ? `content-length: ${body.length}\r\n` : "";
  const wire = Buffer.concat([head("application/json", length), body]);
  return { name: `plain, ${framing}`, wire, complete: wire.length, certain: wire.length };
}

interface Form {
  readonly framing: "chunked" | "close";
  readonly lineEnd: string;
}

function stream(name: string, events: readonly string[], { framing, lineEnd }: Form): Recording {
  const pieces = events.map((event) => Buffer.from(`data: ${event}${lineEnd}${lineEnd}`));
  const coding = framing === "chunked" ? "transfer-encoding: chunked\r\n" : "";
  const wire = Buffer.concat([
    head("text/event-stream", coding),
    ...(framing === "chunked" ? [...pieces.map(inChunk), Buffer.from("0\r\n\r\n")] : pieces),
  ]);
  const finish = wire.indexOf(lineEnd, wire.indexOf(`"finish_reason":"`));
  return { name: `${name}, ${framing}`, wire, complete: finish, certain: finish + 2 * lineEnd.length };
}

function chunk(delta: string, finish = "null"): string {
  return `{"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":${delta},"finish_reason":${finish}}]}`;
}

/** Never kept alive: a request on a connection that is just being closed would fail before it was cut. */
function head(type: string, framing: string): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\nconnection: close\r\n${framing}\r\n`);
}

function inChunk(piece: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]);
}
