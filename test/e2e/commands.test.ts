import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { closedGate } from "../support/gate.ts";
import { CodeProcess, GatewayFolder } from "../support/gateway-process.ts";
import { folderWith, MISTAKES, MISTAKES_SAID, SERVER } from "../support/process-settings.ts";
import { HELLO, SCRIPTED_PLUGIN, scriptedUpstream } from "../support/scripted-gateway.ts";

/**
 * The commands beside the gateway: `bun run modelyard …`.
 * @module
 */
describe("modelyard check", () => {
  function check(folder: GatewayFolder): CodeProcess {
    return new CodeProcess("src/cli/main.ts", ["check", "--config", folder.config]);
  }

  test("a good file ends with 0, writes nothing and starts nothing", async () => {
    await using gate = closedGate();
    using folder = folderWith({ hello: HELLO });
    folder.write("busy.ts", busyPlugin(gate.url));
    folder.write(
      "gateway.yaml",
      `${SERVER}${scriptedUpstream({ hello: HELLO })}  busy: { plugin: ./busy.ts }\n`,
    );
    const before = readdirSync(folder.path);
    await using checking = check(folder);
    const { code, stdout, stderr } = await checking.ended();
    expect(code).toBe(0);
    expect(stdout).toContain("is fine: 2 of 2 upstreams open (scripted, busy)");
    expect(stderr).toBe("");
    expect(readdirSync(folder.path)).toEqual(before);
    expect(gate.waiting).toBe(0);
  });

  test("mistakes end with 1 and one report", async () => {
    using folder = new GatewayFolder(MISTAKES, { "scripted.ts": SCRIPTED_PLUGIN });
    await using checking = check(folder);
    const { code, stderr } = await checking.ended();
    expect(code).toBe(1);
    for (const said of MISTAKES_SAID) expect(stderr).toContain(said);
    expect(readdirSync(folder.path).toSorted()).toEqual(["gateway.yaml", "scripted.ts"]);
  });

  test("mistakes in the file of prices, or that there is none, are reported with their line and key", async () => {
    using folder = folderWith({ hello: HELLO });
    const settings = `${SERVER}prices: ./own.yaml\n${scriptedUpstream({ hello: HELLO })}`;
    folder.write("gateway.yaml", settings);
    await using absent = check(folder);
    const none = await absent.ended();
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/gateway\.yaml:2:9 prices: \S+own\.yaml: there is no such file\n/);
    expect(none.stderr).toContain("mend `prices` of gateway.yaml");

    folder.write("own.yaml", "prices:\n  - { model: hello, input: cheap }\n  - { model: other, inptu: 1 }\n");
    await using wrong = check(folder);
    const { code, stderr } = await wrong.ended();
    expect(code).toBe(1);
    expect(stderr).toContain("3 problems in ");
    expect(stderr).toMatch(/own\.yaml:2:\d+ prices\[0\]\.input: expected a number/);
    expect(stderr).toMatch(/own\.yaml:3:\d+ prices\[1\]\.inptu: unknown key; did you mean "input"\?/);
  });

  test("a plugin that uses the network while it is opened is found out", async () => {
    await using gate = closedGate();
    using folder = new GatewayFolder("upstreams: { eager: { plugin: ./eager.ts } }\n", {
      "eager.ts": eagerPlugin(gate.url),
    });
    await using checking = check(folder);
    const { code, stderr } = await checking.ended();
    expect(code).toBe(1);
    expect(stderr).toContain("a plugin may not use the network while it is being opened");
  });
});

function busyPlugin(url: string): string {
  return `
    import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
    export default definePlugin({
      apiVersion: 1, name: "busy", options: Type.Object({}),
      open: (_, host) => ({
        start: async () => void (await host.fetch(${JSON.stringify(url)})),
        models: async () => [],
        chat() { throw new UpstreamError("unavailable", "busy"); },
      }),
    });`;
}

function eagerPlugin(url: string): string {
  return `
    import { definePlugin, Type } from "modelyard/plugin";
    export default definePlugin({
      apiVersion: 1, name: "eager", options: Type.Object({}),
      async open(_, host) { await host.fetch(${JSON.stringify(url)}); throw new Error("never"); },
    });`;
}

describe("what is said beside a command", () => {
  async function ended(line: string) {
    await using command = new CodeProcess("src/cli/main.ts", line.split(" "));
    return await command.ended();
  }

  test.each([
    ["check other.yaml", "other.yaml"],
    ["check --confg gateway.yaml", "--confg"],
    ["serve --port 9000", "--port"],
    ["serve other.yaml", "other.yaml"],
  ])("and means nothing to it ends it with 1, and is named: %s", async (line, stray) => {
    const { code, stdout, stderr } = await ended(line);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`takes only --config PATH, and not ${stray}`);
  });

  test.each(["help", "-h", "usage --help", "check --help", "serve -h"])(
    "asks for help, which it gets: %s",
    async (line) => {
      const { code, stdout } = await ended(line);
      expect(code).toBe(0);
      expect(stdout).toStartWith("usage: bun run modelyard COMMAND");
    },
  );

  test.each(["keys --help", "keys create --help", "keys list -h"])(
    "asks for the help of the keys, which it gets: %s",
    async (line) => {
      const { code, stdout, stderr } = await ended(line);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toStartWith("usage: bun run modelyard keys create NAME");
    },
  );

  test("asks for the version, or for a command that there isn't", async () => {
    expect((await ended("--version")).stdout).toMatch(/^\d+\.\d+\.\d+/);
    const unknown = await ended("sreve");
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("there is no command sreve")]);
  });
});
