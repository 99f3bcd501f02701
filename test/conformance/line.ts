/**
 * A good plugin for a made-up upstream that signs its users up by itself and talks over WebSockets, one for each
 * answer. Faults are seeded into its text, so its lines are as the mutants name them.
 * @module
 */
import { credentialPool, CredentialExclusions, withOtherCredential } from "modelyard/credentials";
import { Channel, post, readJson } from "modelyard/kit";
import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
import type { Call, ChatEvent, ChatRequest, FinishReason } from "modelyard/plugin";

interface Said {
  readonly say?: string;
  readonly done?: FinishReason;
  readonly tokens?: { readonly in: number; readonly out: number };
  readonly oops?: string;
  readonly refused?: string;
  readonly wait?: number;
  readonly broke?: string;
  readonly improper?: string;
}

const options = Type.Object(
  { base_url: Type.String({ description: "Where it is, without a slash at the end." }) },
  { additionalProperties: false },
);

type User = { readonly name: string; readonly key: string };

export default definePlugin({
  apiVersion: 1,
  name: "line",
  options,
  open({ base_url }, host) {
    const sockets = new Set<WebSocket>();
    const signal = host.signal;
    const users = credentialPool<User>(
      {
        identify: ({ name }) => name,
        secrets: ({ key }) => [key],
        create: (giveUp) => user(`${base_url}/users`, giveUp),
        refresh: ({ name }, giveUp) => user(`${base_url}/users/${name}`, giveUp),
      },
      { min: 0, max: 2, leases: 4 },
      host,
    );
    const exclusions = new CredentialExclusions();
    host.defer(() => sockets.forEach((socket) => socket.close()));

    async function user(url: string, giveUp: AbortSignal): Promise<User> {
      const asked = { id: "users", attempt: 1, log: host.log, signal: giveUp, connected() {}, ignored() {} };
      const response = await post(asked, { fetch: host.fetch, url, body: {} });
      return (await readJson(response, giveUp)) as User;
    }

    async function* answer(key: string, request: ChatRequest, call: Call): AsyncGenerator<ChatEvent, void> {
      const socket = new WebSocket(`${base_url.replace("http", "ws")}/line?key=${key}`);
      sockets.add(socket);
      using heard = new Channel<string>({
        maxItems: 1_000,
        signal: call.signal,
        onCancel: () => socket.close(),
      });
      socket.onopen = () => socket.send(JSON.stringify(request));
      socket.onmessage = ({ data }) => void heard.push(String(data));
      socket.onclose = () => heard.fail(new UpstreamError("truncated", "the line went dead"));
      try {
        for await (const message of heard) {
          call.alive();
          const said = parsed(message);
          yield* eventsOf(said);
          if (said.done) return;
        }
      } finally {
        socket.close();
        sockets.delete(socket);
      }
    }

    return {
      models: async () => [{ id: "line-1" }],
      start: () => users.start(),
      async *chat(request, call) {
        const except = exclusions.of(call);
        const asking = { id: call.id, signal: AbortSignal.any([call.signal, signal]) };
        using lease = await users.lease({ ...asking, queued: () => call.queued() }, { except });
        try {
          yield* answer(lease.credential.key, request, call);
          lease.succeeded();
        } catch (error) {
          if (!call.signal.aborted) lease.failed(error);
          const isRefused = UpstreamError.is(error) && error.code === "rejected";
          throw isRefused && users.mayBecomeAvailable({ except }) ? withOtherCredential(error) : error;
        }
      },
      status: () => users.status(),
    };
  },
});

function parsed(message: string): Said {
  try {
    return JSON.parse(message) as Said;
  } catch (error) {
    throw new UpstreamError("bad-response", "it said something that is no JSON", { cause: error });
  }
}

function* eventsOf({
  say,
  tokens,
  done,
  oops,
  refused,
  wait,
  broke,
  improper,
}: Said): Generator<ChatEvent, void> {
  if (oops !== undefined) throw new UpstreamError("failed", oops);
  if (improper !== undefined) throw new UpstreamError("content-filter", improper);
  if (broke !== undefined)
    throw new UpstreamError("out-of-credit", broke, wait === undefined ? {} : { retryAfterMs: wait * 1_000 });
  if (wait !== undefined) throw new UpstreamError("rate-limited", "too many", { retryAfterMs: wait * 1_000 });
  if (refused !== undefined) throw new UpstreamError("rejected", refused);
  if (say) yield { type: "text", text: say };
  if (tokens) yield { type: "usage", usage: { input: tokens.in, output: tokens.out } };
  if (done) yield { type: "finish", reason: done };
}
