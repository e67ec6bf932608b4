/**
 * The JavaScript end of the environment's mailbox: which ticket waits for what.
 *
 * Native code posts (ticket, outcome) from any thread; posts arrive in batches on this thread's event loop. The loop is
 * held only while tickets are open here.
 */
import { type ErrorCode, TandemError } from "../../errors.js";
import { calls, type Delivered } from "../../native.js";

/** Codes of outcomes, as in `crates/node/src/outcome.rs`. */
export const Code = { Granted: 0, Stored: 1, Value: 2, Absent: 3, Failed: 4, Ended: 5 } as const;

/** What became of a request. */
export type Outcome =
  | { readonly code: typeof Code.Granted; readonly token: number }
  /** A value was stored: read it, and ask again where it is gone already. */
  | { readonly code: typeof Code.Stored }
  | { readonly code: typeof Code.Value; readonly codec: number; readonly value: Delivered }
  | { readonly code: typeof Code.Absent }
  | { readonly code: typeof Code.Failed; readonly error: Uint8Array }
  | { readonly code: typeof Code.Ended; readonly error: TandemError };

/** Takes the outcomes of one ticket. */
export type Receiver = (outcome: Outcome) => void;

/** Fields of a post in the flat array: ticket, code, detail, payload. */
const FIELDS = 4;

const receivers = new Map<number, Receiver>();
let lastTicket = 0;
let open = false;

/** Opens a ticket for a request about to be made. */
export function openTicket(receiver: Receiver): number {
  if (!open) {
    calls.openMailbox(deliver);
    open = true;
  }
  if (receivers.size === 0) calls.holdLoop(true);
  lastTicket += 1;
  receivers.set(lastTicket, receiver);
  return lastTicket;
}

/** Ends a ticket: nothing more is expected for it, and what comes all the same is dropped. */
export function closeTicket(ticket: number): void {
  if (receivers.delete(ticket) && receivers.size === 0) calls.holdLoop(false);
}

function deliver(posts: unknown[]): void {
  for (let at = 0; at < posts.length; at += FIELDS) {
    receivers.get(posts[at] as number)?.(toOutcome(posts[at + 1] as number, posts[at + 2], posts[at + 3]));
  }
}

function toOutcome(code: number, detail: unknown, payload: unknown): Outcome {
  switch (code) {
    case Code.Granted:
      return { code, token: detail as number };
    case Code.Value:
      return { code, codec: detail as number, value: payload as Delivered };
    case Code.Failed:
      return { code, error: payload as Uint8Array };
    case Code.Ended:
      return { code, error: new TandemError(payload as ErrorCode, detail as string) };
    case Code.Absent:
      return { code };
    default:
      return { code: Code.Stored };
  }
}
