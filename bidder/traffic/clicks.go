package traffic

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/grosz/grosz/events"
)

// Verdict is what a click is worth. All but ClickOK go into the click event's
// reason, so that reports and learning leave it out; the person is led on all
// the same.
type Verdict uint8

// The verdicts, the gravest first.
const (
	ClickOK         Verdict = iota
	ClickCrawler            // by a known crawler
	ClickDataCentre         // from a data centre's address
	ClickNotWon             // on a bid that is known not to have been won
	ClickTooFast            // sooner after the impression than a person can
	ClickRepeated           // of the same bid within a moment: a double click
	ClickTooMany            // more of one bid than a person makes
	numVerdicts
)

var verdictNames = [numVerdicts]string{"", "crawler", "data_centre", "not_won", "too_fast", "double_click", "too_many_clicks"}

// String is the reason in the event; empty for ClickOK.
func (v Verdict) String() string {
	if v < numVerdicts {
		return verdictNames[v]
	}
	return "unknown"
}

// Verdicts is how many there are, for counters.
const Verdicts = int(numVerdicts)

// ClicksConfig says what is impossible. Zero values take the defaults.
type ClicksConfig struct {
	// Repeat is how close two clicks on one bid are a double click; 10 s.
	Repeat time.Duration
	// Fast is what a person needs between the ad and the click; 100 ms: the
	// pixel may have been loaded some time after the ad was seen.
	Fast time.Duration
	// Most is how many clicks of one bid may count; 3.
	Most int
	// TTL is how long a bid is remembered; 24 h.
	TTL time.Duration
	// Max bounds the bids remembered, 32 bytes each; 262,144. When a bucket of
	// eight is full, one without a click gives way first, then the oldest.
	Max int
}

func (c ClicksConfig) withDefaults() ClicksConfig {
	set := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&c.Repeat, 10*time.Second)
	set(&c.Fast, 100*time.Millisecond)
	set(&c.TTL, 24*time.Hour)
	if c.Most <= 0 {
		c.Most = 3
	}
	if c.Max <= 0 {
		c.Max = 1 << 18
	}
	return c
}

const (
	bucketSize = 8
	clickLocks = 64
)

// mark is what is known of one bid on this node.
type mark struct {
	bid    uint64 // half of its 128 random bits; 0: empty
	shown  int64  // ms of the first impression
	click  int64  // ms of the latest click that was judged
	heard  uint32 // seconds: when something was last heard of it
	counts uint16 // clicks that counted
	lost   bool
}

// Clicks judges clicks. It knows what this node saw: an impression, a loss or
// a click that another node took is judged without. Safe for many goroutines.
type Clicks struct {
	cfg     ClicksConfig
	locks   [clickLocks]sync.Mutex
	buckets [][bucketSize]mark
}

// NewClicks returns an empty guard.
func NewClicks(cfg ClicksConfig) *Clicks {
	cfg = cfg.withDefaults()
	n := 1
	for n*bucketSize < cfg.Max {
		n *= 2
	}
	return &Clicks{cfg: cfg, buckets: make([][bucketSize]mark, n)}
}

// Click is one click whose token was verified.
type Click struct {
	Bid   events.ID
	BidMS int64 // when the bid was made, from the token: to the second
	NowMS int64
	// NotWon says that the bid is known to be lost; unknown is false.
	NotWon bool
	// From is Check's answer for the click's user agent and address.
	From Reason
}

// Judge tells what the click is worth, and remembers it.
func (c *Clicks) Judge(k Click) Verdict {
	bucket, mu := c.bucket(k.Bid)
	mu.Lock()
	defer mu.Unlock()
	m := c.take(bucket, k.Bid, k.NowMS)
	v := c.verdict(m, &k)
	m.click = max(m.click, k.NowMS)
	if v == ClickOK {
		m.counts++
	}
	return v
}

func (c *Clicks) verdict(m *mark, k *Click) Verdict {
	shown := max(m.shown, k.BidMS)
	switch {
	case k.From == Crawler:
		return ClickCrawler
	case k.From == DataCentre:
		return ClickDataCentre
	case k.NotWon || m.lost:
		return ClickNotWon
	case k.NowMS-shown < c.cfg.Fast.Milliseconds():
		return ClickTooFast
	case m.click != 0 && k.NowMS-m.click < c.cfg.Repeat.Milliseconds():
		return ClickRepeated
	case int(m.counts) >= c.cfg.Most:
		return ClickTooMany
	}
	return ClickOK
}

// Shown notes an impression: a click must not follow at once.
func (c *Clicks) Shown(bid events.ID, nowMS int64) {
	bucket, mu := c.bucket(bid)
	mu.Lock()
	defer mu.Unlock()
	if m := c.take(bucket, bid, nowMS); m.shown == 0 {
		m.shown, m.lost = nowMS, false // shown after all: the loss was wrong
	}
}

// Lost notes that the exchange said the bid was lost: nobody can click it.
func (c *Clicks) Lost(bid events.ID, nowMS int64) {
	bucket, mu := c.bucket(bid)
	mu.Lock()
	defer mu.Unlock()
	if m := c.take(bucket, bid, nowMS); m.shown == 0 {
		m.lost = true
	}
}

func (c *Clicks) bucket(bid events.ID) (*[bucketSize]mark, *sync.Mutex) {
	h := binary.LittleEndian.Uint64(bid[8:])
	i := h & uint64(len(c.buckets)-1)
	return &c.buckets[i], &c.locks[i%clickLocks]
}

// take returns the bid's mark, in place of another if need be; its lock is
// held.
func (c *Clicks) take(bucket *[bucketSize]mark, bid events.ID, nowMS int64) *mark {
	k := max(binary.LittleEndian.Uint64(bid[:8]), 1)
	now := uint32(nowMS / 1000)
	expired := func(m *mark) bool { return int64(now)-int64(m.heard) > int64(c.cfg.TTL/time.Second) }
	victim, least := &bucket[0], int64(1<<63-1)
	for i := range bucket {
		m := &bucket[i]
		if m.bid == k {
			if expired(m) {
				*m = mark{bid: k}
			}
			m.heard = max(m.heard, now)
			return m
		}
		rank := int64(m.heard)
		switch {
		case m.bid == 0 || expired(m):
			rank = -1
		case m.click != 0:
			rank += 1 << 32 // those with clicks stay longest
		}
		if rank < least {
			victim, least = m, rank
		}
	}
	*victim = mark{bid: k, heard: now}
	return victim
}

// Remembered is how many bids have a mark, and how many could.
func (c *Clicks) Remembered() (n, most int) {
	for i := range c.buckets {
		mu := &c.locks[i%clickLocks]
		mu.Lock()
		for j := range c.buckets[i] {
			if c.buckets[i][j].bid != 0 {
				n++
			}
		}
		mu.Unlock()
	}
	return n, len(c.buckets) * bucketSize
}
