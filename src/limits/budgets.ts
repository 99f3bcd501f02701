import type { BudgetSettings } from "../../config/settings.ts";
import type { BudgetPeriod } from "./budget-period.ts";
import { budgetPeriod } from "./budget-period.ts";
import { finite } from "./finite.ts";
import type { Spent } from "../ledger/ledger.ts";

/** Of a budget, this share used up is worth a warning. */
const WARN_SHARE = 0.8;
/** When a request under way will end can't be known. */
const HELD_RETRY_MS = 1000;

/** What a request costs, or may cost. */
export interface Cost {
  readonly usd: number;
  readonly tokens: number;
}

const NOTHING: Cost = { usd: 0, tokens: 0 };

/** Part of a budget that is spoken for while a request is under way. */
export interface BudgetHold {
  /** Replaces what was held by what was spent. Only the first call counts. */
  settle(spent: Cost): void;
}

/** Which part of a budget is used up, and when it is worth coming back. */
export interface BudgetRefusal {
  readonly budget: "usd" | "tokens";
  /** The budget's number. */
  readonly of: number;
  readonly per: BudgetSettings["per"];
  readonly retryAfterMs: number;
  /** True: it isn't spent, only spoken for by requests under way. */
  readonly held: boolean;
}

/** What a key has spent of its budget in the present period. */
export interface BudgetStanding {
  readonly spent: Cost;
  readonly limit: BudgetSettings;
  /** Milliseconds since 1970. */
  readonly periodStart: number;
  /** Milliseconds since 1970: the start of the next. */
  readonly periodEnd: number;
}

export interface BudgetsOptions {
  /** What a key has spent since a time in ms since 1970. Asked once for each key and period. */
  spentSince(key: string, since: number): Promise<Spent>;
  /** Milliseconds since 1970; `Date.now` by default. */
  readonly now?: () => number;
  /** Told once for each key and period when `share` of its budget, at least four fifths, is spent. */
  onThreshold(key: string, budget: BudgetSettings, share: number): void;
}

/** What keys may spend in a calendar day, week or month. What was begun in one and ends in the next counts there. */
export class Budgets {
  readonly #options: BudgetsOptions;
  readonly #now: () => number;
  readonly #accounts = new Map<string, BudgetAccount>();

  constructor(options: BudgetsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Holds what a request may cost until it is settled, or says why not; a refusal, the one that has `budget` in
   * it, holds nothing. As long as anything is left a request is admitted, whatever it may cost. A promise, at a key's
   * first request of a period: what it has spent must be read first, and `hold` be called again once that is done.
   */
  hold(key: string, budget: BudgetSettings, estimate: Cost): BudgetHold | BudgetRefusal | Promise<void> {
    const now = this.#now();
    const account = this.#account(key);
    account.enterPeriod(budget, now);
    if (!account.isLoaded) return account.load();
    const refusal = account.refusal(budget, now);
    if (refusal) return refusal;
    account.hold(estimate);
    return new AccountHold(account, estimate, this.#now);
  }

  /** What is in memory: it may lack what was spent before a key's first request of the period. */
  standing(key: string, budget: BudgetSettings): BudgetStanding {
    const account = this.#account(key);
    account.enterPeriod(budget, this.#now());
    return account.standing(budget);
  }

  #account(key: string): BudgetAccount {
    let account = this.#accounts.get(key);
    if (!account) this.#accounts.set(key, (account = new BudgetAccount(key, this.#options)));
    return account;
  }
}

/** Throws RangeError if a part of `added` isn't finite. */
function sumOf(sum: Cost, added: Cost): Cost {
  return { usd: sum.usd + finite(added.usd), tokens: sum.tokens + finite(added.tokens) };
}

class AccountHold implements BudgetHold {
  #account: BudgetAccount | undefined;
  readonly #estimate: Cost;
  readonly #now: () => number;

  constructor(account: BudgetAccount, estimate: Cost, now: () => number) {
    this.#account = account;
    this.#estimate = estimate;
    this.#now = now;
  }

  settle(spent: Cost): void {
    this.#account?.settle(this.#estimate, spent, this.#now());
    this.#account = undefined;
  }
}

/** What one key has spent in the present period, and what is spoken for. */
class BudgetAccount {
  readonly #key: string;
  readonly #options: BudgetsOptions;
  #budget: BudgetSettings | undefined;
  #period: BudgetPeriod = { start: 0, end: 0 };
  #spent: Cost = NOTHING;
  #isLoaded = false;
  #loading: Promise<void> | undefined;
  #held: Cost = NOTHING;
  #holds = 0;
  #hasWarned = false;

  constructor(key: string, options: BudgetsOptions) {
    this.#key = key;
    this.#options = options;
  }

  /** Turns to the period that `now` lies in; of the budget, which may be another one than before. */
  enterPeriod(budget: BudgetSettings, now: number): void {
    const isSamePeriod =
      this.#budget?.per === budget.per && now >= this.#period.start && now < this.#period.end;
    this.#budget = budget;
    if (isSamePeriod) return;
    this.#period = budgetPeriod(budget.per, now);
    this.#spent = NOTHING;
    this.#isLoaded = false;
    this.#loading = undefined;
    this.#hasWarned = false;
  }

  /** Whether what was spent in this period before it was entered is known. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Adds what the ledger knows of this period to what was settled since. Rejects where it can't be read. */
  load(): Promise<void> {
    const period = this.#period;
    this.#loading ??= this.#options
      .spentSince(this.#key, period.start)
      .then((spent) => {
        if (period !== this.#period) return;
        this.#spent = sumOf(this.#spent, spent);
        this.#isLoaded = true;
        this.#warn();
      })
      .finally(() => {
        if (period === this.#period) this.#loading = undefined;
      });
    return this.#loading;
  }

  refusal({ usd, tokens, per }: BudgetSettings, now: number): BudgetRefusal | undefined {
    const retryAfterMs = this.#period.end - now;
    const [spent, held] = [this.#spent, this.#held];
    // What is spent comes first: that takes longer than what is only held.
    if (usd !== undefined && spent.usd >= usd)
      return { budget: "usd", of: usd, per, retryAfterMs, held: false };
    if (tokens !== undefined && spent.tokens >= tokens)
      return { budget: "tokens", of: tokens, per, retryAfterMs, held: false };
    if (usd !== undefined && spent.usd + held.usd >= usd)
      return { budget: "usd", of: usd, per, retryAfterMs: HELD_RETRY_MS, held: true };
    if (tokens !== undefined && spent.tokens + held.tokens >= tokens)
      return { budget: "tokens", of: tokens, per, retryAfterMs: HELD_RETRY_MS, held: true };
    return undefined;
  }

  hold(estimate: Cost): void {
    this.#held = sumOf(this.#held, estimate);
    this.#holds += 1;
  }

  settle(estimate: Cost, spent: Cost, now: number): void {
    this.#holds -= 1;
    // Dollars are fractions: rounding must not add up to something that is held by nobody.
    const { usd, tokens } = this.#held;
    this.#held = this.#holds === 0 ? NOTHING : { usd: usd - estimate.usd, tokens: tokens - estimate.tokens };
    if (this.#budget) this.enterPeriod(this.#budget, now);
    this.#spent = sumOf(this.#spent, spent);
    this.#warn();
  }

  standing(limit: BudgetSettings): BudgetStanding {
    return { spent: this.#spent, limit, periodStart: this.#period.start, periodEnd: this.#period.end };
  }

  #warn(): void {
    const budget = this.#budget;
    if (!budget || this.#hasWarned) return;
    const { usd = Infinity, tokens = Infinity } = budget;
    const share = Math.max(this.#spent.usd / usd, this.#spent.tokens / tokens);
    if (share < WARN_SHARE) return;
    this.#hasWarned = true;
    this.#options.onThreshold(this.#key, budget, share);
  }
}
