import { expect, test } from "bun:test";
import type { Candidate } from "./strategy.ts";
import { orderTargets } from "./strategy.ts";

function target(name: string, more: Partial<Candidate> = {}): Candidate {
  return { name, weight: 1, busy: 0, firstEvent: undefined, ...more };
}

/** A deterministic stand-in for chance (mulberry32). */
function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shares(draws: number, draw: () => string | undefined): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < draws; i++) {
    const name = draw() ?? "none";
    counts[name] = (counts[name] ?? 0) + 1 / draws;
  }
  return counts;
}

const choosing = { stickyKey: "alice", random: dice(1) };
const names = (targets: Candidate[]) => targets.map(({ name }) => name);

test("failover keeps the order of the file", () => {
  expect(names(orderTargets("failover", [target("a"), target("b")], choosing))).toEqual(["a", "b"]);
});

test("weighted takes targets first as often as their share, and keeps the others for failover", () => {
  const targets = [target("a", { weight: 3 }), target("b", { weight: 1 }), target("never", { weight: 0 })];
  const random = dice(2);
  const first = shares(20_000, () => orderTargets("weighted", targets, { stickyKey: "", random })[0]?.name);
  expect(first["a"]).toBeCloseTo(0.75, 1);
  expect(first["never"]).toBeUndefined();
  expect(names(orderTargets("weighted", targets, choosing)).toSorted()).toEqual(["a", "b", "never"]);
});

test("least_busy counts what is under way against the weight", () => {
  const targets = [
    target("a", { busy: 4, weight: 1 }),
    target("b", { busy: 6, weight: 2 }),
    target("c", { busy: 5 }),
  ];
  expect(names(orderTargets("least_busy", targets, choosing))).toEqual(["b", "a", "c"]);
});

test("fastest prefers the quicker of two, tries the unknown, and doesn't send everyone to the best", () => {
  const targets = [
    target("slow", { firstEvent: 900 }),
    target("quick", { firstEvent: 50 }),
    target("mid", { firstEvent: 300 }),
  ];
  const random = dice(3);
  const first = shares(9_000, () => orderTargets("fastest", targets, { stickyKey: "", random })[0]?.name);
  expect(first["quick"]).toBeCloseTo(2 / 3, 1);
  expect(first["mid"]).toBeCloseTo(1 / 3, 1);
  expect(first["slow"]).toBeUndefined();
  expect(
    orderTargets("fastest", [target("known", { firstEvent: 1 }), target("new")], choosing)[0]?.name,
  ).toBe("new");
  expect(names(orderTargets("fastest", [target("alone")], choosing))).toEqual(["alone"]);
});

test("a mere stand-in is never the least busy", () => {
  const targets = [target("stand-in", { weight: 0 }), target("a", { busy: 9 }), target("b", { weight: 0 })];
  expect(names(orderTargets("least_busy", targets, choosing))).toEqual(["a", "stand-in", "b"]);
});

test("only one request waits for a target that was never measured", () => {
  const targets = [target("new", { busy: 1 }), target("known", { firstEvent: 500 })];
  expect(names(orderTargets("fastest", targets, choosing))).toEqual(["known", "new"]);
});

test("sticky keeps everybody where they are, and moves only those whose target is gone", () => {
  const targets = [target("a"), target("b"), target("c")];
  const users = Array.from({ length: 3_000 }, (_, i) => `user-${i}`);
  const home = (among: Candidate[], stickyKey: string) =>
    orderTargets("sticky", among, { stickyKey, random: dice(1) })[0]?.name;
  const homes = users.map((user) => home(targets, user));
  for (const name of ["a", "b", "c"]) {
    expect(homes.filter((each) => each === name).length / users.length).toBeCloseTo(1 / 3, 1);
  }
  const without = targets.filter(({ name }) => name !== "b");
  users.forEach((user, i) => {
    if (homes[i] !== "b") expect(home(without, user)).toBe(homes[i]!);
  });
});
