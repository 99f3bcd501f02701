import type { Json } from "../../contract/index.ts";
import type { ClientState } from "../../dialects/kept-texts.ts";
import type { ModelRequest } from "../../dialects/model-request.ts";
import type { Caller } from "../../keys/keyring.ts";
import type { Authenticated } from "./authenticate.ts";
import type { Exchange, RequestProgress } from "./exchange.ts";
import { readBody } from "./read-body.ts";

const LONGEST_SHOWN = 100;

/** Checks the bodies of an endpoint; throws a GatewayError that names the member at fault. */
export interface BodyParser<R extends ModelRequest> {
  parse(body: Json, client: ClientState): R;
}

/** A request whose body was read and checked. Only `read` makes one. */
class Received<R extends ModelRequest = ModelRequest> implements RequestProgress {
  declare protected readonly step: "received";
  readonly exchange: Exchange;
  readonly caller: Caller;
  readonly request: R;
  readonly shownModel: string;

  constructor({ exchange, caller }: Authenticated, request: R) {
    this.exchange = exchange;
    this.caller = caller;
    this.request = request;
    this.shownModel = shownModel(request.model);
    exchange.reached(this);
  }
}

export type { Received };

/**
 * Reads the body and has the endpoint check it. At once, without a promise, where all of it has come with the head, as that
 * of nearly every request has. Leaves with what `readBody` and `parse` leave with.
 */
export function read<R extends ModelRequest>(
  client: Authenticated,
  endpoint: BodyParser<R>,
): Received<R> | Promise<Received<R>> {
  const body = readBody(client.exchange);
  return body instanceof Promise
    ? body.then((arrived) => new Received(client, endpoint.parse(arrived, client)))
    : new Received(client, endpoint.parse(body, client));
}

/** A model's name as it may stand in a message: nobody is helped by ten thousand letters of it. */
export function shownModel(name: string): string {
  return name.length > LONGEST_SHOWN ? `${name.slice(0, LONGEST_SHOWN)}…` : name;
}
