import { describe, expect, test } from "bun:test";
import { exportedBy } from "../../docs/exported.ts";

/**
 * What the reference for authors of plugins is made of.
 * @module
 */
const DECLARATIONS = new Map([
  [
    "src/index",
    `/** The entry. */
export { bake } from "./oven.ts";
export type { Bread, Loaf } from "./oven.ts";
export { Flour } from "./store/index.ts";
`,
  ],
  [
    "src/oven",
    `import type { Flour } from "./store/index.ts";
export interface Loaf {
    readonly grams: number;
}
/**
 * Good bread.
 * Two lines.
 */
export interface Bread extends Loaf {
    /** From 0 to 9. */
    readonly crust: number;
}
/** Bakes. */
export declare function bake(flour: Flour): Bread;
export declare function bake(flour: Flour, minutes: number): Bread;
export declare function baked(): void;
`,
  ],
  ["src/store/index", `import { Flour } from "mill";\nexport { Flour };\n`],
]);

describe("what an entry exports", () => {
  const exported = exportedBy("src/index", DECLARATIONS);

  test("is found where it is declared, in alphabetical order", () => {
    expect(exported.map(({ name }) => name)).toEqual(["bake", "Bread", "Flour", "Loaf"]);
  });

  test("has its comment and its whole declaration, and no other's", () => {
    expect(exported.find(({ name }) => name === "Bread")).toEqual({
      name: "Bread",
      comment: "Good bread.\nTwo lines.",
      code: "export interface Bread extends Loaf {\n    /** From 0 to 9. */\n    readonly crust: number;\n}",
      package: undefined,
    });
    expect(exported.find(({ name }) => name === "Loaf")?.comment).toBe("");
  });

  test("has all overloads of a function", () => {
    const bake = exported.find(({ name }) => name === "bake");
    expect(bake?.comment).toBe("Bakes.");
    expect(bake?.code?.split("\n")).toEqual([
      "export declare function bake(flour: Flour): Bread;",
      "export declare function bake(flour: Flour, minutes: number): Bread;",
    ]);
  });

  test("is named with its package where it is another's", () => {
    expect(exported.find(({ name }) => name === "Flour")).toMatchObject({ package: "mill", code: undefined });
  });

  test("must be declared somewhere", () => {
    const empty = new Map([...DECLARATIONS, ["src/oven", ""] as const]);
    expect(() => exportedBy("src/index", empty)).toThrow("src/oven exports bake, and nothing declares it");
  });
});
