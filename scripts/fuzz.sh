#!/usr/bin/env bash
# Runs every fuzz target for a while, one after the other. Inputs that fail are
# kept in testdata/fuzz by Go itself; KEEP=8 keeps up to so many small inputs
# of each target, too, that found new code.
# Usage: scripts/fuzz.sh 30s [FOLDER...]
set -euo pipefail
time=${1:-30s}
shift || true
keep=${KEEP:-0}
cd "$(dirname "$0")/.."
cache=$(go env GOCACHE)/fuzz

# keep_some FOLDER TARGET: the newest small inputs that are not kept yet.
keep_some() {
	local from="$cache/$(go list "$1")/$2" to="$1/testdata/fuzz/$2" n=0 f
	[ "$keep" -gt 0 ] && [ -d "$from" ] || return 0
	mkdir -p "$to"
	while read -r f; do
		[ "$n" -lt "$keep" ] || break
		[ -e "$to/$f" ] || { cp "$from/$f" "$to/$f" && n=$((n + 1)); }
	done < <(cd "$from" && find . -maxdepth 1 -type f -size -4k -printf '%T@ %f\n' | sort -rn | cut -d' ' -f2)
}

grep -rlE '^func Fuzz' --include='*_test.go' "${@:-.}" | sort | while read -r file; do
	dir=./$(dirname "${file#./}")
	sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$file" | while read -r target; do
		echo "== $dir $target"
		go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" </dev/null
		keep_some "$dir" "$target"
	done
done
