/** The text format in which Prometheus reads metrics (version 0.0.4). */

/** The media type of the text. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The labels of a series. */
export type Labels = Readonly<Record<string, string>>;

/** A histogram: how many observations do not exceed each bound, how many there are, and their sum. */
export interface Distribution {
  readonly bounds: readonly number[];
  readonly upTo: readonly number[];
  readonly count: number;
  readonly sum: number;
}

/** Collects metrics, each with its help. */
export class Exposition {
  readonly #lines: string[] = [];

  /** A value that goes up and down. */
  gauge(name: string, help: string, value: number, labels?: Labels): void {
    this.#head(name, help, "gauge");
    this.#sample(name, value, labels);
  }

  /** A count that only grows, until the process starts again. Its name ends with `_total`. */
  counter(name: string, help: string, value: number): void {
    this.#head(name, help, "counter");
    this.#sample(name, value);
  }

  /** The same with one series for each of `series`. Nothing where there is none. */
  counters(name: string, help: string, series: readonly (readonly [Labels, number])[]): void {
    if (series.length > 0) this.#head(name, help, "counter");
    for (const [labels, value] of series) this.#sample(name, value, labels);
  }

  /** A histogram for each of `series`. Nothing where there is none. */
  histograms(name: string, help: string, series: readonly (readonly [Labels, Distribution])[]): void {
    if (series.length > 0) this.#head(name, help, "histogram");
    for (const [labels, { bounds, upTo, count, sum }] of series) {
      bounds.forEach((bound, place) => {
        this.#sample(`${name}_bucket`, upTo[place] ?? 0, { ...labels, le: String(bound) });
      });
      this.#sample(`${name}_bucket`, count, { ...labels, le: "+Inf" });
      this.#sample(`${name}_sum`, sum, labels);
      this.#sample(`${name}_count`, count, labels);
    }
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #head(name: string, help: string, type: string): void {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  #sample(name: string, value: number, labels: Labels = {}): void {
    const shown = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    this.#lines.push(`${name}${shown.length > 0 ? `{${shown.join(",")}}` : ""} ${value}`);
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
