/**
 * An emulator of the upstream, to try the plugin: `bun emulator.ts`. It repeats the last message.
 * @module
 */
interface Question {
  readonly messages: readonly { readonly content: string }[];
}

export const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(Bun.argv[2] ?? 9000),
  routes: {
    "/models": () => Response.json({ models: ["small", "large"] }),
    "/answers": async (request) => {
      const { messages } = (await request.json()) as Question;
      const text = `You said: ${messages.at(-1)?.content}`;
      return Response.json({ text, end: "stop", tokens: { read: 5, written: 7 } });
    },
  },
});
console.log(`the emulator listens on ${server.url}`);
