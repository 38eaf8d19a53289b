// Package traffic tells people from machines. It owns the lists of crawlers
// and of data centres, the judgement of clicks, and the reading of what an
// exchange takes back for invalid traffic. It serves the candidates stage of
// a bid, the impression pixel and the click.
//
// Hot: Lists.Check reads one user agent in a single pass (Aho and Corasick
// 1975: at most 1 µs) and one IP address (at most 100 ns), Clicks.Judge one
// bucket of a fixed table; none allocates. Slow: Watch.Poll reads files,
// ReadClawbacks a report. Everything may be called from many goroutines.
// Imports events and internal only.
package traffic

// Reason says what a request or a click comes from, if not from a person.
type Reason uint8

// The reasons. The codes of OpenRTB's no-bid reasons (AdCOM list) are 3, a
// known web crawler, and 5, a cloud, data centre or proxy IP.
const (
	None Reason = iota
	Crawler
	DataCentre
	numReasons
)

var reasonNames = [numReasons]string{"none", "crawler", "data_centre"}

// String is the reason's name in metrics and events.
func (r Reason) String() string {
	if r < numReasons {
		return reasonNames[r]
	}
	return "unknown"
}

// NBR is OpenRTB's no-bid reason code; 0 for None.
func (r Reason) NBR() int {
	switch r {
	case Crawler:
		return 3
	case DataCentre:
		return 5
	}
	return 0
}
