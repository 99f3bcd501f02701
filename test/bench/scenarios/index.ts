import { burst } from "./burst.ts";
import { cold } from "./cold.ts";
import { hit } from "./hit.ts";
import { idle } from "./idle.ts";
import { langfast } from "./langfast.ts";
import { latency } from "./latency.ts";
import { messages } from "./messages.ts";
import { open } from "./open.ts";
import { paced } from "./paced.ts";
import { plain, plain64k } from "./plain.ts";
import type { Scenario } from "./scenario.ts";
import { slope } from "./slope.ts";

/** All of them, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  plain,
  plain64k,
  hit,
  burst,
  messages,
  paced,
  open,
  latency,
  langfast,
  idle,
  slope,
  cold,
];
