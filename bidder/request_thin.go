package bidder

// thinning bounds how many requests a second are sampled: it says how often
// the share of the people is to be halved. What a sample stands for follows
// from the share that it was taken with, so that forecasts need not know.
type thinning struct {
	rate     int // a second
	fromMS   int64
	taken    int // in this second
	quiet    int // seconds in a row in which half the thinning would have done
	halvings uint32
}

const (
	// thinAgain is after how many quiet seconds the share doubles.
	thinAgain = 10
	// maxHalvings leaves one in a million.
	maxHalvings = 20
)

// count takes note of a sample at nowMS.
func (t *thinning) count(nowMS int64) (halvings uint32) {
	if passed := (nowMS - t.fromMS) / 1000; passed != 0 { // also a clock that was put back
		if t.taken*3 < t.rate {
			t.quiet++
		} else {
			t.quiet = 0
		}
		t.quiet += int(min(max(passed-1, 0), thinAgain*maxHalvings)) // seconds with none
		for ; t.quiet >= thinAgain; t.quiet -= thinAgain {
			t.halvings -= min(t.halvings, 1)
		}
		t.fromMS, t.taken = nowMS, 0
	}
	if t.taken++; t.taken > t.rate && t.halvings < maxHalvings {
		t.halvings++
		t.taken = t.rate / 2 // as many as would have come so far, had it been so before
		t.quiet = 0
	}
	return t.halvings
}
