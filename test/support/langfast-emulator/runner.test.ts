import { expect, test } from "bun:test";
import { once } from "node:events";
import { startEmulator } from "./index.ts";
import { Client, run, signUp } from "./plain-client.ts";

test("a bad or expired token is refused with data", async () => {
  await using emulator = await startEmulator();
  const session = await signUp(emulator);
  emulator.expireAccess(session.user.id);
  for (const access_token of [session.access_token, "x.y.z"]) {
    using client = new Client(emulator, { ...session, access_token });
    const [error] = (await once(client.socket as never, "connect_error")) as [Error & { data: unknown }];
    expect(error.data).toMatchObject({ status: 401 });
  }
  expect([emulator.sockets, emulator.socketsOpened, emulator.calls.connect]).toEqual([0, 0, 2]);
  expect(emulator.violations).toHaveLength(1);
});

test("a socket that leaves, or is cut, or sent away, abandons its runs", async () => {
  await using emulator = await startEmulator();
  const ways: [(client: Client) => void, string][] = [
    [(client) => client.socket.close(), "io client disconnect"],
    [() => emulator.dropSockets(), "transport close"],
    [() => emulator.disconnectSockets(), "io server disconnect"],
  ];
  for (const [leave, reason] of ways) {
    using client = await Client.connect(emulator);
    await run(emulator, client, { fault: { after: 1, how: "silence" } }, "execution:chunk");
    expect(emulator.runs.at(-1)?.state).toBe("running");
    const gone = once(client.socket as never, "disconnect");
    leave(client);
    expect((await gone)[0]).toBe(reason);
    await emulator.waitFor(() => emulator.runs.at(-1)?.state === "abandoned", `the end by ${reason}`);
  }
  expect(emulator.counts).toMatchObject({ runsStarted: 3, runsAbandoned: 3 });
  expect([emulator.sockets, emulator.socketsOpened]).toEqual([0, 3]);
  expect(emulator.violations).toEqual([]);
});

test("what a client emits is recorded, and a transport other than websocket refused", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  client.socket.emit("cancel", {});
  await emulator.waitFor(() => emulator.violations.length === 1, "the violation");
  expect((await fetch(`${emulator.socketUrl}/socket.io/?EIO=4&transport=polling`)).status).toBe(400);
  expect(emulator.violations).toEqual(["the client emitted cancel", "a transport other than websocket"]);
});

test("stopping it ends all waiting", async () => {
  const emulator = await startEmulator();
  const waiting = emulator.waitFor(() => false, "a miracle");
  const outcome = waiting.then(
    () => "came",
    (error: Error) => error.message,
  );
  await emulator[Symbol.asyncDispose]();
  expect(await outcome).toBe("the emulator was stopped");
});
