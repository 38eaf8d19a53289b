package openrtb

import "errors"

// Why a native request cannot be answered. The bid request itself is not at fault: another imp may be bid on.
var (
	// ErrNativeSyntax says that the native request is not one JSON object.
	ErrNativeSyntax = errors.New("native request is not JSON")
	// ErrNativeNoAssets says that it asks for no asset.
	ErrNativeNoAssets = errors.New("native request has no assets")
)

const (
	maxAssets   = 64
	maxTrackers = 32
)

// NativeRequest is the view of a native request, Dynamic Native Ads 1.0 to 1.2 (§ 4 there). Its zero value is ready for
// Parse, and it may be used again. It owns its memory: it outlives the bid request.
type NativeRequest struct {
	Ver            string
	Context        int32 // kind of content; 0 when absent
	ContextSubType int32
	PlcmtType      int32 // kind of placement; 0 when absent
	Layout         int32 // 1.0 only
	AdUnit         int32 // 1.0 only
	PlcmtCnt       Int   // how many alike placements; absent means 1
	Seq            int32
	Privacy        bool // the ad may carry its own privacy notice
	AURLSupport    bool
	DURLSupport    bool
	Assets         []NativeAsset
	EventTrackers  []EventTracker

	Oddities // offsets are those of the unescaped text

	scanner
	text     []byte // the request without the escapes of the string it came in
	assets   []NativeAsset
	trackers []EventTracker
}

// NativeAsset is one asset that is asked for. One of Title, Img, Video and Data should be Present.
type NativeAsset struct {
	ID       Int // to be repeated in the answer
	Required bool
	Title    NativeTitle
	Img      NativeImg
	Video    NativeVideo
	Data     NativeData
}

// NativeTitle is a title of at most Len characters; 0 when absent.
type NativeTitle struct {
	Present bool
	Len     int32
}

// NativeImg is an image: exactly W × H where those are given, else at least WMin × HMin.
type NativeImg struct {
	Present    bool
	Type       int32 // 1 icon, 2 logo (deprecated), 3 main; 0 when absent
	W, H       int32
	WMin, HMin int32
	MIMEs      []string // empty means any
}

// NativeVideo is a video, answered with VAST. Durations are in seconds.
type NativeVideo struct {
	Present     bool
	MinDuration int32
	MaxDuration int32
	MIMEs       []string
	Protocols   []int32
}

// NativeData is a text of a kind, such as sponsored (1), description (2), rating (3), price (6) or call to action (12).
type NativeData struct {
	Present bool
	Type    int32
	Len     int32 // at most so many characters; 0 when absent
}

// EventTracker is an event that can be tracked, and how: 1 by image, 2 by script.
type EventTracker struct {
	Event   int32 // 1 impression, 2–4 viewable
	Methods []int32
}

// Parse reads the native request of n. It returns ErrNativeSyntax or ErrNativeNoAssets when it cannot be answered.
func (q *NativeRequest) Parse(n *Native) error {
	q.Reset()
	if n.Escaped {
		q.text, _ = appendUnescaped(q.text, n.Request)
	} else {
		q.text = append(q.text, n.Request...)
	}
	text := q.text
	q.begin(text, &q.Oddities)
	i := q.space(0)
	if i == len(text) || text[i] != '{' {
		return ErrNativeSyntax
	}
	if i = q.space(q.request(i)); q.errMsg != "" || i < len(text) {
		return ErrNativeSyntax
	}
	if len(q.Assets) == 0 {
		return ErrNativeNoAssets
	}
	return nil
}

// Reset drops all references and makes the view empty. It keeps memory for the next request.
func (q *NativeRequest) Reset() {
	releaseSlab(&q.assets)
	releaseSlab(&q.trackers)
	q.scanner.release()
	if cap(q.text) > keepArena {
		q.text = nil
	}
	*q = NativeRequest{Oddities: Oddities{OddAt: -1}, scanner: q.scanner, text: q.text[:0],
		assets: q.assets, trackers: q.trackers}
}

// request reads the object at i, or the one that 1.0 wraps into {"native": …}.
func (q *NativeRequest) request(i int) int {
	k, i, ok := q.open(i)
	for ; ok; k, i, ok = q.next(i) {
		if k == "native" {
			i = q.unwrapped(i)
		} else {
			i = q.field(k, i)
		}
	}
	return i
}

func (q *NativeRequest) unwrapped(i int) int {
	k, i, ok := q.open(i)
	for ; ok; k, i, ok = q.next(i) {
		i = q.field(k, i)
	}
	return i
}

// field reads the value of the native request's member k at i.
func (q *NativeRequest) field(k string, i int) int {
	switch k {
	case "ver":
		return q.str(i, &q.Ver)
	case "context":
		return q.int32(i, &q.Context)
	case "contextsubtype":
		return q.int32(i, &q.ContextSubType)
	case "plcmttype":
		return q.int32(i, &q.PlcmtType)
	case "plcmtcnt":
		return q.integer(i, &q.PlcmtCnt)
	case "layout":
		return q.int32(i, &q.Layout)
	case "adunit":
		return q.int32(i, &q.AdUnit)
	case "seq":
		return q.int32(i, &q.Seq)
	case "privacy":
		return q.yes(i, &q.Privacy)
	case "aurlsupport":
		return q.yes(i, &q.AURLSupport)
	case "durlsupport":
		return q.yes(i, &q.DURLSupport)
	case "assets":
		return objects(&q.scanner, i, &q.Assets, &q.assets, maxAssets, q.asset)
	case "eventtrackers":
		return objects(&q.scanner, i, &q.EventTrackers, &q.trackers, maxTrackers, q.tracker)
	}
	return q.skip(i)
}

func (q *NativeRequest) asset(i int, m *NativeAsset) int {
	k, i, ok := q.open(i)
	for ; ok; k, i, ok = q.next(i) {
		switch k {
		case "id":
			i = q.integer(i, &m.ID)
		case "required":
			i = q.yes(i, &m.Required)
		case "title":
			i = q.title(i, &m.Title)
		case "img":
			i = q.img(i, &m.Img)
		case "video":
			i = q.video(i, &m.Video)
		case "data":
			i = q.data(i, &m.Data)
		default:
			i = q.skip(i)
		}
	}
	return i
}

// object says whether an object starts at i. An asset's {} asks for that asset: any image, say.
func (q *NativeRequest) object(i int) bool { return i < len(q.b) && q.b[i] == '{' }

func (q *NativeRequest) title(i int, m *NativeTitle) int {
	m.Present = m.Present || q.object(i)
	k, i, ok := q.open(i)
	for ; ok; k, i, ok = q.next(i) {
		if k == "len" {
			i = q.int32(i, &m.Len)
		} else {
			i = q.skip(i)
		}
	}
	return i
}

func (q *NativeRequest) img(i int, m *NativeImg) int {
	m.Present = m.Present || q.object(i)
	k, i, ok := q.open(i)
	for ; ok; k, i, ok = q.next(i) {
		switch k {
		case "type":
			i = q.int32(i, &m.Type)
		case "w":
			i = q.int32(i, &m.W)
		case "h":
			i = q.int32(i, &m.H)
		case "wmin":
			i = q.int32(i, &m.WMin)
		case "hmin":
			i = q.int32(i, &m.HMin)
		case "mimes":
			i = q.strings(i, &m.MIMEs)
		default:
			i = q.skip(i)
		}
	}
	return i
}

func (q *NativeRequest) video(i int, m *NativeVideo) int {
	m.Present = m.Present || q.object(i)
	k, i, ok := q.open(i)
	for ; ok; k, i, ok = q.next(i) {
		switch k {
		case "minduration":
			i = q.int32(i, &m.MinDuration)
		case "maxduration":
			i = q.int32(i, &m.MaxDuration)
		case "mimes":
			i = q.strings(i, &m.MIMEs)
		case "protocols":
			i = q.int32s(i, &m.Protocols)
		default:
			i = q.skip(i)
		}
	}
	return i
}

func (q *NativeRequest) data(i int, m *NativeData) int {
	m.Present = m.Present || q.object(i)
	k, i, ok := q.open(i)
	for ; ok; k, i, ok = q.next(i) {
		switch k {
		case "type":
			i = q.int32(i, &m.Type)
		case "len":
			i = q.int32(i, &m.Len)
		default:
			i = q.skip(i)
		}
	}
	return i
}

func (q *NativeRequest) tracker(i int, m *EventTracker) int {
	k, i, ok := q.open(i)
	for ; ok; k, i, ok = q.next(i) {
		switch k {
		case "event":
			i = q.int32(i, &m.Event)
		case "methods":
			i = q.int32s(i, &m.Methods)
		default:
			i = q.skip(i)
		}
	}
	return i
}
