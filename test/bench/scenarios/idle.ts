import { serviceUpstream, startService } from "../contenders/langfast.ts";
import { NO_CACHE, startModelyard, stubUpstream } from "../contenders/modelyard.ts";
import { Stage } from "../stage.ts";
import type { Scenario } from "./scenario.ts";

/** Memory at rest: with one plugin that leads to the stub, and with all built-in plugins open. Once a run. */
export const idle: Scenario = {
  name: "idle",
  async run({ sizes }) {
    await using stage = await Stage.open();
    const service = stage.own(await startService());
    const { stubUrl } = stage;
    const others = ["anthropic", "gemini"].map(
      (plugin) => `
  ${plugin}:
    plugin: ${plugin}
    options: { api_key: dummy-key-0123456789, base_url: "${stubUrl}", models: [${plugin}-model] }`,
    );
    const yaml = `${NO_CACHE}${stubUpstream(stubUrl)}  echo: { plugin: echo }\n${others.join("")}\n${serviceUpstream(service)}`;
    const rawBun = await stage.start("raw-bun");
    const one = stage.own(await startModelyard("modelyard", NO_CACHE + stubUpstream(stubUrl)));
    const all = stage.own(await startModelyard("modelyard", yaml));
    await Bun.sleep(sizes.rest);
    const mib = ({ rss }: { readonly rss: number }) => [rss / 1024];
    return [
      {
        scenario: idle.name,
        name: "RSS, one upstream",
        unit: "MiB",
        rounds: { "raw-bun": rawBun.server ? mib(rawBun.server) : [], modelyard: mib(one.server) },
      },
      {
        scenario: idle.name,
        name: "RSS, all built-in plugins open",
        unit: "MiB",
        rounds: { modelyard: mib(all.server) },
        targets: [{ is: "at most", plus: 90 }],
      },
    ];
  },
};
