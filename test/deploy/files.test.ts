import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../config/load.ts";
import { GatewaySchema } from "../../config/schema/gateway.ts";
import packageJson from "../../package.json";

const ROOT = join(import.meta.dir, "../..");
const read = (path: string) => Bun.file(join(ROOT, path)).text();

/** The variables of a `.env` file. */
async function variables(path: string): Promise<Record<string, string>> {
  const lines = (await read(path)).split("\n").filter((line) => /^[A-Z]/.test(line));
  return Object.fromEntries(lines.map((line) => line.split("=", 2)));
}

describe(".env.example", () => {
  test("names every variable of gateway.yaml, and no other", async () => {
    const used = [...(await read("gateway.yaml")).matchAll(/(?<!#.*)\$\{([A-Z_]+)/g)].map(
      ([, name]) => name ?? "",
    );
    const named = Object.keys(await variables(".env.example"));
    expect(named.toSorted()).toEqual([...new Set(used)].toSorted());
  });

  test("is a working start as it stands, and with everything set", async () => {
    const example = await variables(".env.example");
    const full = Object.fromEntries(
      Object.entries(example).map(([name, value]) => [name, value || "a-value-of-24-characters"]),
    );
    for (const environment of [example, full]) {
      const config = await loadConfig(join(ROOT, "gateway.yaml"), environment);
      expect(config.problems).toEqual([]);
    }
  });
});

describe("Dockerfile", () => {
  test("copies only what is there, and what .dockerignore lets through", async () => {
    const copies = [...(await read("Dockerfile")).matchAll(/^COPY (?!--from)(.+) \S+$/gm)];
    const sources = copies.flatMap(([, list = ""]) => list.split(" "));
    const letThrough = (await read(".dockerignore")).match(/(?<=^!).+$/gm) ?? [];
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
    expect([...new Set(sources)].sort()).toEqual([...letThrough].sort());
  });

  test("is of the same Bun as the tests and the types", async () => {
    const bun = packageJson.devDependencies["bun-types"];
    const tags = [...(await read("Dockerfile")).matchAll(/^FROM oven\/bun:(\S+)/gm)].map(([, tag]) => tag);
    expect(tags).toEqual([`${bun}-slim`, `${bun}-slim`]);
    expect(await read(".ci/run")).toContain(`bun@${bun}`);
  });
});

describe("docker-compose.yml", () => {
  test("mounts files that are there, and leads nginx to the gateway's port", async () => {
    const { services } = Bun.YAML.parse(await read("docker-compose.yml")) as {
      services: Record<string, { volumes: string[]; ports?: string[]; environment?: { PORT: number } }>;
    };
    const mounted = Object.values(services).flatMap(({ volumes }) =>
      volumes.filter((volume) => volume.startsWith("./")),
    );
    expect(mounted).toHaveLength(2);
    for (const volume of mounted) expect(existsSync(join(ROOT, volume.split(":")[0] ?? ""))).toBe(true);
    const nginx = await read("deploy/nginx.conf");
    expect(nginx).toContain(`server gateway:${services["gateway"]?.environment?.PORT};`);
    expect(nginx).toContain(`listen ${services["nginx"]?.ports?.[0]?.split(":").at(-1)};`);
  });
});

describe("deploy/nginx.conf", () => {
  test("takes bodies as large as the gateway does", async () => {
    const [, mebibytes] = /client_max_body_size (\d+)m;/.exec(await read("deploy/nginx.conf")) ?? [];
    expect(`${mebibytes}MiB`).toBe(GatewaySchema.properties.server.properties.max_body.default as string);
  });
});
