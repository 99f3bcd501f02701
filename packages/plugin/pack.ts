/**
 * `bun run pack:plugin FOLDER`: writes the tarball of the package for plugin authors to a folder.
 * @module
 */
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import gateway from "../../package.json";
import { declarationsOf } from "../../docs/declarations.ts";

const ROOT = join(import.meta.dir, "../..");
const NAME = "@modelyard/plugin";
const ENTRIES = Object.entries(gateway.exports);

const folder = await mkdtemp(join(tmpdir(), "modelyard-plugin-"));
try {
  await Promise.all([writeCode(), writeTypes(), writeManifest()]);
  await copyFile(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  await copyFile(join(import.meta.dir, "README.md"), join(folder, "README.md"));
  const destination = resolve(process.argv[2] ?? ".");
  await mkdir(destination, { recursive: true });
  await Bun.$`bun pm pack --destination ${destination} --quiet`.cwd(folder);
} finally {
  await rm(folder, { recursive: true });
}

/** One file an entry; what entries share is in files of its own, so that no class exists twice. */
async function writeCode(): Promise<void> {
  await Bun.build({
    entrypoints: ENTRIES.map(([, file]) => join(ROOT, file)),
    root: ROOT,
    outdir: join(folder, "code"),
    target: "bun",
    packages: "external",
    splitting: true,
  });
}

async function writeTypes(): Promise<void> {
  const declarations = await declarationsOf(ENTRIES.map(([, file]) => file));
  for (const [name, text] of declarations) await Bun.write(join(folder, "types", `${name}.d.ts`), text);
}

async function writeManifest(): Promise<void> {
  const { version, license, type, engines, dependencies } = gateway;
  const manifest = {
    name: NAME,
    version,
    description: "The contract, kit and conformance kit for plugins of the AI gateway Modelyard",
    keywords: ["modelyard", "plugin", "ai-gateway"],
    license,
    type,
    engines,
    files: ["code", "types"],
    exports: Object.fromEntries(ENTRIES.map(([entry, file]) => [entry, targetOf(file)])),
    dependencies: { "@sinclair/typebox": dependencies["@sinclair/typebox"], yaml: dependencies.yaml },
  };
  await Bun.write(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
}

function targetOf(file: string) {
  const name = file.replace(/\.ts$/, "");
  return { types: name.replace(".", "./types") + ".d.ts", default: name.replace(".", "./code") + ".js" };
}
