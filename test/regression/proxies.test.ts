import { afterAll, describe, expect, test } from "bun:test";
import { Authority } from "../support/certificates.ts";
import { ForwardProxy } from "../support/forward-proxy.ts";
import { CodeProcess, GatewayFolder, startMain } from "../support/gateway-process.ts";
import { ask, KEYS, SERVER } from "../support/process-settings.ts";
import { until } from "../support/until.ts";
import { WireServer } from "../support/wire-server.ts";
import { answer } from "../support/wire-upstreams.ts";

/**
 * Upstreams behind a proxy that the environment names.
 * @module
 */
const authority = new Authority();
const server = new WireServer();
const secure = new WireServer(authority.issue({ names: "DNS:far.test" }));
const proxy = new ForwardProxy(answer("POST /v1/chat/completions \r\n"), secure.port);
for (const each of [server, secure]) each.respond = (request, socket) => void socket.write(answer(request));
afterAll(() => {
  server.stop();
  secure.stop();
  proxy[Symbol.dispose]();
  authority[Symbol.dispose]();
});

const UPSTREAMS = `
retry: { attempts: 1 }
health: { failures: 1000 }
upstreams:
  near: { plugin: openai, options: { base_url: "${server.origin}/v1", models: [m] } }
  far: { plugin: openai, options: { base_url: "http://far.test/v1", models: [m] } }
  safe: { plugin: openai, options: { base_url: "https://far.test/v1", models: [m] } }
`;

describe("with HTTP_PROXY and HTTPS_PROXY", () => {
  const environment = { HTTP_PROXY: proxy.url, https_proxy: proxy.url };
  const SAID = [
    `far is reached through http://127.0.0.1:${proxy.port}`,
    `safe is reached through http://127.0.0.1:${proxy.port}`,
  ];

  test("the start says who is behind it, and only those are", async () => {
    using folder = new GatewayFolder(`${SERVER}${KEYS}${UPSTREAMS}`);
    await using main = startMain(folder, {
      ...environment,
      API_MASTER_KEY: "sk-configured-0123456789",
      NODE_EXTRA_CA_CERTS: authority.file,
    });
    const url = await main.listening();
    for (const said of SAID) await until(() => main.stderr.includes(said), said);
    expect(main.stderr).not.toContain("near is reached");
    for (const [upstream, line] of [
      ["near", undefined],
      ["far", "POST http://far.test/v1/chat/completions HTTP/1.1"],
      ["safe", "CONNECT far.test:443 HTTP/1.1"],
    ] as const) {
      const before = proxy.asked.length;
      expect(await (await ask(url, `${upstream}/m`)).text()).toContain("Hello");
      expect(proxy.asked.slice(before)).toEqual(line === undefined ? [] : [line]);
    }
    main.signal("SIGTERM");
    const { stderr, stdout } = await main.ended();
    expect(stderr + stdout).not.toContain("proxy-secret");
  });

  test("`check` says it as well", async () => {
    using folder = new GatewayFolder(`${SERVER}${KEYS}${UPSTREAMS}`);
    await using checking = new CodeProcess("src/cli/main.ts", ["check", "--config", folder.config], {
      environment,
    });
    const { code, stdout, stderr } = await checking.ended();
    expect(code).toBe(0);
    for (const said of SAID) expect(stdout).toContain(said);
    expect(stdout + stderr).not.toContain("near is reached");
    expect(stdout + stderr).not.toContain("proxy-secret");
  });
});

describe("a proxy", () => {
  /** Asks both upstreams behind it, and gives what the log says then. */
  async function logOf(address: string): Promise<string> {
    using folder = new GatewayFolder(`${SERVER}${KEYS}${UPSTREAMS}`);
    await using main = startMain(folder, {
      HTTP_PROXY: address,
      HTTPS_PROXY: address,
      API_MASTER_KEY: "sk-configured-0123456789",
      NODE_EXTRA_CA_CERTS: authority.file,
    });
    const url = await main.listening();
    for (const upstream of ["far", "safe"]) {
      const response = await ask(url, `${upstream}/m`, { stream: false });
      expect(`${response.status} ${await response.text()}`).toMatch(/^503 .*can't be reached/);
      await until(() => main.stderr.includes(`upstream=${upstream}`), "the log");
    }
    main.signal("SIGTERM");
    const { stderr } = await main.ended();
    expect(stderr).not.toContain("proxy-secret");
    return stderr;
  }

  test("that is dead is named in the log, without its password", async () => {
    const freed = new ForwardProxy("", 0);
    freed[Symbol.dispose]();
    const log = await logOf(freed.url);
    const through = `through the proxy http://127.0.0.1:${freed.port}: ECONNREFUSED`;
    expect(log.split(`far.test ${through}`)).toHaveLength(3);
  });

  test("that refuses is named in the log", async () => {
    const refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    using refusing = new ForwardProxy(refusal, 0);
    refusing.refusal = refusal;
    const log = await logOf(refusing.url);
    for (const code of ["status 407", "ERR_PROXY_TUNNEL"]) {
      expect(log).toContain(`far.test through the proxy http://127.0.0.1:${refusing.port}: ${code}`);
    }
  });

  test("doesn't stand between the gateway and the server's certificate", async () => {
    const stranger = new WireServer(authority.selfSigned());
    using other = new ForwardProxy("HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n", stranger.port);
    expect(await logOf(other.url)).toMatch(/: DEPTH_ZERO_SELF_SIGNED_CERT/);
    expect(stranger.requests).toEqual([]);
    stranger.stop();
  });
});
