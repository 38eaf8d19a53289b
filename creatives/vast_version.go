package creatives

// VASTVersion is a version of the Video Ad Serving Template.
type VASTVersion uint8

// Versions, in order.
const (
	VAST20 VASTVersion = iota + 1
	VAST30
	VAST40
	VAST41
	VAST42
	VAST43
)

// String is the version attribute.
func (v VASTVersion) String() string {
	if v < VAST20 || v > VAST43 {
		return "3.0"
	}
	return [...]string{"2.0", "3.0", "4.0", "4.1", "4.2", "4.3"}[v-VAST20]
}

// PickVAST returns the newest version that video.protocols allow for an
// inline ad (AdCOM 'Creative Subtypes – Audio/Video'), and whether there is
// one; wrappers, VAST 1 and DAAST are none. No list allows everything, and
// gets 3.0, which every player reads.
func PickVAST(protocols []int32) (VASTVersion, bool) {
	if len(protocols) == 0 {
		return VAST30, true
	}
	best := VASTVersion(0)
	for _, p := range protocols {
		switch p {
		case 2:
			best = max(best, VAST20)
		case 3:
			best = max(best, VAST30)
		case 7:
			best = max(best, VAST40)
		case 11:
			best = max(best, VAST41)
		case 13:
			best = max(best, VAST42)
		case 15:
			best = max(best, VAST43)
		}
	}
	return best, best != 0
}
