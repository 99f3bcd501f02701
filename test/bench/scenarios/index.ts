import { burst } from "./burst.ts";
import { paced } from "./paced.ts";
import { plain, plain64k } from "./plain.ts";
import type { Scenario } from "./scenario.ts";

/** All of them, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [plain, plain64k, burst, paced];
