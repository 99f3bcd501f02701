import type { Figure } from "./figure.ts";
import { loadOfOthers, machine, machineTime } from "./machine.ts";
import type { Run } from "./report.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import type { Settings } from "./settings.ts";

/** Runs scenarios one after the other. `began` is told the name of each. */
export async function run(
  scenarios: readonly Scenario[],
  settings: Omit<Settings, "note">,
  began: (name: string) => void,
): Promise<Run> {
  const notes = new Set<string>();
  const figures: Figure[] = [];
  const before = machineTime();
  for (const scenario of scenarios) {
    began(scenario.name);
    const note = (text: string) => void notes.add(`${scenario.name}: ${text}`);
    figures.push(...(await scenario.run({ ...settings, note })));
  }
  return {
    machine: machine(),
    date: new Date().toISOString(),
    rounds: settings.rounds,
    otherLoad: loadOfOthers(before, machineTime()),
    notes: [...notes],
    figures,
  };
}
