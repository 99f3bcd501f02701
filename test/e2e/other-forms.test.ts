import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import type { ChatCompletionMessage } from "openai/resources/chat";
import type { JsonObject } from "modelyard/plugin";
import type { Door } from "../support/openai-door.ts";
import { answers, chunk, DONE, openaiAt, plain, startDoor, streams } from "../support/openai-door.ts";

/**
 * What a message says beside its text keeps OpenAI's form, whichever of client and server streams, with the official
 * client.
 * @module
 */
let door: Door;
let client: OpenAI;

beforeAll(async () => {
  door = await startDoor(openaiAt);
  client = new OpenAI({ baseURL: door.gateway.baseURL, apiKey: door.gateway.key, maxRetries: 0 });
});
afterAll(() => door[Symbol.asyncDispose]());

interface Said {
  /** What the message is, plain. */
  readonly message: JsonObject & { readonly content: string | null };
  /** The same in pieces. */
  readonly deltas: readonly JsonObject[];
}

const LINK = (at: number) => ({
  type: "url_citation",
  url_citation: { url: `https://example.org/${at}`, title: "t", start_index: at, end_index: at + 1 },
});

const SAID: Record<string, Said> = {
  refusal: {
    message: { content: null, refusal: "I can't do that." },
    deltas: [{ content: null, refusal: "I can't" }, { refusal: " do that." }],
  },
  annotations: {
    message: { content: "It rains.", annotations: [LINK(0), LINK(3)] },
    deltas: [
      { content: "It " },
      { annotations: [LINK(0)] },
      { content: "rains." },
      { annotations: [LINK(3)] },
    ],
  },
  audio: {
    message: {
      content: null,
      audio: { id: "audio_1", data: "AQIDBA==", transcript: "Hi there", expires_at: 1_700_000_000 },
    },
    deltas: [
      { audio: { id: "audio_1", transcript: "Hi " } },
      { audio: { id: "audio_1", transcript: "there" } },
      // Each piece is encoded by itself.
      { audio: { id: "audio_1", data: "AQ==" } },
      { audio: { id: "audio_1", data: "AgME" } },
      { audio: { id: "audio_1", expires_at: 1_700_000_000 } },
    ],
  },
};

const QUESTION = { model: "m", messages: [{ role: "user" as const, content: "q" }] };

function serverSays({ message, deltas }: Said, isStream: boolean): void {
  const frames = [...deltas.map((delta) => chunk({ role: "assistant", ...delta })), chunk({}, "stop"), DONE];
  door.upstream.respond = isStream ? streams(frames) : answers(plain({ role: "assistant", ...message }));
}

type Delta = Partial<Omit<ChatCompletionMessage, "audio">> & { readonly audio?: Sound };

interface Sound {
  data?: string;
  transcript?: string;
}

/** The pieces that a client was streamed, put together as they are meant. */
async function streamedMessage(): Promise<object> {
  const message: {
    content: string | null;
    refusal?: string;
    annotations?: unknown[];
    audio?: Sound;
  } = {
    content: null,
  };
  const data: Buffer[] = [];
  for await (const { choices } of await client.chat.completions.create({ ...QUESTION, stream: true })) {
    const { content, refusal, annotations, audio } = (choices[0]?.delta ?? {}) as Delta;
    if (content) message.content = (message.content ?? "") + content;
    if (refusal) message.refusal = (message.refusal ?? "") + refusal;
    if (annotations) message.annotations = [...(message.annotations ?? []), ...annotations];
    if (!audio) continue;
    const { transcript = "", data: piece = "", ...rest } = audio;
    data.push(Buffer.from(piece, "base64"));
    message.audio = {
      ...message.audio,
      ...rest,
      transcript: (message.audio?.transcript ?? "") + transcript,
    };
  }
  if (message.audio) message.audio.data = Buffer.concat(data).toString("base64");
  return message;
}

async function plainMessage(): Promise<ChatCompletionMessage> {
  const { choices } = await client.chat.completions.create(QUESTION);
  if (!choices[0]) throw new Error("no choice");
  return choices[0].message;
}

describe.each(Object.entries(SAID))("%s", (_, said) => {
  for (const isStream of [true, false]) {
    test(`of a server that ${isStream ? "streams" : "doesn't stream"} keeps its form`, async () => {
      serverSays(said, isStream);
      expect(await plainMessage()).toEqual({ role: "assistant", ...said.message } as never);
      expect(await streamedMessage()).toEqual(said.message);
    });
  }
});

test("the official client collects a streamed refusal, too", async () => {
  for (const isStream of [true, false]) {
    serverSays(SAID["refusal"] as Said, isStream);
    const answer = await client.chat.completions.stream(QUESTION).finalChatCompletion();
    expect(answer.choices[0]?.message).toMatchObject({ content: null, refusal: "I can't do that." });
  }
});

test("sound in pieces of one text, or in none of base64, is put together as it came", async () => {
  for (const [pieces, data] of [
    [["AQ", "ID", "BA=", "="], "AQIDBA=="],
    [["AQ==", "?!", "AQ=="], "AQ==?!AQ=="],
    [["A===", "AQ=="], "A===AQ=="],
  ] as const) {
    const deltas = pieces.map((piece) => ({ audio: { data: piece } }));
    serverSays({ message: { content: null }, deltas }, true);
    expect((await plainMessage()).audio).toEqual({ data } as never);
  }
});
