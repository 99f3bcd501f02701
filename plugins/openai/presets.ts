import type { ReasoningForm } from "modelyard/kit";

/** The URL of a well-known server, and whether it needs an API key. */
export interface Preset {
  readonly url: string;
  readonly needsKey: boolean;
  /** The documented form of its reasoning; without it the first answer shows the form. */
  readonly reasoning?: ReasoningForm;
  /** What it understands beyond OpenAI's chat completions. */
  readonly extensions?: readonly string[];
}

const hosted = (url: string, reasoning?: ReasoningForm): Preset => ({
  url,
  needsKey: true,
  ...(reasoning && { reasoning }),
});
const local = (port: number): Preset => ({
  url: `http://127.0.0.1:${port}/v1`,
  needsKey: false,
  extensions: ["top_k"],
});

/** The well-known servers by name, with the URLs of their own documentation. */
export const PRESETS = {
  openai: hosted("https://api.openai.com/v1"),
  openrouter: {
    ...hosted("https://openrouter.ai/api/v1", "reasoning"),
    extensions: ["cache_control", "reasoning_details", "top_k"],
  },
  groq: hosted("https://api.groq.com/openai/v1", "reasoning"),
  deepseek: hosted("https://api.deepseek.com/v1", "reasoning_content"),
  mistral: hosted("https://api.mistral.ai/v1", "thinking"),
  together: hosted("https://api.together.xyz/v1"),
  fireworks: hosted("https://api.fireworks.ai/inference/v1"),
  xai: hosted("https://api.x.ai/v1"),
  cerebras: hosted("https://api.cerebras.ai/v1", "reasoning"),
  perplexity: hosted("https://api.perplexity.ai"),
  deepinfra: hosted("https://api.deepinfra.com/v1/openai"),
  huggingface: hosted("https://router.huggingface.co/v1"),
  moonshot: hosted("https://api.moonshot.ai/v1"),
  nvidia: hosted("https://integrate.api.nvidia.com/v1"),
  sambanova: hosted("https://api.sambanova.ai/v1"),
  ollama: local(11434),
  vllm: local(8000),
  llamacpp: local(8080),
  lmstudio: local(1234),
} satisfies Readonly<Record<string, Preset>>;

export type PresetName = keyof typeof PRESETS;
