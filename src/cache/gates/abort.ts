/**
 * Callers that wait on one signal. A signal with one listener for each of many callers looks like a leak to Node, which
 * warns of it; so a signal gets one listener for all of them, as long as there are any.
 */

interface Waiting {
  readonly callers: Set<() => void>;
  readonly listener: () => void;
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/** Calls `caller` when `signal` fires. */
export function onAbort(signal: AbortSignal, caller: () => void): void {
  let all = waiting.get(signal);
  if (all === undefined) {
    const callers = new Set<() => void>();
    const listener = () => {
      for (const each of [...callers]) each();
    };
    all = { callers, listener };
    waiting.set(signal, all);
    signal.addEventListener("abort", listener);
  }
  all.callers.add(caller);
}

/** Ends {@link onAbort}. */
export function offAbort(signal: AbortSignal, caller: () => void): void {
  const all = waiting.get(signal);
  if (all === undefined || !all.callers.delete(caller) || all.callers.size > 0) return;
  signal.removeEventListener("abort", all.listener);
  waiting.delete(signal);
}
