// Types of `#msgpackr`, the copy of msgpackr's plain JavaScript under dist/vendor (scripts/vendor.js says why).
// Keep them out of the public declarations: users do not have msgpackr installed.
export * from "msgpackr";

/** How deep the encoder is inside a value, how deep it may get, and what makes the error that is thrown beyond. */
export const nesting: { depth: number; most: number; refuse: () => Error };
