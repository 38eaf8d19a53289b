#!/usr/bin/env bash
# Measures what docs/performance.md has goals for into bin/bench.txt, in Go's
# benchmark format, and holds it against what was kept of the last release.
# Usage: scripts/bench.sh [keep]
#   keep: keeps bin/bench.txt, measuring first if there is none
# PARTS="bidder sizes events warehouse stages" chooses, RUNS=6 of each stage and of the
# events (4 at least, or nothing can be told from noise), WORLD names a world
# that is there already, SIZES a directory for those of two sizes.
set -euo pipefail
cd "$(dirname "$0")/.."
out=bin/bench.txt kept=bench/results/kept.txt
parts=${PARTS-bidder sizes events warehouse stages}
runs=${RUNS:-6}
benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
go=${GO:-go}
# A stage each; see the budget in docs/performance.md.
stages='^Benchmark(World|Match|ParseCorpus|Lookup|Decide|SelfCheck|ValueToHold|Banner|Native|VAST|Choose|TokenSign|AppendJSON|BidLogPut|ReserveRelease|FrequencyCount)$'
skip='^Benchmark(World|Match)$/^100000$' # takes long to set up; 'sizes' has it
packages='bench/world bidder bidder/openrtb bidder/privacy campaigns creatives events events/kafka pacing segments segments/rules'

part() { [[ " $parts " == *" $1 "* ]]; }

describe() {
	echo "version: $(git describe --tags --always --dirty 2>/dev/null || echo unknown)"
	echo "date: $(date -u +%Y-%m-%d)"
	echo "go: $($go env GOVERSION)"
	echo "goos: $($go env GOOS)"
	echo "goarch: $($go env GOARCH)"
	echo "cpu: $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)"
	echo "cpus: $(getconf _NPROCESSORS_ONLN)"
	echo "kernel: $(uname -r | cut -d- -f1)"
	echo "load: $(cut -d' ' -f1 /proc/loadavg 2>/dev/null)"
}

# Every run goes through all stages, so that what the machine does besides
# falls on all alike; the reference stands in front of each package.
run_stages() {
	local dir=$1 p
	for p in bench/results $packages; do
		$go test -c -o "$dir/${p//\//_}.test" "./$p"
	done
	for run in $(seq "$runs"); do
		echo "stages, run $run of $runs" >&2
		for p in $packages; do
			(cd bench/results && "$dir/bench_results.test" -test.run '^$' -test.bench '^BenchmarkReference$' -test.benchtime 100ms)
			(cd "$p" && "$dir/${p//\//_}.test" -test.run '^$' -test.bench "$stages" -test.skip "$skip" -test.benchmem -test.benchtime "${BENCHTIME:-200ms}")
		done
	done | grep -E '^(Benchmark|pkg:)' >>"$out"
}

measure() {
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	describe >"$out"
	if part bidder; then
		local world=${WORLD:-$dir/world}
		[ -d "$world" ] || bin/grosz bench world --dir "$world"
		bin/grosz bench --world "$world" --rounds 5 --loads 0.5,0.8,1,1.5,3 --results "$out"
		[ -n "${WORLD:-}" ] || rm -rf "$world"
	fi
	if part sizes; then
		bin/grosz bench sizes --dir "${SIZES:-$dir/sizes}" --results "$out"
		[ -n "${SIZES:-}" ] || rm -rf "$dir/sizes"
	fi
	if part events; then
		bin/grosz bench events --events 300000 --rounds 4 --results "$out"
		$go test -run '^$' -bench '^BenchmarkEvents$/^apache$/^(notices|batches|backlog)$' -benchtime 300000x -count 4 -timeout 20m ./bench/stream | tee /dev/stderr | grep -E '^(Benchmark|pkg:)' >>"$out"
	fi
	if part warehouse; then # prints its own table; BIDS=4000000 and more are 'make bench-warehouse'
		bin/grosz volume --bids "${BIDS:-400000}" --seconds 20
	fi
	if part stages; then
		run_stages "$dir"
	fi
}

if [ "${1:-}" = keep ]; then
	[ -s "$out" ] || measure
	cp "$out" "$kept"
	echo "kept in $kept; commit it with the release"
	exit
fi
measure
GOFLAGS=-mod=mod $go run "$benchstat" -alpha 0.05 "kept=$kept" "now=$out" >bin/benchstat.txt 2>&1 ||
	echo "benchstat could not be run; the table below has the same test" >&2
bin/grosz bench table --results "$out" --kept "$kept"
echo "every unit by benchstat: bin/benchstat.txt; the runs: $out"
