import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { cutAt } from "../../../test/support/pieces.ts";
import { SseParser } from "./sse.ts";
import type { SseEvent } from "./sse.ts";

const encoder = new TextEncoder();

function parse(pieces: readonly Uint8Array[]): SseEvent[] {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

function parseText(text: string): SseEvent[] {
  return parse([encoder.encode(text)]);
}

const data = (...texts: string[]): SseEvent[] =>
  texts.map((text) => ({ event: "message", data: text, id: "", retry: undefined }));

const CORPUS: [title: string, text: string, events: SseEvent[]][] = [
  ["line feeds", "data: a\n\ndata: b\n\n", data("a", "b")],
  ["carriage returns with line feeds", "data: a\r\n\r\ndata: b\r\n\r\n", data("a", "b")],
  ["carriage returns", "data: a\r\rdata: b\r\r", data("a", "b")],
  ["all line ends mixed", "data: a\r\n\ndata: b\r\rdata: c\n\r\n", data("a", "b", "c")],
  [
    "characters of two, three and four bytes",
    "data: é…\u{1F600}\n\ndata: 漢\r\n\r\n",
    data("é…\u{1F600}", "漢"),
  ],
  ["a byte order mark", "\u{FEFF}data: a\n\n", data("a")],
  ["a second byte order mark, which belongs to a name", "\u{FEFF}\u{FEFF}data: a\n\ndata: b\n\n", data("b")],
  ["comments", ": ping\n\n:\n: \ndata: a\n: between\n\n", data("a")],
  ["no space after the colon", "data:a\n\ndata:  b\n\n", data("a", " b")],
  ["a colon in the value", 'data: {"a":"b:c"}\n\n', data('{"a":"b:c"}')],
  ["several data lines", "data: a\ndata\ndata:\ndata: b\n\n", data("a\n\n\nb")],
  ["an empty data line, which is an event", "data\n\n", data("")],
  ["blank lines without data, which are none", "\n\nevent: x\n\nid: 1\n\n", data()],
  ["unknown names", "datax: 1\nfoo: 2\n data: 3\ndata: a\n\n", data("a")],
  ["an event that lacks its blank line", "data: a\n\ndata: b\n", data("a")],
  ["an event that lacks its line end", "data: a\n\ndata: b", data("a")],
  [
    "names, ids and reconnection times",
    "event: e\nid: 1\nretry: 250\ndata: a\n\ndata: b\n\nid\nretry: 2x\ndata: c\n\nid: 2\0\ndata: d\n\n",
    [
      { event: "e", data: "a", id: "1", retry: 250 },
      { event: "message", data: "b", id: "1", retry: 250 },
      { event: "message", data: "c", id: "", retry: 250 },
      { event: "message", data: "d", id: "", retry: 250 },
    ],
  ],
];

describe("an event stream", () => {
  test.each(CORPUS)("is read with %s", (_title, text, events) => {
    expect(parseText(text)).toEqual(events);
  });

  test.each(CORPUS)("gives the same wherever it is cut: %s", (_title, text, events) => {
    const bytes = encoder.encode(text);
    for (let place = 0; place <= bytes.length; place++) expect(parse(cutAt(bytes, [place]))).toEqual(events);
    expect(parse(Array.from(bytes, (byte) => new Uint8Array([byte])))).toEqual(events);
  });

  test("gives the same however it is cut, whatever it holds", () => {
    const bits = ["data", "event", "id", "retry", ":", " ", "a", "7", "é", "\u{1F600}", "\u{FEFF}", "\0"];
    const text = fc
      .array(fc.constantFrom(...bits, "\n", "\r", "\r\n", "\n\n", "data: x\n"))
      .map((all) => all.join(""));
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (all, places) => {
        expect(parse(cutAt(encoder.encode(all), places))).toEqual(specified(all));
      }),
      { numRuns: 500 },
    );
  });

  test("gives its events piece by piece, as soon as their blank line has come", () => {
    const parser = new SseParser();
    expect(parser.push(encoder.encode("data: a\n\ndata: b\n\nda"))).toEqual(data("a", "b"));
    expect(parser.push(encoder.encode("ta: c\r"))).toEqual([]);
    expect(parser.push(encoder.encode("\n\r"))).toEqual(data("c"));
    expect(parser.push(encoder.encode("\ndata: d\n"))).toEqual([]);
  });

  test.each(["data: a", "data: a\n", "data: a\r", "data: a\r\n"])(
    "can give the event it ended in: %j",
    (text) => {
      const parser = new SseParser();
      expect(parser.push(encoder.encode(text))).toEqual([]);
      expect(parser.finish()).toEqual(data("a"));
      expect(parser.finish()).toEqual([]);
    },
  );

  test("does not keep the bytes it was given", () => {
    const parser = new SseParser();
    const piece = encoder.encode("data: ab");
    parser.push(piece);
    piece.fill(0);
    expect(parser.push(encoder.encode("c\n\n"))).toEqual(data("abc"));
  });
});

describe("a large event", () => {
  test("of 8 MB in 80,000 pieces takes time in proportion to its size", () => {
    // Were each piece to cost a look at all that came before, this would copy 300 GB and time out.
    const parser = new SseParser();
    const piece = encoder.encode("x".repeat(100));
    parser.push(encoder.encode("data: "));
    for (let count = 0; count < 80_000; count++) expect(parser.push(piece).length).toBe(0);
    const [event] = parser.push(encoder.encode("\n\n"));
    expect(event?.data.length).toBe(8_000_000);
  });

  test("of 1 MB in single bytes is read", () => {
    const parser = new SseParser();
    const letter = encoder.encode("x");
    parser.push(encoder.encode("data: "));
    for (let count = 0; count < 1_000_000; count++) parser.push(letter);
    expect(parser.push(encoder.encode("\n\n"))[0]?.data.length).toBe(1_000_000);
  });

  const tooLarge = expect.objectContaining({ code: "bad-response" });

  test("is refused when its line grows too long", () => {
    const parser = new SseParser({ maxEventBytes: 100 });
    parser.push(encoder.encode(`data: ${"x".repeat(94)}`));
    expect(() => parser.push(encoder.encode("x"))).toThrow(tooLarge);
  });

  test("is refused when its lines together grow too large, counted in bytes", () => {
    const parser = new SseParser({ maxEventBytes: 100 });
    parser.push(encoder.encode(`data: ${"é".repeat(20)}\n`));
    expect(parser.push(encoder.encode(`data: ${"é".repeat(20)}\n\n`))[0]?.data.length).toBe(41);
    parser.push(encoder.encode(`data: ${"é".repeat(25)}\n`));
    expect(() => parser.push(encoder.encode(`data: ${"é".repeat(25)}\n`))).toThrow(tooLarge);
  });

  test("is refused when it has too many lines without anything in them", () => {
    const parser = new SseParser({ maxEventBytes: 100 });
    parser.push(encoder.encode("data: \n".repeat(16)));
    expect(() => parser.push(encoder.encode("data: \n"))).toThrow(tooLarge);
  });

  test("may be as large as the bound, again and again", () => {
    const parser = new SseParser({ maxEventBytes: 100 });
    for (let count = 0; count < 5; count++) {
      expect(parser.push(encoder.encode(`data: ${"x".repeat(94)}\n\n`)).length).toBe(1);
    }
  });

  test("is refused beyond 16 MiB unless told otherwise", () => {
    const parser = new SseParser();
    const piece = new Uint8Array(1024 * 1024).fill(120);
    for (let count = 0; count < 16; count++) parser.push(piece);
    expect(() => parser.push(piece)).toThrow("16777216 bytes");
  });
});

/** The standard's own words as code, for a whole text and without any care for speed. */
function specified(text: string): SseEvent[] {
  const events: SseEvent[] = [];
  let [name, id, buffer] = ["", "", ""];
  let retry: number | undefined;
  const lines = text.replace(/^\u{FEFF}/u, "").split(/\r\n|\r|\n/);
  // What follows the last line end is no line yet.
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (buffer !== "") events.push({ event: name || "message", data: buffer.slice(0, -1), id, retry });
      [name, buffer] = ["", ""];
      continue;
    }
    const [, field, value = ""] = /^([^:]*)(?:: ?([^]*))?$/.exec(line) ?? [];
    if (field === "event") name = value;
    if (field === "data") buffer += `${value}\n`;
    if (field === "id" && !value.includes("\0")) id = value;
    if (field === "retry" && /^[0-9]+$/.test(value)) retry = Number(value);
  }
  return events;
}
