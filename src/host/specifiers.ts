import * as contract from "../contract/index.ts";
import * as credentials from "../kit/credentials/index.ts";
import * as kit from "../kit/index.ts";

/** The module specifiers of the gateway that plugins may import. */
export const SPECIFIERS: readonly string[] = ["modelyard/plugin", "modelyard/kit", "modelyard/credentials"];

let provided = false;

/**
 * Resolves these specifiers to this gateway's own modules for all plugins, wherever their files are and whichever copy of
 * the package is installed beside them.
 */
export function provideSpecifiers(): void {
  if (provided) return;
  provided = true;
  Bun.plugin({
    name: "modelyard",
    setup(build) {
      build.module("modelyard/plugin", () => ({ exports: contract, loader: "object" }));
      build.module("modelyard/kit", () => ({ exports: kit, loader: "object" }));
      build.module("modelyard/credentials", () => ({ exports: credentials, loader: "object" }));
    },
  });
}
