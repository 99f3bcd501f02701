import { UpstreamError } from "modelyard/plugin";

/** Takes the cumulative snapshots of a text and says what is new in each. */
export interface SnapshotReader {
  /** What the snapshot adds to what was given out before: often nothing. */
  next(snapshot: string): string;
  /** What is left when the upstream has said that it is over. */
  end(): string;
}

/**
 * For streams: gives out each addition at once. What was given out can't be taken back, so a snapshot that
 * contradicts it adds nothing, and neither does one that is shorter; if a later one agrees again, its rest
 * goes out as if nothing had happened. If the last one still doesn't agree, `end` throws `bad-response`: the
 * client must not take a mixture of two texts for the answer. An empty snapshot says nothing. A surrogate
 * pair is never cut in two. Each snapshot is compared with one `startsWith`, which runs at the speed of memory.
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
    // A half that was held back makes the next whole text longer, never shorter.
    const added = text.slice(this.#sent.length);
    if (added !== "") this.#sent = text;
    return added;
  }
}

/** For plain answers: nothing goes out before the end, so the last snapshot is the answer, rewritten or not. */
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

/** Whether the last UTF-16 unit is the first half of a surrogate pair. */
function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}
