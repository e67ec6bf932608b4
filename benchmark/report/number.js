/** `text` with its numbers of five digits and more as `10,000`. */
export function grouped(text) {
  return text.replace(/\b\d{5,}\b/g, (digits) => Number(digits).toLocaleString("en-US"));
}

/** A figure with three significant digits, without exponent. */
export function short(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
