#!/usr/bin/env bash
# Records a profile of the bidder under the load of `grosz bench`, builds by
# it, and measures both builds in turns in one world. The profile is left in
# cmd/grosz/bidder.pgo; whether to build by it is for the figures to say.
# ROUNDS=3 turns; WORLD names a world that is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
world=${WORLD:-$dir/world}
[ -d "$world" ] || bin/grosz bench world --dir "$world"
bin/grosz bench --world "$world" --rounds 3 --duration 5s --cpu-profile cmd/grosz/bidder.pgo
"${GO:-go}" build -pgo="$PWD/cmd/grosz/bidder.pgo" -trimpath -o "$dir/guided" ./cmd/grosz
for round in $(seq "${ROUNDS:-3}"); do
	echo "== turn $round: bin/grosz, then guided by the profile"
	bin/grosz bench --world "$world" --rounds 2
	"$dir/guided" bench --world "$world" --rounds 2
done
