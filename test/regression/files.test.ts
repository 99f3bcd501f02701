import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { AN, GE, GE3, result, startTranslation, toolCall } from "../support/translation.ts";
import type { Asked, Block, Part, Translation } from "../support/translation.ts";

/**
 * Pictures and other files within requests, for the plugins anthropic and gemini.
 * @module
 */
let stage: Translation;

beforeAll(async () => {
  stage = await startTranslation(`
routes:
  - { model: an-ge, targets: [{ upstream: an, model: claude-sonnet-4-5 }, { upstream: ge, model: gemini-2.5-flash }] }
  - { model: ge-oa, targets: [{ upstream: ge, model: gemini-2.5-flash }, { upstream: oa, model: m }] }`);
});

afterAll(() => stage[Symbol.asyncDispose]());

const PNG = "iVBORw0KGgo=";
const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0xfb, 0xff, 0xbf, 0x3e, 0x01]).toString("base64");
const WEBP = Buffer.from("RIFF\u0000\u0000\u0000\u0000WEBPVP8 ", "latin1").toString("base64");
const GIF = Buffer.from("GIF89a\u0001\u0000", "latin1").toString("base64");
const PDF = Buffer.from("%PDF-1.7\n").toString("base64");
const HEIC = Buffer.from("\u0000\u0000\u0000\u0018ftypheic\u0000\u0000", "latin1").toString("base64");

const image = (url: string) => ({ type: "image_url", image_url: { url } });
const withParts = (...content: object[]) => ({
  messages: [{ role: "user", content: [{ type: "text", text: "q" }, ...content] }],
});

/** The type and the data that an upstream was sent. */
function sent({ up }: Asked): readonly [string | undefined, string | undefined] {
  const source = up[0]?.messages?.[0]?.content[1]?.source;
  const inline = up[0]?.contents?.[0]?.parts[1]?.inlineData;
  return [source?.media_type ?? inline?.mimeType, source?.data ?? inline?.data];
}

describe("a picture", () => {
  test.each([
    ["JPEG", `data:image/png;base64,${JPEG}`, "image/jpeg", JPEG],
    ["WebP", `data:image/png;base64,${WEBP}`, "image/webp", WEBP],
    ["PNG", `data:image/jpeg;base64,${PNG}`, "image/png", PNG],
    ["PNG in capitals", `data:IMAGE/PNG;base64,${PNG}`, "image/png", PNG],
    ["PNG without a type", `data:;base64,${PNG}`, "image/png", PNG],
    ["PNG of unknown type", `data:application/octet-stream;base64,${PNG}`, "image/png", PNG],
    ["PNG behind a blank", ` data:image/png;base64,${PNG}`, "image/png", PNG],
    ["bare base64", PNG, "image/png", PNG],
    ["a PDF", `data:image/png;base64,${PDF}`, "application/pdf", PDF],
    ["what can't be told", "data:image/png;base64,aGk=", "image/png", "aGk="],
    ["jpg", "data:image/jpg;base64,aGk=", "image/jpeg", "aGk="],
  ])("is what its bytes say: %s", async (_, url, type, data) => {
    const { an, ge } = await stage.askBoth(withParts(image(url)));
    expect(sent(an)).toEqual([type, data]);
    expect(sent(ge)).toEqual([type, data]);
  });

  test.each([
    ["line ends", `${JPEG.slice(0, 4)}\r\n${JPEG.slice(4)}\r\n`],
    ["blanks", `${JPEG.slice(0, 4)} \t${JPEG.slice(4)}`],
    ["no padding", JPEG.replaceAll("=", "")],
    ["URL-safe letters", JPEG.replaceAll("+", "-").replaceAll("/", "_")],
    ["percent escapes", encodeURIComponent(JPEG)],
  ])("has standard base64, whatever it came in: %s", async (_, data) => {
    const { an, ge } = await stage.askBoth(withParts(image(`data:image/jpeg;base64,${data}`)));
    expect(sent(an)).toEqual(["image/jpeg", JPEG]);
    expect(sent(ge)).toEqual(["image/jpeg", JPEG]);
  });

  test.each(["@@@", "", "A", "=", "%zz", "aGk=aGk="])("whose base64 is none is refused: %j", async (data) => {
    const { an, ge } = await stage.askBoth(withParts(image(`data:image/png;base64,${data}`)));
    for (const { status, error, up } of [an, ge]) {
      expect([status, up.length]).toEqual([400, 0]);
      expect(error?.param).toStartWith("messages[0].content[1]");
    }
  });

  test.each([
    ["SVG", "data:image/svg+xml;base64,PHN2Zy8+"],
    ["SVG as text", "data:image/svg+xml,%3Csvg/%3E"],
    ["BMP", "data:image/bmp;base64,Qk0="],
    ["TIFF", "data:image/tiff;base64,SUkqAA=="],
  ])("of a kind that neither has is refused with its place: %s", async (_, url) => {
    const { an, ge } = await stage.askBoth(withParts(image(url)));
    for (const { status, error, up } of [an, ge]) {
      expect([status, error?.code, up.length]).toEqual([400, "unsupported_parameter", 0]);
      expect(error?.param).toStartWith("messages[0].content[1]");
    }
    const { status, paths } = await stage.ask({ model: "ge-oa", ...withParts(image(url)) });
    expect([status, paths]).toEqual([200, ["/oa/v1/chat/completions"]]);
  });

  test("of a kind that one has goes there: HEIC to Gemini, GIF to Anthropic", async () => {
    const heic = await stage.ask({ model: "an-ge", ...withParts(image(`data:image/png;base64,${HEIC}`)) });
    expect([heic.status, ...sent(heic)]).toEqual([200, "image/heic", HEIC]);
    const { an, ge } = await stage.askBoth(withParts(image(`data:image/png;base64,${GIF}`)));
    expect(sent(an)).toEqual(["image/gif", GIF]);
    expect([ge.status, ge.error?.code, ge.up.length]).toEqual([400, "unsupported_parameter", 0]);
  });

  test("by its address goes as that, and what is no address is refused", async () => {
    const { an, ge } = await stage.askBoth(withParts(image(" https://example.com/a.png")));
    expect(an.up[0]?.messages[0]?.content[1]?.source as object).toEqual({
      type: "url",
      url: "https://example.com/a.png",
    });
    expect(ge.up[0]?.contents[0]?.parts[1]?.fileData).toMatchObject({ fileUri: "https://example.com/a.png" });
    for (const url of ["ftp://example.com/a.png", "file:///etc/passwd", "a picture of a cat"]) {
      const refused = await stage.askBoth(withParts(image(url)));
      for (const { status, error, up } of [refused.an, refused.ge])
        expect([status, error?.code, up.length]).toEqual([400, "unsupported_parameter", 0]);
    }
  });

  test("as a file is the same", async () => {
    const file = (file_data: string, filename?: string) => ({ type: "file", file: { file_data, filename } });
    for (const [part, type] of [
      [file(`data:image/png;base64,${JPEG}`), "image/jpeg"],
      [file(JPEG.replaceAll("=", ""), "a.png"), "image/jpeg"],
      [file(PDF, "a.pdf"), "application/pdf"],
      [file(`data:application/pdf;base64,${PDF.slice(0, 4)}\n${PDF.slice(4)}`), "application/pdf"],
    ] as const) {
      const { an, ge } = await stage.askBoth(withParts(part));
      expect(sent(an)[0]).toBe(type);
      expect(sent(ge)).toEqual(sent(an));
    }
  });
});

test("a recording's base64 is cleaned for Gemini", async () => {
  const part = (data: string) => ({ type: "input_audio", input_audio: { data, format: "mp3" } });
  const asked = await stage.ask({ model: GE, ...withParts(part("_-8\r\n")) });
  expect(sent(asked)).toEqual(["audio/mp3", "/+8="]);
  const refused = await stage.ask({ model: GE, ...withParts(part("@")) });
  expect([refused.status, refused.error?.param]).toEqual([400, "messages[0].content[1].input_audio.data"]);
});

describe("a tool's result with files", () => {
  const asked = (...content: object[]) => [
    { role: "user", content: "q" },
    { role: "assistant", content: null, tool_calls: [toolCall("c1", "shoot"), toolCall("c2", "shoot")] },
    result("c1", [{ type: "text", text: "shot" }, ...content]),
    result("c2", "other"),
    { role: "user", content: "And?" },
  ];
  const shot = image(`data:image/jpeg;base64,${PNG}`);
  const inline = { inlineData: { mimeType: "image/png", data: PNG } };
  const results = (up: Asked["up"]) => up[0]?.contents[2]?.parts ?? [];
  const kinds = (parts: readonly Part[]) => parts.map((part) => Object.keys(part)[0]);

  test("has its text in Gemini's functionResponse and its picture beside it", async () => {
    const { up, status } = await stage.ask({ model: GE, messages: asked(shot) });
    expect(status).toBe(200);
    expect(kinds(results(up))).toEqual(["functionResponse", "inlineData", "functionResponse"]);
    expect(results(up)[0]?.functionResponse).toEqual({
      id: "c1",
      name: "shoot",
      response: { output: "shot" },
    });
    expect(results(up)[1]).toEqual(inline);
    expect(up[0]?.contents[3]).toEqual({ role: "user", parts: [{ text: "And?" }] });
  });

  test("has its picture within it from Gemini 3 on", async () => {
    const { up } = await stage.ask({ model: GE3, messages: asked(shot) });
    expect(kinds(results(up))).toEqual(["functionResponse", "functionResponse"]);
    expect(results(up)[0]?.functionResponse).toEqual({
      id: "c1",
      name: "shoot",
      response: { output: "shot" },
      parts: [inline],
    });
  });

  test.each([
    ["a PDF", { type: "file", file: { file_data: `data:application/pdf;base64,${PDF}` } }, "inlineData"],
    ["a recording", { type: "input_audio", input_audio: { data: "aGk=", format: "wav" } }, "inlineData"],
    ["an address", image("https://example.com/a.png"), "fileData"],
  ])("may have %s", async (_, part, kind) => {
    for (const model of [GE, GE3]) {
      const { up, status } = await stage.ask({ model, messages: asked(part) });
      expect(status).toBe(200);
      const [first, ...others] = results(up);
      expect(first?.functionResponse?.response).toEqual({ output: "shot" });
      expect(kinds([...(first?.functionResponse?.parts ?? []), ...others])).toContain(kind);
    }
  });

  test("may be a picture alone", async () => {
    const messages = asked().with(2, result("c1", [shot]) as never);
    const { up } = await stage.ask({ model: GE, messages });
    expect(results(up)[0]?.functionResponse?.response).toEqual({ output: "" });
    expect(results(up)[1]).toEqual(inline);
  });

  test("has them within Anthropic's tool_result, by what their bytes say", async () => {
    const { up } = await stage.ask({ model: AN, messages: asked(shot) });
    const content = up[0]?.messages[2]?.content[0]?.content as readonly Block[];
    expect(content.map(({ type }) => type)).toEqual(["text", "image"]);
    expect(content[1]?.source).toEqual({ type: "base64", media_type: "image/png", data: PNG } as never);
  });

  test("of a kind that the API hasn't is refused with its place", async () => {
    const { an, ge } = await stage.askBoth({ messages: asked(image("data:image/svg+xml;base64,PHN2Zy8+")) });
    for (const { status, error } of [an, ge]) {
      expect(status).toBe(400);
      expect(error?.param).toStartWith("messages[2].content[1]");
    }
  });
});
