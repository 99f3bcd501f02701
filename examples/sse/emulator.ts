/**
 * A stand-in for the upstream, to try the plugin with: `bun examples/sse/emulator.ts`. It repeats what it is told.
 * @module
 */
interface Question {
  readonly thoughts: boolean;
  readonly messages: readonly { readonly content: string }[];
}

/** Starts it on 127.0.0.1; with port 0 on a free one. */
export function startEmulator(port: number) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port,
    routes: {
      "/models": () => Response.json([{ name: "small", window: 32_000 }]),
      "/chat": async (request) => {
        if (request.headers.get("authorization") !== "Bearer key-of-the-emulator") return refusal();
        const question = (await request.json()) as Question;
        return new Response(streamed(framesFor(question)), {
          headers: { "content-type": "text/event-stream" },
        });
      },
    },
  });
}

function refusal(): Response {
  return Response.json({ error: { message: "this key is unknown here" } }, { status: 401 });
}

function streamed(frames: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await frames.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
  });
}

async function* framesFor({ thoughts, messages }: Question): AsyncGenerator<string> {
  if (thoughts) yield frame("thought", { text: "What did they say?" });
  for (const word of `You said: ${messages.at(-1)?.content}`.split(/(?= )/)) {
    yield frame("text", { text: word });
    await Bun.sleep(20);
  }
  yield frame("end", { reason: "stop", tokens: { read: 5, written: 7 } });
}

function frame(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

if (import.meta.main) {
  const { url } = startEmulator(Number(Bun.argv[2] ?? 9000));
  console.log(`the emulator listens on ${url}`);
}
