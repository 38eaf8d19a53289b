package pacing

// capExcess bounds the odds that a bid, when it is made, would win beyond a
// cap. A cap that is not strict may so be exceeded by one impression in a
// hundred, and as much is taken off the cap: see Allowed.
const capExcess = 0.01

// odds are the chances of open bids that count towards one cap.
type odds struct {
	p [maxOpen]float64
	n int
}

func (o *odds) add(p float32) {
	if o.n < len(o.p) {
		o.p[o.n] = min(max(float64(p), 0), 1)
		o.n++
	}
}

// atLeast is the chance that at least k of them win.
func (o *odds) atLeast(k int) float64 {
	if k <= 0 {
		return 1
	}
	if k > o.n {
		return 0
	}
	var won [maxOpen + 1]float64 // by number of wins, up to k−1
	won[0] = 1
	for i, p := range o.p[:o.n] {
		for j := min(i+1, k-1); j > 0; j-- {
			won[j] = won[j]*(1-p) + won[j-1]*p
		}
		won[0] *= 1 - p
	}
	rest := 1.0
	for _, w := range won[:k] {
		rest -= w
	}
	return max(rest, 0)
}

// mayJoin tells whether one more bid may be made with room impressions left
// under a cap. Strict caps count every open bid as an impression. Else the bid
// must be unlikely to win when the others have used the room up already: the
// wins beyond the cap are those of bids that did, so they are at most capExcess
// of all wins. Where one impression is all that is left of a cap of one, a
// second bid waits for the first.
func (o *odds) mayJoin(room, most int, strict bool) bool {
	switch {
	case room < 1:
		return false
	case strict || most == 1:
		return o.n < room
	}
	return o.atLeast(room) <= capExcess
}

// Allowed is a person's own cap where most is the cap of all. A strict one is
// the same. Else one in so many people is allowed one impression less, always
// the same ones: what bids win beyond their caps is made up for, so that on
// average over people nobody who is offered ever so many sees more than most.
//
//	E[wins] ≤ E[allowed] ÷ (1 − capExcess) = most
func Allowed(user uint64, w What, most int, strict bool) int {
	if strict || most < 2 {
		return most
	}
	h := (user ^ uint64(w)) * 0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	u := float64(h>>11) / (1 << 53)
	return most - int(capExcess*float64(most)+u)
}
