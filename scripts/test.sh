#!/usr/bin/env bash
# The whole test: first everything, then the packages with goroutines of
# their own once more under the race detector. What cannot run here is said;
# with CI=true that is a failure.
set -uo pipefail
cd "$(dirname "$0")/.."
fail=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# What each failed test said, its beginning and its end; then what says no
# test's name (a build that fails, a panic).
failures() {
	awk '
		function cut(s) { return length(s) > 300 ? substr(s, 1, 300) " …" : s }
		/^=== RUN +[^\/]+$/ { n = 0 }
		{ if ($0 !~ /^(=== | *--- PASS|PASS|ok )/) line[n++] = $0 }
		/^--- FAIL/ {
			print "-- " $0
			for (i = 0; i < n; i++) {
				if (i == 60 && n > 90) { print "   … " n - 90 " lines …"; i = n - 30 }
				print cut(line[i])
			}
			n = 0
		}
		/^(panic:|FAIL\t.*\[|# |.*\.go:[0-9]+:[0-9]+: )/ { print cut($0) }'
}

# -v so that skipped tests can be told; only what matters is shown.
run() {
	echo "== $1"
	shift
	local bad=0
	"$@" >"$log" 2>&1 || bad=1
	grep -E '^(---|    ---) FAIL|^FAIL|^panic|^ok |no test files' "$log" | grep -v 'no test files' || true
	if [ "$bad" != 0 ]; then
		fail=1
		failures <"$log" | head -n 400
	fi
	if grep -qE '^ *--- SKIP' "$log"; then
		echo "-- could not run here:"
		grep -A3 -E '^ *--- SKIP' "$log" | head -n 60
		[ "${CI:-}" = true ] && fail=1
	fi
	passed=$((passed + $(grep -cE '^ *--- PASS' "$log")))
	failed=$((failed + $(grep -cE '^ *--- FAIL' "$log")))
	skipped=$((skipped + $(grep -cE '^ *--- SKIP' "$log")))
}

# -timeout is of one package, and is there so that what hangs does not cost the
# whole run: the longest takes 5 minutes by itself, 18 were seen beside much
# else. Who raises it: a package that needs more leaves nothing of the 40
# minutes that the whole may take, so it would be that package to be looked at.
passed=0 failed=0 skipped=0
run "tests" go test -count=1 -v -timeout 30m ./...
run "clocks that can be set" go test -count=1 -v -tags chaos ./internal/clock
if command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1; then
	# Short: the same code, without the long end-to-end runs.
	run "race detector" env CGO_ENABLED=1 go test -race -short -count=1 -v -timeout 30m \
		./bidder/... ./campaigns/... ./segments/... ./pacing/... ./events/... ./internal/... ./console/... ./bench/... ./reporting/loader/...
else
	echo "-- the race detector needs a C compiler (apt-get install gcc), left out"
	[ "${CI:-}" = true ] && fail=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
exit $fail
