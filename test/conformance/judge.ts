/** `plugin test` as a process of its own. */
import { pluginTest } from "../../toolkit/commands/plugin-test.ts";

process.exit(await pluginTest(process.argv.slice(2)));
