/** `plugin test` as a process of its own. */
import { pluginTest } from "../../src/cli/plugin-test.ts";

process.exit(await pluginTest(process.argv.slice(2)));
