import { Secret, Type } from "modelyard/plugin";
import type { Static } from "modelyard/plugin";

const UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";

const account = Type.Object(
  {
    refresh_token: Secret({
      description:
        "The account's refresh token, used once: afterwards its successors are kept in the gateway's storage.",
    }),
  },
  { additionalProperties: false },
);

const credentials = Type.Object(
  {
    min: Type.Integer({
      minimum: 0,
      default: 3,
      description: "How many credentials are kept ready for requests.",
    }),
    max: Type.Integer({
      minimum: 1,
      default: 10,
      description:
        "How many credentials there may be. One carries several runs at once as long as the service reports run ids.",
    }),
  },
  { additionalProperties: false, default: {}, description: "How many credentials the pool keeps." },
);

/** This plugin's options in gateway.yaml. */
export const options = Type.Object(
  {
    anon_key: Secret({
      description: "The public key of the service's Supabase project, which every call carries.",
    }),
    supabase_url: Type.String({
      pattern: "^https?://",
      default: "https://yzaaxwkjukajpwqflndu.supabase.co",
      description: "Where the service's Supabase project is.",
    }),
    socket_url: Type.String({
      pattern: "^https?://",
      default: "https://langfast-prompt-runner-35808038077.us-central1.run.app",
      description: "Where the prompt runner's Socket.IO server is.",
    }),
    credentials,
    anonymous: Type.Boolean({
      default: true,
      description: "Whether the pool may sign up anonymous users. Without it, `accounts` are needed.",
    }),
    accounts: Type.Array(account, {
      default: [],
      description: "Accounts of your own, used besides or instead of anonymous users.",
    }),
    prompt_id: Type.String({
      pattern: `^(auto|${UUID})$`,
      default: "6456df9f-f4fd-42b3-97ff-df29af7188b7",
      description: "The prompt that is run: a public one's id, or `auto` to create one for each run.",
    }),
  },
  { additionalProperties: false, description: "The langfa.st prompt runner." },
);

/** The type of the validated options. */
export type Options = Static<typeof options>;

/** Throws if an address is invalid or the options contradict one another. */
export function validateOptions(options: Options): void {
  const {
    credentials: { min, max },
    anonymous,
    accounts,
  } = options;
  for (const name of ["supabase_url", "socket_url"] as const)
    if (!URL.canParse(options[name])) throw new Error(`${name}: ${options[name]} is no valid URL`);
  // In a Socket.IO address that would be a namespace.
  if (new URL(options.socket_url).pathname !== "/") throw new Error("socket_url: leave out the path");
  if (min > max) throw new Error(`credentials: min (${min}) is greater than max (${max})`);
  if (!anonymous && accounts.length === 0) {
    throw new Error("anonymous is false and accounts is empty: there is nothing to sign in with");
  }
}
