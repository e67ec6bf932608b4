/** The frame all charts share: a card that is readable on a light and on a dark page. */

/** Escapes text for XML. */
export function escapeXml(text) {
  return String(text).replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Text at a place; `kind` is a class of the style sheet. */
export function label(x, y, text, kind = "text", anchor = "start") {
  return `<text x="${round(x)}" y="${round(y)}" class="${kind}" text-anchor="${anchor}">${escapeXml(text)}</text>`;
}

/** Where the figures come from. */
export function provenance({ machine: { cpu, cores, node }, commit, mode, date }) {
  return `${cpu}, ${cores} cores, Node ${node.slice(1)}, commit ${commit}, ${mode} run of ${date.slice(0, 10)}`;
}

/** Two digits are finer than any screen. */
export function round(value) {
  return Number(value.toFixed(2));
}

/** Breaks `text` into lines of at most `characters`. */
export function wrap(text, characters) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== "" && line.length + word.length + 1 > characters) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}

/** A whole chart of `width` x `height` around `body`. */
export function svg(width, height, title, body) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${Math.ceil(height)}" width="${width}" height="${Math.ceil(height)}" role="img" aria-label="${escapeXml(title)}">
<style>
  .card { fill: #ffffff; stroke: #d7dbe0 }
  .grid { stroke: #e4e7eb }
  .ours { fill: #0f766e } .missed { fill: #b45309 } .peer { fill: #98a2b0 } .goal { stroke: #111827; stroke-dasharray: 3 3 }
  .lru { fill: #98a2b0 } .s3fifo { fill: #3b82f6 } .tinylfu { fill: #a855f7 } .opt { fill: none; stroke: #6b7280 }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2937 }
  .title { font-size: 15px; font-weight: 600 } .quiet { font-size: 12px; font-weight: 400; fill: #5b6572 }
  .strong { font-weight: 600 }
  .behind { font-size: 12px; font-weight: 600; fill: #b45309 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #14181d; stroke: #2c333b }
    .grid { stroke: #2a3139 }
    .ours { fill: #2dd4bf } .missed { fill: #f59e0b } .peer { fill: #6b7684 } .goal { stroke: #e5e7eb }
    .lru { fill: #6b7684 } .s3fifo { fill: #60a5fa } .tinylfu { fill: #c084fc } .opt { stroke: #9ca3af }
    text { fill: #e5e7eb } .quiet { fill: #9aa4b1 } .behind { fill: #f59e0b }
  }
</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${Math.ceil(height) - 1}" rx="8"/>
${body.join("\n")}
</svg>
`;
}
