/** The environment: names and what they hold. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A text after expansion. */
export interface Expansion {
  readonly text: string;
  /** The names whose values stand in `text`. */
  readonly variables: readonly string[];
  /** What is wrong; then `text` is of no use. */
  readonly mistakes: readonly ExpansionMistake[];
}

export interface ExpansionMistake {
  readonly message: string;
  readonly hint: string;
}

const BODY = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:[-+])([\s\S]*))?$/;

/** True if `expand` would change the text or complain about it. */
export function isExpandable(text: string): boolean {
  return text.includes("${");
}

/**
 * Puts the environment into a text: `${NAME}`, `${NAME:-text if unset or empty}`, `${NAME:+text if set and not
 * empty}`; `$${` is a plain `${`. Nothing else that begins with a dollar sign is touched, and what was put in is not
 * expanded again.
 */
export function expand(text: string, environment: Environment): Expansion {
  const pieces: string[] = [];
  const variables = new Set<string>();
  const mistakes: ExpansionMistake[] = [];
  for (const token of tokens(text)) {
    if (!("body" in token)) {
      pieces.push(token.plain);
      continue;
    }
    const piece = substitute(token.body, environment);
    if ("message" in piece) mistakes.push(piece);
    else pieces.push(piece.text);
    if ("variable" in piece) variables.add(piece.variable);
  }
  return { text: pieces.join(""), variables: [...variables], mistakes };
}

/** Plain text and the insides of `${…}`; an inside without an end is `undefined`. */
function* tokens(text: string): Generator<{ plain: string } | { body: string | undefined }> {
  let from = 0;
  for (;;) {
    const start = text.indexOf("${", from);
    if (start === -1) return yield { plain: text.slice(from) };
    if (start > from && text[start - 1] === "$") {
      yield { plain: `${text.slice(from, start - 1)}\${` };
      from = start + 2;
      continue;
    }
    yield { plain: text.slice(from, start) };
    const end = text.indexOf("}", start);
    if (end === -1) return yield { body: undefined };
    yield { body: text.slice(start + 2, end) };
    from = end + 1;
  }
}

type Piece =
  | { readonly text: string; readonly variable: string }
  | { readonly text: string }
  | ExpansionMistake;

function substitute(body: string | undefined, environment: Environment): Piece {
  if (body === undefined) {
    return { message: "${ has no closing }", hint: "write ${NAME}, or $${ for a plain ${" };
  }
  const [, name, operator, words = ""] = BODY.exec(body) ?? [];
  if (name === undefined) {
    return {
      message: "what stands between ${ and } can't be understood",
      hint: "write ${NAME}, ${NAME:-default} or ${NAME:+text}, or $${ for a plain ${",
    };
  }
  if (isExpandable(words)) {
    return {
      message: `\${${name}…} has another \${ inside`,
      hint: "an expansion can't stand inside another",
    };
  }
  // A name such as `constructor` must not find what every object inherits.
  const held = Object.hasOwn(environment, name) ? environment[name] : undefined;
  if (operator === ":+") return { text: held ? words : "" };
  if (operator === ":-") return held ? { text: held, variable: name } : { text: words };
  if (held !== undefined) return { text: held, variable: name };
  return {
    message: `${name} is not set in the environment`,
    hint: `set ${name}, in .env for example, or give it a default: \${${name}:-default}`,
  };
}
