import { httpUpstream } from "modelyard/conformance";
import type { Fixtures } from "modelyard/conformance";

/**
 * The upstream of the plugin `jobs`: each job has a ticket, by which its answer is waited for. It counts temperatures
 * from 0 to 50, and lists its models whatever it plays.
 */
export const jobFixtures: Fixtures = {
  model: "jobs-1",
  upstream({ name, answer }) {
    let tickets = 0;
    return httpUpstream({
      options: (url) => ({ base_url: url }),
      respond({ path }, reply) {
        if (path === "/models") return reply.end('["jobs-1"]');
        if (path === "/jobs") return reply.end(JSON.stringify({ ticket: `t${(tickets += 1)}` }));
        if (name !== "silent") reply.end(JSON.stringify({ say: answer.text }));
      },
    });
  },
  handled: { top_p: "the upstream takes hundredths" },
  translated: { temperature: (value) => Math.round(Number(value) * 50) },
};
