import type { BudgetSettings } from "../../config/settings.ts";
import type { BudgetPeriod } from "./budget-period.ts";
import { budgetPeriod } from "./budget-period.ts";
import { finite } from "./finite.ts";
import type { Spent } from "../ledger/ledger.ts";

/** Share of a budget from which its use is warned of. */
const WARN_SHARE = 0.8;
/** Wait reported while running requests hold the rest: their ends can't be foreseen. */
const HELD_RETRY_MS = 1000;

/** The actual or estimated cost of a request. */
export interface Cost {
  readonly usd: number;
  readonly tokens: number;
}

const NOTHING: Cost = { usd: 0, tokens: 0 };

/** Holds part of a budget while a request runs. */
export interface BudgetHold {
  /** Replaces the held amount by the spent one. Only the first call counts. */
  settle(spent: Cost): void;
}

/** States which part of a budget is exhausted, and when to retry. */
export interface BudgetRefusal {
  readonly budget: "usd" | "tokens";
  /** The budget's value. */
  readonly of: number;
  readonly per: BudgetSettings["per"];
  readonly retryAfterMs: number;
  /** True if the rest isn't spent but held by running requests. */
  readonly held: boolean;
}

/** What a key has spent of its budget in the current period. */
export interface BudgetStanding {
  readonly spent: Cost;
  readonly limit: BudgetSettings;
  /** Milliseconds since 1970. */
  readonly periodStart: number;
  /** Milliseconds since 1970; the next period's start. */
  readonly periodEnd: number;
}

export interface BudgetsOptions {
  /** Resolves with what a key has spent since a time (ms since 1970). Called once for each key and period. */
  spentSince(key: string, since: number): Promise<Spent>;
  /** Milliseconds since 1970; `Date.now` by default. */
  readonly now?: () => number;
  /** Called once for each key and period when at least four fifths of its budget are spent. */
  onThreshold(key: string, budget: BudgetSettings, share: number): void;
}

/** Enforces budgets per calendar day, week or month. A request counts in the period in which it ends. */
export class Budgets {
  readonly #options: BudgetsOptions;
  readonly #now: () => number;
  readonly #accounts = new Map<string, BudgetAccount>();

  constructor(options: BudgetsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Returns a hold on the estimated cost, or a refusal (it has `budget`), which holds nothing. A request is admitted as long
   * as anything is left. At a key's first request of a period returns a promise for the past spending; `hold` is called
   * again once it has resolved.
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

  /** Returns the standing in memory, which may lack spending before a key's first request of the period. */
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

/** The spent and held amounts of one key in the current period. */
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

  /** Switches to the period of `now` and to the budget, which may have changed. */
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

  /** True once the period's past spending was loaded. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Adds the ledger's sum for this period to what was settled since. Rejects if it can't be read. */
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
    // Spent amounts first: their wait is longer than that of held ones.
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
    // Dollars are fractions: rounding errors must not accumulate to a held amount without a hold.
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
