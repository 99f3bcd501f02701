import { expect, test } from "bun:test";
import type { Exchange } from "../support/fault-upstream.ts";
import { jsonAnswer, openaiChunks, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { GatewayFolder, startMain } from "../support/gateway-process.ts";

/**
 * An upstream's key comes down to no client and stands in no log, in whatever form the upstream repeats it.
 * @module
 */
const KEY = "up-Qw7/zK+4vN9=bX2%cM5tR8_yL1jH3gF6dS0aPe";
const CLIENT = "sk-client-0123456789";

const units = KEY.split("");
const code = (unit: string) => unit.charCodeAt(0);
const base64 = (text: string) => Buffer.from(text).toString("base64");

const FORMS: Readonly<Record<string, string>> = {
  whole: KEY,
  "split-lf": `${KEY.slice(0, 17)}\n${KEY.slice(17)}`,
  "split-crlf": `${KEY.slice(0, 20)}\r\n ${KEY.slice(20)}`,
  url: encodeURIComponent(KEY),
  "url-twice": encodeURIComponent(encodeURIComponent(KEY)),
  percent: units.map((unit) => `%${code(unit).toString(16)}`).join(""),
  base64: base64(KEY),
  base64url: Buffer.from(KEY).toString("base64url"),
  "base64-bearer": base64(`Bearer ${KEY}`),
  "base64-basic": base64(`user:${KEY}`),
  "base64-lines": base64(`Bearer ${KEY}`).replaceAll(/.{16}/g, "$&\r\n"),
  "base64-cut": base64(`Bearer ${KEY}`).slice(0, 30),
  hex: Buffer.from(KEY).toString("hex"),
  "hex-upper": Buffer.from(KEY).toString("hex").toUpperCase(),
  spaced: units.join(" "),
  dashed: units.join("-"),
  listed: JSON.stringify(units),
  "zero-width": `${KEY.slice(0, 9)}\u200b${KEY.slice(9, 23)}\ufeff${KEY.slice(23)}`,
  upper: KEY.toUpperCase(),
  lower: KEY.toLowerCase(),
  "html-decimal": units.map((unit) => `&#${code(unit)};`).join(""),
  "html-hex": units.map((unit) => `&#x${code(unit).toString(16)};`).join(""),
  "html-names": KEY.replaceAll("+", "&plus;").replaceAll("=", "&equals;").replaceAll("/", "&sol;"),
  "json-twice": JSON.stringify(JSON.stringify(KEY)),
  "unicode-escapes": units.map((unit) => `\\u00${code(unit).toString(16)}`).join(""),
  reversed: units.toReversed().join(""),
  rot13: KEY.replace(/[a-z]/gi, (letter) => {
    const base = letter < "a" ? 65 : 97;
    return String.fromCharCode(((code(letter) - base + 13) % 26) + base);
  }),
  "full-width": units.map((unit) => String.fromCharCode(code(unit) + 0xfee0)).join(""),
  "base64-twice": base64(base64(KEY)),
  bytes: JSON.stringify([...Buffer.from(KEY)]),
  "bytes-spaced": units.map((unit) => code(unit)).join(" "),
  "octal-escapes": units.map((unit) => `\\${code(unit).toString(8).padStart(3, "0")}`).join(""),
  "octal-list": units.map((unit) => code(unit).toString(8).padStart(3, "0")).join(", "),
  "first-12": KEY.slice(0, 12),
  "first-20": KEY.slice(0, 20),
  "last-12": KEY.slice(-12),
  "last-20": KEY.slice(-20),
  middle: KEY.slice(12, 30),
  "first-and-last": `${KEY.slice(0, 20)} ${KEY.slice(-20)}`,
  starred: `${KEY.slice(0, 8)}***${KEY.slice(-4)}`,
  dotted: `${KEY.slice(0, 6)}...${KEY.slice(-4)}`,
};

const WAYS = ["refused", "unauthorized", "broken", "in-stream", "in-200", "cut"];

/** Answers with the key in the form and in the way that the model's name asks for. */
function repeat(exchange: Exchange): void {
  const [form = "", way] = (exchange.json() as { readonly model: string }).model.split(".");
  const message = `Incorrect API key provided: ${FORMS[form] ?? ""}. See docs.`;
  const body = { error: { message, type: "invalid_request_error", param: message, code: null } };
  if (way === "refused") return exchange.send(jsonAnswer(body, 400));
  if (way === "unauthorized") return exchange.send(jsonAnswer(body, 401));
  if (way === "broken") return exchange.send(jsonAnswer(body, 500));
  if (way === "in-200") return exchange.send(jsonAnswer(body));
  // Messages are cut to 500 characters: here within the key.
  if (way === "cut") {
    const long = `${"word ".repeat(93)}${FORMS[form] ?? ""} and more`;
    return exchange.send(jsonAnswer({ error: { message: long } }, 400));
  }
  const frames = openaiChunks("an answer", { units: 3 });
  exchange.send(sseAnswer([...frames.slice(0, 2), `data: ${JSON.stringify(body)}\n\n`]));
}

/** Pieces of a form that tell something of the key. */
function tellingPieces(form: string): string[] {
  const pieces: string[] = [];
  const length = Math.min(12, form.length);
  for (let at = 0; at + length <= form.length; at++) pieces.push(form.slice(at, at + length));
  return pieces.flatMap((piece) => [
    piece,
    JSON.stringify(piece).slice(1, -1),
    piece.replaceAll(/\s+/g, " "),
  ]);
}

test("an upstream's key is masked in errors, streamed ones too, and in the log, whatever it was made into", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = repeat;
  const models = Object.keys(FORMS).flatMap((form) => WAYS.map((way) => `${form}.${way}`));
  const options = { base_url: `${upstream.url}/v1`, api_key: KEY, models };
  const yaml = [
    "server: { port: 0 }",
    "telemetry: { level: debug, log: json }",
    "storage: { database: 'sqlite:./data/test.db' }",
    "health: { failures: 1000000 }",
    "retry: { attempts: 1 }",
    `keys: [{ name: test, key: ${CLIENT} }]`,
    // One for each question: a key that was refused rests.
    `upstreams: ${JSON.stringify(Object.fromEntries(models.map((id, at) => [`u${at}`, { plugin: "openai", options: { ...options, models: [id] } }])))}`,
  ].join("\n");
  using folder = new GatewayFolder(yaml);
  await using gateway = startMain(folder);
  const url = await gateway.listening();
  const leaks: string[] = [];
  for (const model of models) {
    const [form = ""] = model.split(".");
    const pieces = tellingPieces(FORMS[form] ?? "");
    for (const stream of [true, false]) {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${CLIENT}` },
        body: JSON.stringify({ model, stream, messages: [{ role: "user", content: "Hi" }] }),
      });
      const said = JSON.stringify(Object.fromEntries(response.headers)) + (await response.text());
      expect(said).toContain('"error"');
      const leak = pieces.find((piece) => said.includes(piece));
      if (leak !== undefined) leaks.push(`${model} ${stream ? "streamed" : "plain"}: ${leak}`);
    }
  }
  gateway.signal("SIGTERM");
  const { stderr } = await gateway.ended();
  for (const [form, written] of Object.entries(FORMS)) {
    const leak = tellingPieces(written).find((piece) => stderr.includes(piece));
    if (leak !== undefined) leaks.push(`${form} in the log: ${leak}`);
  }
  expect(leaks).toEqual([]);
}, 60_000);
