import { describe, expect, test } from "bun:test";
import { CodeProcess } from "../gateway-process.ts";
import { until } from "../until.ts";

const MAIN = "test/support/langfast-emulator/main.ts";

describe("bun run emulator", () => {
  test("prints the line that starts the gateway, with or without an installed Bun, and ends on SIGINT", async () => {
    await using emulator = new CodeProcess(MAIN, ["--port", "0", "--socket-port", "0"]);
    await until(() => emulator.stdout.includes("Ctrl-C"), "the line", 10_000);
    expect(emulator.stdout).toMatch(
      /^LANGFAST_ANON_KEY=\S+ LANGFAST_SUPABASE_URL=http:\S+ LANGFAST_SOCKET_URL=http:\S+ npx --yes bun@[\d.]+ run start$/m,
    );
    expect(emulator.stdout).toContain("`bun run start`");
    emulator.signal("SIGINT");
    const { code, stdout, stderr } = await emulator.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toEndWith("0 users, 0 runs, 0 violations\n");
  });

  test.each(["--port", "--socket-port"])("says in one line that a port is taken: %s", async (option) => {
    using taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const other = option === "--port" ? "--socket-port" : "--port";
    await using emulator = new CodeProcess(MAIN, [option, String(taken.port), other, "0"]);
    const { code, stdout, stderr } = await emulator.ended();
    expect({ code, stdout, lines: stderr.trim().split("\n").length }).toEqual({
      code: 1,
      stdout: "",
      lines: 1,
    });
    expect(stderr).toContain(
      `port ${option === "--port" ? `${taken.port} or 0` : `0 or ${taken.port}`} is in use`,
    );
  });

  test("says how it is used when asked to", async () => {
    await using emulator = new CodeProcess(MAIN, ["--help"]);
    const { code, stdout, stderr } = await emulator.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toStartWith("usage: bun run emulator [--port N] [--socket-port N]\n");
  });

  test.each([
    { argv: ["--prot", "1"], said: "--prot" },
    { argv: ["54321"], said: "54321" },
    { argv: ["--port", "many"], said: 'not "many"' },
    { argv: ["--port", "65536"], said: 'not "65536"' },
  ])("says what it doesn't understand, and how it is used: $argv", async ({ argv, said }) => {
    await using emulator = new CodeProcess(MAIN, argv);
    const { code, stdout, stderr } = await emulator.ended();
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(said);
    expect(stderr).toContain("\nusage: bun run emulator");
  });
});
