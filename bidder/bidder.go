package bidder

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/bidder/geo"
	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/bidder/traffic"
	"github.com/grosz/grosz/bidder/value"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
	ekafka "github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/kafkanet"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/pacing/plan"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
	"github.com/grosz/grosz/segments/wanted"
)

// Config of a bidder node.
type Config struct {
	// Node names this node in events; unique among the nodes.
	Node string
	// PublicURL is how exchanges and browsers reach this node or its load
	// balancer, such as https://bid.example.com, without a final slash. Where
	// an imp asks for https it is called by https whatever its own scheme.
	PublicURL string
	// Brokers of Kafka, host:port.
	Brokers []string
	// Security of the connections to Kafka; nil: plain.
	Security *kafkanet.Security
	// AssetDir holds uploaded videos and images, served under /assets/.
	AssetDir string
	// AssetURL is their base URL in ads; empty means PublicURL/assets.
	AssetURL string
	// StateDir keeps checkpoints of what was folded from the log; empty means
	// that every start reads the whole log.
	StateDir string
	// Seed makes bid ids and ties repeatable; zero means drawn at random.
	Seed [32]byte
	// MaxBody bounds a request body after inflation, in bytes; 0 means 1 MiB.
	MaxBody int
	// MaxInWork bounds the bid requests in work at once; one more is answered
	// 204 before it is parsed. 0 means 1024.
	MaxInWork int
	// ShedDelay is the queueing delay of requests from which some of them
	// are shed; 0 means 40 ms, a negative one never.
	ShedDelay time.Duration
	// OnViolation, where it is set, is told the rule and the request's id of
	// every bid that the self-check drops: tests fail by it. It also has every
	// bid's markup walked in full.
	OnViolation func(rule, request string)
	// Profiles bounds the profile store.
	Profiles segments.Config
	// Leases makes bids spend out of leases that the log grants, so that nodes
	// can share budgets; without, each node knows its own holds only.
	Leases bool
	// Segments bounds what is worked out of named segments.
	Segments rules.Config
	// Book bounds the budget book.
	Book pacing.Config
	// AdminKeySHA256 is the hash, hex, of the key that may ask for explanations
	// of every shop; empty means that only shops' own keys may.
	AdminKeySHA256 string
	// AdminKey is asked for that hash where AdminKeySHA256 is empty: the
	// console may make the key after this node has started.
	AdminKey func() string
	// Samples of live decisions that are kept for replaying.
	Samples SampleConfig
	// ShopEventsPerSecond is how many events of one shop this node takes in a
	// second, from its server and from its pages each; 0 means 10,000, a
	// negative one any number.
	ShopEventsPerSecond int
	// Clicks says which clicks are impossible; zero values take the defaults.
	Clicks traffic.ClicksConfig
	// Requests bounds the sample of requests that forecasts replay.
	Requests RequestConfig
	// ClickMarginBPS is the platform's part of what billed clicks are likely to
	// bring, basis points: so much less is bid for their impressions.
	ClickMarginBPS int
	// ClickLossClicks and ClickLossBPS bound what the platform may lose on a
	// campaign that is billed by clicks within ClickLossDays: so many clicks, and
	// a part of what was billed. No clicks: 100 and 1,000 bps; −1 is no bound.
	ClickLossClicks int
	ClickLossBPS    int
	// BidLogBytes bounds the bids on their way to Kafka; 0 means 64 MiB.
	BidLogBytes int64
}

// Validate lists all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Node == "" {
		errs = append(errs, errors.New("bidder: Node is empty"))
	}
	if u, err := url.Parse(c.PublicURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.HasSuffix(c.PublicURL, "/") {
		errs = append(errs, fmt.Errorf("bidder: PublicURL %q must be like https://bid.example.com, without a final slash", c.PublicURL))
	}
	if u, err := url.Parse(c.AssetURL); c.AssetURL != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
		errs = append(errs, fmt.Errorf("bidder: AssetURL %q must be like https://cdn.example.com/assets", c.AssetURL))
	}
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("bidder: no Kafka brokers"))
	}
	if c.MaxBody < 0 {
		errs = append(errs, fmt.Errorf("bidder: MaxBody %d is negative", c.MaxBody))
	}
	if c.MaxInWork < 0 {
		errs = append(errs, fmt.Errorf("bidder: MaxInWork %d is negative", c.MaxInWork))
	}
	if c.ClickMarginBPS < 0 || c.ClickMarginBPS >= 10_000 {
		errs = append(errs, fmt.Errorf("bidder: ClickMarginBPS %d must be from 0 to 9999", c.ClickMarginBPS))
	}
	if c.ClickLossClicks < -1 || c.ClickLossBPS < 0 || c.ClickLossBPS > 1_000_000 {
		errs = append(errs, fmt.Errorf("bidder: ClickLossClicks %d must be -1 or more, ClickLossBPS %d from 0 to 1,000,000", c.ClickLossClicks, c.ClickLossBPS))
	}
	return errors.Join(errs...)
}

// Deps are the parts that a bidder works with; their owner closes them.
type Deps struct {
	Clock     clock.Clock
	Keys      *events.Keyring
	Spool     *spool.Spool
	Exchanges []*Exchange
	Rates     *money.Rates
	// Matches are the exchanges' ids of people; nil: none are matched.
	Matches MatchTable
	// Suppress is who asked to be forgotten; nil only in tests.
	Suppress SuppressionList
	// Visitors names the segments of a visitor for the pixel's answer; nil
	// means the ready-made ones.
	Visitors VisitorSegments
	// Geo finds the place of an address where a request does not say it; nil:
	// nothing is added.
	Geo *geo.DB
	// Partners may tell what people look for, by name; see ParsePartners.
	Partners map[string]*Partner
	// Traffic knows crawlers and data centres; nil means the built-in crawlers.
	Traffic *traffic.Watch
	Log     *slog.Logger
}

// Bidder answers bid requests, takes notices and shop events.
type Bidder struct {
	cfg   Config
	clock clock.Clock
	keys  *events.Keyring
	spool *spool.Spool
	log   *slog.Logger

	state        atomic.Pointer[State]
	model        atomic.Pointer[value.Model] // nil: none has come yet
	models       modelCounts
	coefficients atomic.Pointer[coefficients]
	exchanges    map[string]*Exchange
	publishMu    sync.Mutex // of rates, and of publishing States in order
	rates        *money.Rates

	profiles    atomic.Pointer[segments.Store]
	profilesMu  sync.Mutex // who applies, sweeps or saves
	segments    *shopSegments
	book        *pacing.Book
	leases      *leaseDesk // nil: none are needed
	frequency   *pacing.Frequency
	hidden      *pacing.Hidden // what people do not want to see again
	shown       *pacing.Shown  // how often people saw products of shops that cap them
	pagePrices  *pagePrices
	together    *creatives.Together
	bidLog      *ekafka.BidLog
	days        dayCache
	refusals    refusalCounts
	seen        *seenToday // who was met in the traffic today
	rejections  limiter
	fromShops   *shopLimiter // of events, by shop: from servers
	fromPages   *shopLimiter // from pages
	visitors    VisitorSegments
	conflicts   limiter
	hides       *shopLimiter
	repeats     repeatSet
	offers      *offers // nil in a shadow
	outcomes    *outcomes
	demand      *plan.Demand
	proofs      *proofs        // nil in a shadow
	markets     []*plan.Prices // by the exchange's number
	byNumber    []*Exchange
	counted     []uint64 // requests, by exchange: housekeeping's
	settledHere nodeShare
	shadowed    bool          // a shadow: what it shares it only reads
	recalled    *recalled     // what a replay goes by; nil elsewhere
	plans       atomic.Uint64 // plans begun and ended: odd while one is made
	asksAll     bool          // nobody is passed over for the floor: tests compare
	samples     *Sampler
	requests    *requestLog   // the sample on its way out; nil: none is taken
	kept        *requestStore // the sample of all nodes
	consents    *privacy.Cache
	people      *people
	traffic     *traffic.Watch
	judge       *judge
	played      videoCounts
	geo         *geo.DB
	partners    map[string]*Partner
	wanted      *wanted.Store
	checks      *selfChecks
	gate        *gate
	now         func() time.Time // monotonic: deadlines
	metrics     *metricSet
	urls        struct{ plain, secure urlSet }
	host        string // of PublicURL

	contexts sync.Pool
	seedMu   sync.Mutex
	seeder   *rand.ChaCha8

	profilePoint, bookPoint *checkpoint

	ready    [4]atomic.Bool // campaigns, profiles, settlements have caught up; the first leases are there
	draining atomic.Bool
}

// New returns a bidder that bids on nothing until Follow has read the log.
func New(cfg Config, d Deps) (*Bidder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 1 << 20
	}
	if cfg.Seed == ([32]byte{}) {
		_, _ = crand.Read(cfg.Seed[:]) // never fails, by its contract
	}
	cfg.Book.Classes = 8 * len(d.Exchanges)
	b := &Bidder{
		cfg: cfg, clock: d.Clock, keys: d.Keys, spool: d.Spool, log: d.Log,
		exchanges: make(map[string]*Exchange), rates: d.Rates,
		book: pacing.NewBook(cfg.Book), frequency: pacing.NewFrequency(0), hidden: pacing.NewHidden(0), shown: pacing.NewShown(0), pagePrices: newPagePrices(), together: creatives.NewTogether(), seen: new(seenToday),
		bidLog: ekafka.NewBidLog(cfg.BidLogBytes, d.Log),
		seeder: rand.NewChaCha8(cfg.Seed), rejections: limiter{n: 100}, conflicts: limiter{n: 100}, hides: newShopLimiter(hidesPerSecond), offers: newOffers(),
		outcomes: new(outcomes), demand: plan.NewDemand(len(d.Exchanges)), proofs: newProofs(len(d.Exchanges)), counted: make([]uint64, len(d.Exchanges)),
		checks: newSelfChecks(), gate: newGate(cfg.MaxInWork, cfg.ShedDelay), now: time.Now,
		geo: d.Geo, partners: d.Partners, wanted: wanted.New(0),
	}
	b.fromShops, b.fromPages = newShopLimiter(cfg.ShopEventsPerSecond), newShopLimiter(cfg.ShopEventsPerSecond)
	if b.visitors = d.Visitors; b.visitors == nil {
		b.visitors = readySegments{}
	}
	store, err := segments.NewStore(cfg.Profiles)
	if err != nil {
		return nil, fmt.Errorf("profile store: %w", err)
	}
	b.profiles.Store(store)
	if b.rates == nil {
		b.rates = &money.Rates{Base: usd}
	}
	for _, x := range d.Exchanges {
		if b.exchanges[x.Name] != nil {
			return nil, fmt.Errorf("two exchanges are named %q", x.Name)
		}
		x.number = uint16(len(b.exchanges))
		b.exchanges[x.Name] = x
		x.market = plan.NewPrices()
		b.byNumber, b.markets = append(b.byNumber, x), append(b.markets, x.market)
	}
	if u, err := url.Parse(cfg.PublicURL); err == nil { // Validate has parsed it
		b.host = u.Hostname()
	}
	b.urls.plain = newURLSet(cfg.PublicURL)
	b.urls.secure = newURLSet("https" + cfg.PublicURL[strings.IndexByte(cfg.PublicURL, ':'):])
	if base := strings.TrimSuffix(cfg.AssetURL, "/"); base != "" {
		b.urls.plain.assets = base
		b.urls.secure.assets = "https" + base[strings.IndexByte(base, ':'):]
	}
	b.contexts.New = func() any {
		c := newContext(b.nextSeed())
		c.hidden, c.shown, c.pagePrices, c.together = b.hidden, b.shown, b.pagePrices, b.together
		return c
	}
	if b.consents, err = privacy.NewCache(0); err != nil {
		return nil, fmt.Errorf("consent cache: %w", err)
	}
	for _, x := range b.exchanges {
		x.privacy.Cache = b.consents
	}
	if b.traffic = d.Traffic; b.traffic == nil {
		if b.traffic, err = traffic.NewWatch(traffic.WatchConfig{}, d.Clock, d.Log); err != nil {
			return nil, fmt.Errorf("traffic lists: %w", err)
		}
	}
	b.judge = newJudge(cfg.Clicks, b.traffic)
	b.requests, b.kept = newRequestLog(cfg.Requests), newRequestStore(cfg.Requests)
	cfg.Samples.MayLog = func(x *Exchange) bool { return x.privacy.MayLog }
	if b.samples, err = b.NewSampler(cfg.Samples); err != nil {
		return nil, err
	}
	if cfg.Leases {
		b.leases = newLeaseDesk(b)
	} else {
		b.ready[3].Store(true)
	}
	b.metrics = newMetrics(b)
	b.recallPlans()
	b.Publish(campaigns.Input{})
	// Before the first notice: a restored book must not have settled anything.
	b.profilePoint, b.bookPoint = b.profileCheckpoint(), b.bookCheckpoint()
	if b.people, err = newPeople(b, b.peopleConfig(d)); err != nil {
		return nil, err
	}
	if b.segments, err = newShopSegments(b); err != nil {
		return nil, err
	}
	return b, nil
}

// peopleConfig joins the exchanges' ways of matching ids with what keeps them.
func (b *Bidder) peopleConfig(d Deps) PeopleConfig {
	c := PeopleConfig{
		Sync: make(map[string]SyncConfig), Matches: d.Matches, Suppress: d.Suppress,
		Emit: func(e *events.Erasure) error {
			return b.spool.Append(spool.Record{Topic: ekafka.SpoolErasures, Key: e.Key(), Value: e.AppendJSON(nil)})
		},
	}
	for name, x := range b.exchanges {
		if x.sync.URL != "" || len(x.sync.RedirectHosts)+len(x.sync.EIDSources) > 0 {
			c.Sync[name] = x.sync
		}
	}
	return c
}

// SetRates puts new exchange rates in force.
func (b *Bidder) SetRates(r *money.Rates) {
	b.publishMu.Lock()
	b.rates = r
	snap := b.state.Load().Snapshot
	b.publishMu.Unlock()
	b.publish(snap)
}

func (b *Bidder) nextSeed() (seed [32]byte) {
	b.seedMu.Lock()
	defer b.seedMu.Unlock()
	_, _ = b.seeder.Read(seed[:])
	return seed
}

func (b *Bidder) nonce() uint64 {
	b.seedMu.Lock()
	defer b.seedMu.Unlock()
	return b.seeder.Uint64()
}

func (b *Bidder) randomID() (id events.ID) {
	binary.LittleEndian.PutUint64(id[:8], b.nonce())
	binary.LittleEndian.PutUint64(id[8:], b.nonce())
	return id
}

// Ready tells whether everything in the log at the start has been read, and
// names what has not.
func (b *Bidder) Ready() (bool, string) {
	for i, what := range [...]string{
		"campaigns are still being read from Kafka", "profiles are still being read from Kafka",
		"settlements are still being read from Kafka", "the first leases are awaited",
	} {
		if !b.ready[i].Load() {
			return false, what
		}
	}
	if b.draining.Load() {
		return false, "draining"
	}
	return true, ""
}

// bidding tells whether bid requests are bid on. Before the settlements are
// read, a budget would look fuller than it is. While draining they are: what
// still comes is answered as ever.
func (b *Bidder) bidding() bool {
	return b.ready[0].Load() && b.ready[1].Load() && b.ready[2].Load() && b.ready[3].Load()
}

// Drain makes /readyz say no, so that a load balancer sends nobody new, and
// closes each connection with its next answer. What comes is answered.
func (b *Bidder) Drain() { b.draining.Store(true) }

// RunBidLog ships bids to Kafka until ctx ends, and records how many could not
// be.
func (b *Bidder) RunBidLog(ctx context.Context, w *kafka.Writer) {
	b.bidLog.Run(ctx, w)
	b.recordDrops()
}

// Book is the node's budget book, for the live summary and tests.
func (b *Bidder) Book() *pacing.Book { return b.book }

// Profiles is the profile store, for tests and tools.
func (b *Bidder) Profiles() *segments.Store { return b.profiles.Load() }
