#!/usr/bin/env bash
# scripts/fuzz.sh [SECONDS [TARGET...]]: runs each fuzz target for some seconds (20), beginning with the kept corpus.
# A stable compiler will do: these are the coverage counters that cargo-fuzz asks for, without a sanitizer. What a run
# finds beyond the corpus goes to fuzz/found, an input that fails to fuzz/failed.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=${1:-20}
shift || true
targets=("$@")
((${#targets[@]} > 0)) || targets=(resp text script lz4)
triple=$(rustc -vV | sed -n 's/^host: //p')

export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --release --target "$triple"
for target in "${targets[@]}"; do
  mkdir -p "found/$target" "failed/$target"
  "target/$triple/release/$target" "found/$target" "corpus/$target" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=1024 -max_len=4096 -artifact_prefix="failed/$target/" -print_final_stats=1 -verbosity=0
  printf '%s: %s seconds without a failure\n' "$target" "$seconds"
done
