import { includes, keyOf, type Named } from "./person.js";

/**
 * One invocation at a time per question: callers with the same question share its answer. A caller who gives up leaves
 * the others alone; when all have, the invocation is aborted.
 */
export class Flights<T> {
  readonly #inFlight = new Map<string, Flight<T>>();

  /** Joins the invocation in flight, or starts the one from `ask`. */
  join(whose: Named, question: string, ask: Ask<T>, signal: AbortSignal | undefined): Promise<T> {
    const key = `${keyOf(whose)} ${question}`;
    const inFlight = this.#inFlight.get(key);
    if (inFlight !== undefined) return this.#wait(key, inFlight, signal);
    const ticket = new Ticket();
    const answer = ask(ticket).finally(() => this.#end(key, flight));
    // Whoever waits is told. Nobody may be left.
    answer.catch(() => {});
    const flight: Flight<T> = { whose, ticket, answer, waiting: 0 };
    this.#inFlight.set(key, flight);
    return this.#wait(key, flight, signal);
  }

  /** Detaches invocations in flight about a person: their answers are neither cached nor shared with later callers. */
  forget(whom: Named): void {
    for (const [key, flight] of this.#inFlight) {
      if (!includes(whom, flight.whose)) continue;
      flight.ticket.isVoid = true;
      this.#inFlight.delete(key);
    }
  }

  #wait(key: string, flight: Flight<T>, signal: AbortSignal | undefined): Promise<T> {
    flight.waiting += 1;
    if (signal === undefined) return flight.answer;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        reject(signal.reason);
        flight.waiting -= 1;
        if (flight.waiting > 0) return;
        this.#end(key, flight);
        flight.ticket.abort();
      };
      signal.addEventListener("abort", giveUp, { once: true });
      const answered = flight.answer.finally(() => signal.removeEventListener("abort", giveUp));
      answered.then(resolve, reject);
    });
  }

  /** Later callers start a new one. */
  #end(key: string, flight: Flight<T>): void {
    if (this.#inFlight.get(key) === flight) this.#inFlight.delete(key);
  }
}

export type Ask<T> = (ticket: Ticket) => Promise<T>;

interface Flight<T> {
  readonly whose: Named;
  readonly ticket: Ticket;
  readonly answer: Promise<T>;
  waiting: number;
}

/** What an invocation has to know about its callers. */
export class Ticket {
  /** Whether the person was forgotten, or all callers gave up, after it began. Its answer must not be cached then. */
  isVoid = false;
  readonly #controller = new AbortController();

  /** Aborted when no caller waits any more. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(): void {
    this.isVoid = true;
    this.#controller.abort();
  }
}
