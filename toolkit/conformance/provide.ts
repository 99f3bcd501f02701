import * as conformance from "./index.ts";

/** Resolves `modelyard/conformance` to this kit in every module that is loaded afterwards, wherever its file is. */
export function provideConformance(): void {
  Bun.plugin({
    name: "modelyard/conformance",
    setup(build) {
      build.module("modelyard/conformance", () => ({ exports: conformance, loader: "object" }));
    },
  });
}
