/**
 * A stand-in for the upstream, to try the plugin with: `bun examples/http/emulator.ts`. It repeats what it is told.
 * @module
 */
interface Question {
  readonly instructions: string;
  readonly turns: readonly { readonly text: string }[];
}

const MODELS = { models: ["small", "large"] };

/** Starts it on 127.0.0.1; with port 0 on a free one. */
export function startEmulator(port: number) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port,
    routes: {
      "/models": (request) => withKey(request, () => MODELS),
      "/replies": (request) => withKey(request, async () => replyTo((await request.json()) as Question)),
    },
  });
}

async function withKey(request: Request, answer: () => object | Promise<object>): Promise<Response> {
  if (request.headers.get("x-api-key") === "key-of-the-emulator") return Response.json(await answer());
  return Response.json({ error: { message: "this key is unknown here" } }, { status: 401 });
}

function replyTo({ instructions, turns }: Question): object {
  const reply = `${instructions} You said: ${turns.at(-1)?.text}`.trim();
  return { reply, ended: "complete", tokens: { read: 5, written: 7 } };
}

if (import.meta.main) {
  const { url } = startEmulator(Number(Bun.argv[2] ?? 9000));
  console.log(`the emulator listens on ${url}`);
}
