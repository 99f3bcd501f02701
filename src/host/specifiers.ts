import * as contract from "../contract/index.ts";
import * as credentials from "../kit/credentials/index.ts";
import * as kit from "../kit/index.ts";

/** What plugins may import of the gateway. */
export const SPECIFIERS: readonly string[] = ["modelyard/plugin", "modelyard/kit", "modelyard/credentials"];

let provided = false;

/**
 * Makes this gateway's own modules known to plugins, wherever their files lie and whatever copy of the package
 * lies beside them.
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
