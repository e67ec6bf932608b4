/** A promise that the test settles, so that nothing has to be waited for by the clock. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}

/** Lets everything run that is ready to run on this event loop, mail from native code included. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise((resume) => setImmediate(resume));
}

/** Matches our error with this code. */
export function coded(code: string): { code: string } {
  return { code };
}
