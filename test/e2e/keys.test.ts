import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { startGateway } from "../support/gateway.ts";
import type { GatewayFolder } from "../support/gateway-process.ts";
import { CodeProcess, startMain } from "../support/gateway-process.ts";
import { ask, CONFIGURED, folderWith, SERVER } from "../support/process-settings.ts";
import { HELLO, scriptedUpstream } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * `modelyard keys`, beside a gateway that runs in a process of its own over the same database.
 * @module
 */
function keysOf(folder: GatewayFolder) {
  return async (...words: string[]) => {
    await using process = new CodeProcess("src/cli/main.ts", ["keys", ...words, "--config", folder.config]);
    return await process.ended();
  };
}

const ALICE = `${SERVER}keys:
  - { name: alice, key: sk-alice-0123456789, limits: { concurrent_requests: 4 } }
key_defaults: { limits: { requests_per_minute: 60 } }
`;

test("a key that is made while the gateway runs is good at once, and refused soon after it was revoked", async () => {
  using folder = folderWith({ hello: HELLO });
  await using gateway = startMain(folder, CONFIGURED);
  const url = await gateway.listening();
  const keys = keysOf(folder);
  const made = await keys("create", "bob");
  expect(made.code).toBe(0);
  const key = made.stdout.trim();
  expect((await ask(url, "hello", { key })).status).toBe(200);
  expect((await keys("create", "bob")).code).toBe(1);

  expect((await keys("revoke", "bob")).code).toBe(0);
  const refused = async () => (await ask(url, "hello", { key })).status === 401;
  // Within a second of the gateway's clock; src/keys/keyring.test.ts has the bound.
  await until(refused, "the revoked key to be refused");
  expect((await keys("revoke", "bob")).code).toBe(1);
  expect(gateway.stdout + gateway.stderr).not.toContain(key);
});

test("what a key may do holds in the gateway, and is listed by the key's beginning", async () => {
  using folder = folderWith({ hello: HELLO, other: HELLO });
  await using gateway = startMain(folder, CONFIGURED);
  const url = await gateway.listening();
  const keys = keysOf(folder);
  const words = ["--models", "hello, h*", "--requests-per-minute", "60", "--budget-usd", "2.5"];
  const made = await keys("create", "bob", ...words, "--expires", "2100-01-01");
  const key = made.stdout.trim();
  expect((await ask(url, "hello", { key })).status).toBe(200);
  expect((await ask(url, "other", { key })).status).toBe(403);

  const listed = await keys("list");
  const [head, ...lines] = listed.stdout.trim().split("\n");
  expect(head).toMatch(/^name +key +made +expires +limits +budget +models$/);
  expect(lines).toEqual([
    expect.stringMatching(
      /^bob +sk-my-[\w-]{4}… +\d{4}-\d\d-\d\d +2100-01-01 +60 requests\/min +2.5 USD per month +hello, h\*$/,
    ),
  ]);
  expect(listed.stdout).not.toContain(key);
  const shown = await keys("show", "bob");
  expect(shown.stdout).toMatch(/^spent {4}0\.0000 USD and \d+ tokens since \d{4}-\d\d-01$/m);
  expect(JSON.parse((await keys("show", "bob", "--json")).stdout)).toMatchObject({
    name: "bob",
    from: "database",
    prefix: key.slice(0, 10),
    expires: "2100-01-01T00:00:00.000Z",
    models: ["hello", "h*"],
    limits: { requests_per_minute: 60 },
    budget: { usd: 2.5, per: "month" },
    spent: { usd: 0 },
  });
});

test("keys of gateway.yaml are listed with the limits that hold for them, and no database is made by asking", async () => {
  using folder = folderWith({ hello: HELLO }, ALICE);
  const keys = keysOf(folder);
  const before = readdirSync(folder.path);
  expect(JSON.parse((await keys("list", "--json")).stdout)).toEqual([
    {
      name: "alice",
      from: "gateway.yaml",
      prefix: null,
      made: null,
      expires: null,
      models: ["*"],
      limits: { requests_per_minute: 60, concurrent_requests: 4 },
      budget: null,
    },
  ]);
  const shown = await keys("show", "alice");
  expect(shown.stdout).toContain("limits   60 requests/min, 4 at once\nbudget   none\n");
  const unknown = await keys("show", "bob");
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('there is no key "bob"')]);
  const inFile = await keys("revoke", "alice");
  expect([inFile.code, inFile.stderr]).toEqual([1, expect.stringContaining("stands in gateway.yaml")]);
  expect(readdirSync(folder.path)).toEqual(before);
});

test("a key of which gateway.yaml has only the hash is known to the redactor once it was used", async () => {
  const key = "sk-hashed-0123456789";
  const hash = new Bun.CryptoHasher("sha256").update(key).digest("hex");
  await using running = await startGateway(
    `keys: [{ name: hashed, key_sha256: ${hash} }]\nupstreams: { echo: { plugin: echo } }\n`,
  );
  const { redact } = running.gateway;
  expect(redact(`it was ${key}`)).toBe(`it was ${key}`);
  expect((await running.chat({}, { headers: { authorization: `Bearer ${key}` } })).status).toBe(400);
  expect(redact(`it was ${key}`)).toBe("it was [redacted]");
});

test("of two commands that make a key of one name at the same time, one says that the name is taken", async () => {
  using folder = folderWith({ hello: HELLO });
  const keys = keysOf(folder);
  await keys("create", "alice");
  const both = await Promise.all([keys("create", "bob"), keys("create", "bob")]);
  expect(both.filter(({ code }) => code === 0)).toHaveLength(1);
  const refused = both.find(({ code }) => code === 1);
  expect(refused?.stdout).toBe("");
  expect(refused?.stderr).toBe('there is a key "bob" already; choose another name\n');
});

test("a key of the database is revoked though gateway.yaml has one of that name, which is told to be good", async () => {
  using folder = folderWith({ hello: HELLO });
  const keys = keysOf(folder);
  await keys("create", "alice");
  folder.write("gateway.yaml", ALICE + scriptedUpstream({ hello: HELLO }));
  const { code, stderr } = await keys("revoke", "alice");
  expect(code).toBe(1);
  expect(stderr).toContain('The key "alice" of the database is no longer good');
  expect(stderr).toContain(
    "another key of that name is still good: it stands in gateway.yaml; remove it there",
  );
  expect((await keys("revoke", "alice")).stderr).toBe(
    'the key "alice" stands in gateway.yaml; remove it there\n',
  );
});

const REFUSED: readonly (readonly [readonly string[], string])[] = [
  [[], "what is to be done with keys?"],
  [["frobnicate"], "there is no command keys frobnicate"],
  [["create"], "keys create needs the key's name"],
  [["create", "eve", "adam"], 'keys create takes one name; "adam" is too much'],
  [["create", "eve", "--model", "hello"], "--model"],
  [["create", "eve", "--expires", "2100-01-01", "--expires", "2101-01-01"], "--expires is given twice"],
  [["create", "eve", "--budget-usd", "lots"], '--budget-usd: expected a number, more than 0, found "lots"'],
  [["list", "all"], "keys list takes no name; did you mean keys show all?"],
  [["list", "--models", "hello"], "keys list takes no --models"],
  [["revoke", "eve", "--json"], "keys revoke takes no --json"],
];

test("what isn't understood is refused with what is wrong, and makes no key", async () => {
  using folder = folderWith({ hello: HELLO }, ALICE);
  const keys = keysOf(folder);
  for (const [words, said] of REFUSED) {
    const { code, stdout, stderr } = await keys(...words);
    expect([words, code, stdout]).toEqual([words, 2, ""]);
    expect(stderr).toContain(said);
    expect(stderr).toContain("usage:");
  }
  const taken = await keys("create", "alice");
  expect([taken.code, taken.stderr]).toEqual([1, expect.stringContaining('there is a key "alice" already')]);
  expect(JSON.parse((await keys("list", "--json")).stdout)).toHaveLength(1);
});

test("a key that can't be shown is taken back", async () => {
  using folder = folderWith({ hello: HELLO });
  const create = Bun.spawn(
    [
      "sh",
      "-c",
      'exec "$0" src/cli/main.ts keys create unseen --config "$1" >/dev/full',
      process.execPath,
      folder.config,
    ],
    { cwd: join(import.meta.dir, "../.."), stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  const stderr = await new Response(create.stderr).text();
  expect([await create.exited, stderr]).toEqual([1, expect.stringContaining("so it is taken back: ")]);
  expect((await keysOf(folder)("list", "--json")).stdout).toBe("[]\n");
});
