import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const TEMPLATES = import.meta.dir;
const SHARED = "common";
/** The name that the templates give the plugin. */
const PLACEHOLDER = /new-plugin/g;
/** A template with the name of a test would be run as one here. */
const RENAMED = new Map([["conformance-test.ts", "conformance.test.ts"]]);

/** The kinds of upstreams there are templates for: each is a folder here. */
export function kinds(): string[] {
  return readdirSync(TEMPLATES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== SHARED)
    .map((entry) => entry.name)
    .sort();
}

/** The files of a new plugin of this kind, by name. `gateway` is the folder of the package modelyard. */
export function filesOf(name: string, kind: string, gateway: string): ReadonlyMap<string, string> {
  const templates = [SHARED, kind].flatMap((folder) =>
    readdirSync(join(TEMPLATES, folder)).map((file): [string, string] => {
      const text = readFileSync(join(TEMPLATES, folder, file), "utf8");
      return [RENAMED.get(file) ?? file, text.replace(PLACEHOLDER, name)];
    }),
  );
  return new Map([
    ...templates,
    ["package.json", json(packageOf(name, kind, gateway))],
    ["tsconfig.json", json(TYPES)],
    ["gateway.yaml", gatewayYaml(name)],
    ["README.md", readme(name, new Map(templates))],
    [".gitignore", "node_modules/\ndata/\n.env\n"],
  ]);
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The packages that the templates of a kind import, beside the gateway's own. */
const IMPORTED: Readonly<
  Record<string, { readonly plugin: readonly string[]; readonly tests: readonly string[] }>
> = {
  socketio: { plugin: ["socket.io-client"], tests: ["socket.io"] },
};
const TOOLS = ["bun-types", "typescript"];

interface Versions {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** The versions are those that the gateway itself is tested with. */
function packageOf(name: string, kind: string, gateway: string) {
  const tested = JSON.parse(readFileSync(join(gateway, "package.json"), "utf8")) as Versions;
  const versions = { ...tested.dependencies, ...tested.devDependencies };
  const { plugin, tests } = IMPORTED[kind] ?? { plugin: [], tests: [] };
  return {
    name,
    version: "0.1.0",
    type: "module",
    exports: "./index.ts",
    scripts: {
      test: "bun test",
      emulator: "bun emulator.ts",
      check: "modelyard check",
      start: "modelyard serve",
    },
    ...(plugin.length > 0 && { dependencies: picked(versions, plugin) }),
    devDependencies: { modelyard: `file:${gateway}`, ...picked(versions, [...TOOLS, ...tests]) },
  };
}

function picked(versions: Readonly<Record<string, string>>, names: readonly string[]) {
  return Object.fromEntries(names.map((name) => [name, versions[name]]));
}

const TYPES = {
  compilerOptions: {
    target: "ESNext",
    module: "Preserve",
    moduleResolution: "bundler",
    // Without DOM: Bun's own types know the headers of a WebSocket, which a browser's has none of.
    lib: ["ESNext"],
    types: ["bun-types"],
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    allowImportingTsExtensions: true,
    resolveJsonModule: true,
    skipLibCheck: true,
  },
  include: ["*.ts"],
};

function gatewayYaml(name: string): string {
  return `server:
  port: \${PORT:-8088}
keys:
  - name: me
    key: \${API_MASTER_KEY:-sk-try-it}
upstreams:
  ${name}:
    plugin: ./index.ts
    options:
      base_url: \${UPSTREAM_URL:-http://127.0.0.1:9000}
      api_key: \${UPSTREAM_KEY:-key-of-the-emulator}
# While you try the plugin by hand, these show you more:
# retry: { attempts: 1 } # each failure is shown, none is tried again
# health: { failures: 1000 } # one that keeps failing is asked all the same; a 429 rests it until its retry-after
# telemetry: { level: debug } # among other things, why a parameter was ignored
`;
}

/** What the templates are, in the order in which to read them. */
const PURPOSES = new Map([
  ["index.ts", "the plugin"],
  ["connection.ts", "one question to the upstream, on a socket of its own"],
  ["frames.ts", "what goes over the socket"],
  ["options.ts", "what stands under `options` in gateway.yaml"],
  ["request.ts", "what of a request is sent"],
  ["conformance.ts", "the upstream as the conformance kit plays it"],
  ["emulator.ts", "a stand-in for the upstream, to try the plugin with"],
  ["server.ts", "the upstream's protocol, for these two"],
]);

function readme(name: string, templates: ReadonlyMap<string, string>): string {
  const rows = [...PURPOSES].filter(([file]) => templates.has(file));
  return `# ${name}

An upstream plugin for Modelyard.

| file | |
| --- | --- |
${rows.map(([file, purpose]) => `| \`${file}\` | ${purpose} |`).join("\n")}

\`\`\`sh
bun install
bun test            # the conformance kit: its rules, one test each
bun run emulator    # in one terminal
bun run start       # in another: the gateway, on port 8088
curl http://127.0.0.1:8088/v1/chat/completions -H "Authorization: Bearer sk-try-it" \\
  -H "Content-Type: application/json" -d '{"model": "small", "messages": [{"role": "user", "content": "Hello!"}]}'
\`\`\`

Now make it your upstream's: change the format in \`conformance.ts\`, then \`index.ts\` until \`bun test\` is content.
`;
}
