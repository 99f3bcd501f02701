/**
 * An emulator of the upstream, to try the plugin: `bun emulator.ts`. It repeats the last message.
 * @module
 */
interface Question {
  readonly messages: readonly { readonly content: string }[];
}

function answer({ messages }: Question): ReadableStream<string> {
  const words = `You said: ${messages.at(-1)?.content}`.split(/(?= )/);
  return new ReadableStream({
    async pull(controller) {
      const word = words.shift();
      if (word === undefined) {
        controller.enqueue(frame({ end: "stop", tokens: { read: 5, written: 7 } }));
        return controller.close();
      }
      controller.enqueue(frame({ text: word }));
      await Bun.sleep(50);
    },
  });
}

function frame(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

export const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(Bun.argv[2] ?? 9000),
  routes: {
    "/models": () => Response.json({ models: ["small", "large"] }),
    "/answers": async (request) => {
      const question = (await request.json()) as Question;
      const body = answer(question).pipeThrough(new TextEncoderStream());
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    },
  },
});
console.log(`the emulator listens on ${server.url}`);
