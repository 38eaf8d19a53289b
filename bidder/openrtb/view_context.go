package openrtb

// Site is the web site of the impression (§ 3.2.13).
type Site struct {
	Present       bool
	Mobile        Flag // made for mobile
	PrivacyPolicy Flag
	CatTax        int32 // of Cat, SectionCat and PageCat; 0 when absent, which means 1
	ID            string
	Name          string
	Domain        string
	Page          string
	Ref           string
	Search        string
	PartnerDomain string // inventorypartnerdomain: whose ads.txt counts
	Keywords      string // comma separated; see NextKeyword
	KwArray       []string
	Cat           []string
	SectionCat    []string
	PageCat       []string
	Publisher     Publisher
	Content       Content
}

// App is the application of the impression (§ 3.2.14).
type App struct {
	Present       bool
	Paid          Flag
	PrivacyPolicy Flag
	CatTax        int32
	ID            string
	Name          string
	Bundle        string
	Domain        string
	StoreURL      string
	Ver           string
	PartnerDomain string // inventorypartnerdomain: whose app-ads.txt counts
	Keywords      string
	KwArray       []string
	Cat           []string
	SectionCat    []string
	PageCat       []string
	Publisher     Publisher
	Content       Content
}

// DOOH is the digital out-of-home screen of the impression (§ 3.2.37).
type DOOH struct {
	Present      bool
	VenueTypeTax Int // absent means 1
	ID           string
	Name         string
	Domain       string
	Keywords     string
	KwArray      []string
	VenueType    []string
	Publisher    Publisher
	Content      Content
}

// Publisher is who publishes the site, app or screen (§ 3.2.15).
type Publisher struct {
	Present bool
	CatTax  int32
	ID      string
	Name    string
	Domain  string
	Cat     []string
}

// Content is what the impression appears with (§ 3.2.16).
type Content struct {
	Present       bool
	LiveStream    Flag
	CatTax        int32
	Context       int32 // kind of content, AdCOM; 0 when absent
	QAGRating     int32 // qagmediarating; 0 when absent
	Len           int32 // seconds; 0 when absent
	ID            string
	Title         string
	Series        string
	Season        string
	Genre         string
	URL           string
	ContentRating string
	Language      string // ISO-639-1-alpha-2
	LangB         string // BCP-47
	Keywords      string
	KwArray       []string
	Cat           []string
	Data          []Data
}

// Device is what the user sees the ad on (§ 3.2.18).
type Device struct {
	Present        bool
	Lmt            Flag // limit ad tracking
	DNT            Flag // do not track
	JS             Flag
	DeviceType     int32 // AdCOM; 0 when absent
	ConnectionType Int   // AdCOM; 0 is unknown
	W, H           int32 // physical pixels; 0 when absent
	UA             string
	IP             string
	IPv6           string
	IFA            string
	OS             string
	OSV            string
	Make           string
	Model          string
	Language       string // ISO-639-1-alpha-2
	LangB          string // BCP-47
	Carrier        string
	MCCMNC         string
	SUA            UserAgent // when Present, to be trusted more than UA
	Geo            Geo
}

// UserAgent is the structured user agent (§ 3.2.29).
type UserAgent struct {
	Present      bool
	Mobile       Flag
	Source       int32 // AdCOM; 0 unknown, 1 low entropy hints, 2 high entropy, 3 parsed from UA
	Model        string
	Architecture string
	Bitness      string
	Platform     BrandVersion
	Browsers     []BrandVersion
}

// BrandVersion is a browser or platform with its version, most significant part first (§ 3.2.30).
type BrandVersion struct {
	Brand   string
	Version []string
}

// Geo is a place (§ 3.2.19): of the device, or of the user's home.
type Geo struct {
	Present   bool
	HasLatLon bool  // both were readable and in range
	LatE6     int32 // micro-degrees, north positive
	LonE6     int32 // micro-degrees, east positive
	Type      int32 // source of the place, AdCOM; 0 when absent
	Accuracy  int32 // metres; 0 when absent
	UTCOffset Int   // minutes from UTC
	Country   string
	Region    string
	Metro     string
	City      string
	Zip       string
}

// User is the person behind the device (§ 3.2.20).
type User struct {
	Present  bool
	Yob      int32 // year of birth; 0 when absent
	ID       string
	BuyerUID string
	Gender   string
	Consent  string // TCF string, from consent or ext.consent
	Keywords string
	KwArray  []string
	Data     []Data
	EIDs     []EID // from eids or ext.eids
	Geo      Geo
}

// EID is the ids of one identity source (§ 3.2.27).
type EID struct {
	Source string
	UIDs   []UID
}

// UID is one id of an identity source (§ 3.2.28).
type UID struct {
	ID    string
	AType int32 // AdCOM agent type; 0 when absent
}

// Data is a data provider's segments about a user or content (§ 3.2.21).
type Data struct {
	ID       string
	Name     string
	SegTax   int32 // ext.segtax: taxonomy of the segments' ids; 0 when absent
	Segments []Segment
}

// Segment is one fact of a data provider (§ 3.2.22).
type Segment struct {
	ID    string
	Name  string
	Value string
}

// Regs is which laws apply (§ 3.2.3), from regs and, as 2.5 had it, from regs.ext.
type Regs struct {
	Present   bool
	COPPA     Flag
	GDPR      Flag
	GPC       Flag // ext.gpc, the Global Privacy Control signal
	USPrivacy string
	GPP       string
	GPPSID    []int32 // sections of GPP that apply
	DSA       DSA
}

// DSA is what the exchange asks for under the EU's Digital Services Act (regs.ext.dsa).
type DSA struct {
	Present   bool
	Required  Int // 0 no, 1 supported, 2 required, 3 required of an online platform
	PubRender Int // 0 publisher can not render, 1 may, 2 will
	DataToPub Int // 0 do not send, 1 optional, 2 send
}

// Source is how the request came about (§ 3.2.2).
type Source struct {
	Present bool
	FD      Flag // Yes: someone upstream decides finally
	TID     string
	PChain  string
	SChain  SChain
}

// SChain is the chain of sellers (§ 3.2.25), from source.schain or source.ext.schain.
type SChain struct {
	Present  bool
	Complete Flag
	Ver      string
	Nodes    []SChainNode
}

// SChainNode is one seller of the chain (§ 3.2.26).
type SChainNode struct {
	ASI    string
	SID    string
	RID    string
	Name   string
	Domain string
	HP     Flag // in the flow of payment
}
