package openrtb

// Request is the view of one bid request (§ 3.2.1). Its zero value is ready for Parse. After Parse it may be read by
// many goroutines, but only until the body changes or Parse or Reset is called.
type Request struct {
	ID      string
	Test    bool  // test = 1: bid, but neither bill nor count
	At      Int   // auction type; absent: the exchange's configuration decides
	TMax    int32 // milliseconds; 0 when absent
	AllImps bool  // all impressions of the page or context are on offer

	WSeat  []string // only these buyer seats may bid
	BSeat  []string // these may not
	Cur    []string // allowed currencies of a bid; empty means USD
	WLang  []string // allowed languages, ISO-639-1-alpha-2
	WLangB []string // allowed languages, BCP-47
	ACat   []string // allowed advertiser categories
	BCat   []string // blocked advertiser categories
	BAdv   []string // blocked advertiser domains
	BApp   []string // blocked advertiser apps
	CatTax int32    // taxonomy of ACat and BCat; 0 when absent, which means 1 (IAB content categories 1.0)

	Imps []Imp

	Site   Site
	App    App
	DOOH   DOOH
	Device Device
	User   User
	Regs   Regs
	Source Source

	Oddities

	scanner
	slabs
}

// Oddities is what a view could not take as it came, apart from the error that ends a parse.
type Oddities struct {
	Odd       Odd       // kinds of values of a wrong type or out of range; they read as absent
	Truncated Truncated // what was cut at a limit; with TruncatedList, block lists may be incomplete
	OddCount  int32     // how many odd values
	OddAt     int32     // offset of the first of them in the body; -1 when there is none
}

// Int is an integer whose absence differs from zero.
type Int struct {
	V   int32
	Set bool
}

// Or returns the value, or def when it is absent.
func (n Int) Or(def int32) int32 {
	if n.Set {
		return n.V
	}
	return def
}

// Flag is a yes or no that may be absent.
type Flag uint8

// The values of a Flag.
const (
	Absent Flag = iota
	No
	Yes
)

// Or returns the flag as a bool, or def when it is absent.
func (f Flag) Or(def bool) bool {
	if f == Absent {
		return def
	}
	return f == Yes
}

// Price is a CPM of the bid request: a floor. Digits beyond a micro are rounded up, so that a bid at the price is never
// below it.
type Price struct {
	Micro int64 // micro-CPM, which is nano-units per impression; from 0 to MaxPrice
	Set   bool  // a readable price was there
	Odd   bool  // it was negative (Micro is 0), above MaxPrice (Micro is MaxPrice) or unreadable (Set is false)
}

// MaxPrice is the largest Price in micro-CPM: a CPM of a thousand million.
const MaxPrice = 1_000_000_000 * 1_000_000

// Odd is a set of the kinds of values that could not be used.
type Odd uint16

// The kinds of odd values.
const (
	OddNumber Odd = 1 << iota // an integer or decimal that is none, or is out of range
	OddFlag                   // neither 0 nor 1
	OddPrice                  // negative, too large or unreadable
	OddString                 // neither a string nor a number, or with an unknown escape
	OddList                   // no list
	OddObject                 // no object
)

// Truncated is a set of what was cut at a limit.
type Truncated uint8

// What can be cut.
const (
	TruncatedImps    Truncated = 1 << iota // more than MaxImps
	TruncatedList                          // a list of strings or integers longer than MaxList
	TruncatedObjects                       // too many deals, formats, segments or other objects
)

// Imp is one impression on offer (§ 3.2.4).
type Imp struct {
	ID           string
	TagID        string
	Instl        bool  // interstitial or full screen
	Rewarded     bool  // rwdd, or one of its forms before 2.6
	Secure       Flag  // https wanted
	ClickBrowser Flag  // Yes: native browser
	SSAI         int32 // server-side ad insertion, AdCOM; 0 unknown
	Exp          int32 // seconds between auction and impression; 0 unknown
	BidFloor     Price
	BidFloorCur  string // empty means USD
	Multiplier   int64  // qty.multiplier in micros (1_000_000 is one impression); 0 when absent, which means one
	GPID         string // ext.gpid, else ext.data.pbadslot: the publisher's name of the placement
	Metrics      []Metric

	Banner Banner
	Video  Video
	Audio  Audio
	Native Native
	PMP    PMP
}

// Metric is a measure of the placement (§ 3.2.5), such as viewability.
type Metric struct {
	Type   string
	Vendor string
	Value  int64 // in micros: a probability of 0.7 is 700_000
}

// Banner is a display opportunity (§ 3.2.6), also as a companion of video or audio.
type Banner struct {
	Present  bool
	TopFrame Flag
	VCM      Flag  // companion: Yes is an end card, No is beside the video
	W, H     int32 // device-independent pixels; 0 when absent
	Pos      Int   // placement position, AdCOM
	ID       string
	Formats  []Format
	BType    []int32 // blocked banner types
	BAttr    []int32 // blocked creative attributes
	ExpDir   []int32 // directions in which it may expand
	API      []int32 // supported frameworks
	MIMEs    []string
}

// Format is an allowed size of a banner (§ 3.2.10): w × h, or a ratio with a least width.
type Format struct {
	W, H           int32
	WRatio, HRatio int32
	WMin           int32
}

// Video is a video opportunity (§ 3.2.7). Durations are seconds, bit rates kbit/s; 0 means absent unless said otherwise.
type Video struct {
	Present        bool
	Skip           Flag
	BoxingAllowed  Flag // absent means yes
	W, H           int32
	MinDuration    int32
	MaxDuration    int32
	StartDelay     Int // 0 pre-roll, > 0 mid-roll at that second, -1 mid-roll, -2 post-roll
	Plcmt          int32
	Placement      int32 // deprecated by Plcmt
	Linearity      int32
	SkipMin        int32
	SkipAfter      int32
	MaxExtended    Int // 0 not allowed, -1 without limit
	MinBitrate     int32
	MaxBitrate     int32
	Pos            Int
	PodDur         int32
	MaxSeq         int32
	PodSeq         int32
	SlotInPod      int32
	Sequence       int32 // deprecated by SlotInPod
	PodID          string
	MinCPMPerSec   Price
	MIMEs          []string // may be empty in real requests although the standard requires it
	Protocols      []int32  // a lone deprecated protocol is read as a list of one
	RqdDurs        []int32
	BAttr          []int32
	PlaybackMethod []int32
	Delivery       []int32
	API            []int32
	CompanionType  []int32
	PodDedupe      []int32
	Companions     []Banner
	DurFloors      []DurFloor
}

// Audio is an audio opportunity (§ 3.2.8). Units as in Video.
type Audio struct {
	Present       bool
	Stitched      Flag
	MinDuration   int32
	MaxDuration   int32
	StartDelay    Int
	MaxExtended   Int
	MinBitrate    int32
	MaxBitrate    int32
	PodDur        int32
	MaxSeq        int32
	PodSeq        int32
	SlotInPod     int32
	Feed          int32
	NVol          Int
	PodID         string
	MinCPMPerSec  Price
	MIMEs         []string
	Protocols     []int32
	RqdDurs       []int32
	BAttr         []int32
	Delivery      []int32
	API           []int32
	CompanionType []int32
	Companions    []Banner
	DurFloors     []DurFloor
}

// DurFloor is a floor for creatives of some durations (§ 3.2.35), in the currency of its imp or deal.
type DurFloor struct {
	MinDur, MaxDur int32 // seconds; 0 is unbounded
	BidFloor       Price
}

// Native is a native opportunity (§ 3.2.9). Its request is kept as it came and read by NativeRequest.Parse, when a
// campaign wants it.
type Native struct {
	Present bool
	Escaped bool    // Request is the inside of a JSON string, still with its escapes
	Request string  // the native request, or its object's text where an object stands in place of the string
	Ver     string  // version of the native standard
	API     []int32 // supported frameworks
	BAttr   []int32 // blocked creative attributes
}

// PMP is a private marketplace (§ 3.2.11).
type PMP struct {
	Present bool
	Private Flag // Yes: bids outside the deals are refused
	Deals   []Deal
}

// Deal is an agreement between seller and buyer (§ 3.2.12).
type Deal struct {
	ID           string
	BidFloor     Price
	BidFloorCur  string // empty means USD
	At           Int    // overrides Request.At; 3: BidFloor is the agreed price
	Guar         Flag   // guaranteed
	WSeat        []string
	WADomain     []string
	MinCPMPerSec Price
	DurFloors    []DurFloor
}
