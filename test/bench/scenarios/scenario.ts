import type { Figure } from "../figure.ts";
import type { Settings } from "../settings.ts";

/** Something that is measured of all contenders side by side. */
export interface Scenario {
  readonly name: string;
  run(settings: Settings): Promise<readonly Figure[]>;
}
