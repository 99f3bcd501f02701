import { UpstreamError } from "modelyard/plugin";

/** Reads cumulative snapshots of a text and returns what each adds. */
export interface SnapshotReader {
  /** Returns the text that the snapshot adds; often none. */
  next(snapshot: string): string;
  /** Returns the remaining text after the run has ended. */
  end(): string;
}

/**
 * Reads the snapshots of a streamed answer and returns each addition at once. Sent text can't be revoked: a snapshot
 * that contradicts it, or is shorter, adds nothing. If a later one continues the sent text, its rest is returned.
 * `end` throws `bad-response` if the last snapshot contradicts the sent text, so that no client takes a mixture of two
 * texts for the answer. Empty snapshots are skipped. Surrogate pairs are never split.
 */
export class StreamedSnapshots implements SnapshotReader {
  #sent = "";
  #last = "";

  next(snapshot: string): string {
    if (snapshot === "") return "";
    this.#last = snapshot;
    if (!snapshot.startsWith(this.#sent)) return "";
    return this.#send(endsInHalf(snapshot) ? snapshot.slice(0, -1) : snapshot);
  }

  end(): string {
    if (this.#last.startsWith(this.#sent)) return this.#send(this.#last);
    throw new UpstreamError("bad-response", "the upstream rewrote its answer after a part of it was sent");
  }

  #send(text: string): string {
    // A high surrogate that was held back makes the next whole text longer, never shorter.
    const added = text.slice(this.#sent.length);
    if (added !== "") this.#sent = text;
    return added;
  }
}

/** Reads the snapshots of an unstreamed answer: the last one is the answer, rewritten or not. */
export class WholeSnapshot implements SnapshotReader {
  #last = "";

  next(snapshot: string): string {
    if (snapshot !== "") this.#last = snapshot;
    return "";
  }

  end(): string {
    return this.#last;
  }
}

/** Returns whether the last UTF-16 unit is a high surrogate. */
function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}
