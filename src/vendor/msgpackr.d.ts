// Types of `#msgpackr`, the copy of msgpackr's plain JavaScript under dist/vendor (scripts/vendor.js says why).
// Keep them out of the public declarations: users do not have msgpackr installed.
export * from "msgpackr";
