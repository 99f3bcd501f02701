import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

/** The text of each declaration file, by the path of its source without the ending: `src/kit/post`. */
export type Declarations = ReadonlyMap<string, string>;

/**
 * What the compiler declares for these files (from the root of the repository) and for those they import. Types
 * aren't checked. Rejects with what the compiler said when it fails.
 */
export async function declarationsOf(files: readonly string[]): Promise<Declarations> {
  const folder = await mkdtemp(join(tmpdir(), "modelyard-declarations-"));
  try {
    await compile(files, folder);
    const emitted = readdirSync(folder, { recursive: true, encoding: "utf8" });
    return new Map(
      emitted
        .filter((name) => name.endsWith(".d.ts"))
        .map((name) => [
          name.replace(/\.d\.ts$/, "").replaceAll("\\", "/"),
          readFileSync(join(folder, name), "utf8"),
        ]),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compile(files: readonly string[], folder: string): Promise<void> {
  const settings = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: {
      declaration: true,
      emitDeclarationOnly: true,
      noCheck: true,
      noEmit: false,
      outDir: folder,
      rootDir: ROOT,
      typeRoots: [join(ROOT, "node_modules")],
    },
    files: files.map((file) => join(ROOT, file)),
    include: [],
  };
  const project = join(folder, "tsconfig.json");
  await Bun.write(project, JSON.stringify(settings));
  const compiler = Bun.spawn([join(ROOT, "node_modules/.bin/tsc"), "-p", project], { stdout: "pipe" });
  const said = await new Response(compiler.stdout).text();
  if ((await compiler.exited) !== 0) throw new Error(`the declarations can't be made:\n${said}`);
}
