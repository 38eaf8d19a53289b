package bidder

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/events"
	ekafka "github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/jsontext"
	"github.com/grosz/grosz/segments"
)

// RequestConfig bounds the sample of requests that forecasts replay.
type RequestConfig struct {
	// Bytes bounds what is held in memory; 0 means 96 MiB, a negative number
	// keeps and takes none.
	Bytes int64
	// Days is how long a request is kept; 0 means 14.
	Days int
	// PerSecond is how many are taken here in a second; 0 means 100.
	PerSecond int
}

// RequestSample is one request of the sample: compact facts and the person's
// key, no id of the exchange's. Hash says where in the sample its person is,
// from 0 to 2⁶⁴; whoever's is below Share of that was taken.
type RequestSample struct {
	TimeMS   int64            `json:"t"`
	Exchange string           `json:"x"`
	User     segments.UserKey `json:"u,omitzero"`
	Hash     uint64           `json:"h"`
	Share    float64          `json:"s"`
	Missed   uint32           `json:"m,omitempty"` // requests of the sample that were lost before this one
	Profile  bool             `json:"f,omitempty"` // what is known of the person might be looked at
	Profiles []CarriedProfile `json:"p,omitempty"`
	Request  json.RawMessage  `json:"r"`
}

// CarriedProfile is what a shop knew of the person when the request came.
type CarriedProfile struct {
	Shop   uint32 `json:"s"`
	Packed []byte `json:"b"`
}

const (
	requestHeld         = 4 << 20   // bytes of samples on their way to Kafka
	requestBatch        = 256 << 10 // bytes of a message
	defaultRequestShare = 0.02
	knownFactor         = 10  // people known to a shop are so much more likely in the sample
	sampleOverhead      = 200 // bytes beside request and profiles
	requestFlush        = 250 * time.Millisecond
	defaultRequestRate  = 100 // a second and node
)

// requestLog takes a sample of the requests off the hot path and ships it. A
// request that is not taken costs a hash; one that is taken is written down at
// once, in one pass and without an allocation. However many requests come, no
// more than a fixed number a second is taken: thinning halves the share of the
// people. Safe for many goroutines; a nil one takes nothing.
type requestLog struct {
	mu          sync.Mutex
	buf         []byte // lines
	lines       uint32
	packed      []byte // scratch: one profile
	thin        thinning
	halvings    atomic.Uint32 // what thin said last
	missed      atomic.Uint32 // since the last one that was taken
	taken, lost atomic.Uint64
	sent        atomic.Uint64
}

func newRequestLog(cfg RequestConfig) *requestLog {
	if cfg.Bytes < 0 {
		return nil
	}
	return &requestLog{thin: thinning{rate: cmp.Or(cfg.PerSecond, defaultRequestRate)}}
}

// sampleHash places a person in the sample, the same on every node and day.
func sampleHash(u segments.UserKey) uint64 {
	x := binary.LittleEndian.Uint64(u[:8]) ^ binary.LittleEndian.Uint64(u[8:])*0x9E3779B97F4A7C15
	x ^= x >> 30
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	x *= 0x94D049BB133111EB
	return x ^ x>>31
}

// below tells whether a hash is in a share of all.
func below(hash uint64, share float64) bool {
	return share >= 1 || float64(hash) < share*math.MaxUint64
}

// take puts a request that was answered into the sample, if its person is of
// it, the exchange allows it and it was worth looking at. body is the request
// as it was parsed.
func (l *requestLog) take(c *bidContext, body []byte) {
	x := c.exchange
	if l == nil || x.requestShare <= 0 || !x.privacy.MayLog || c.facts.Exchange == "" || c.view.Test || len(body) > sampleMaxBody {
		return
	}
	share, known := x.requestShare, c.basis.Identify && !c.user.IsZero()
	var hash uint64
	if known {
		hash = sampleHash(c.user)
		if len(c.facts.Profiles) > 0 {
			share = min(1, share*knownFactor)
		}
	} else {
		hash = c.draw()
	}
	share = math.Ldexp(share, -int(l.halvings.Load()))
	if !below(hash, share) {
		return
	}
	s := RequestSample{TimeMS: c.nowMS, Exchange: x.Name, Hash: hash, Share: share}
	if known {
		s.User, s.Profile = c.user, c.basis.Profile
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halvings.Store(l.thin.count(c.nowMS))
	if len(l.buf) >= requestHeld || !l.append(&s, c.facts.Profiles, body) {
		l.missed.Add(1)
		l.lost.Add(1)
		return
	}
	l.taken.Add(1)
}

// append writes the line of a sample; l.mu is held.
func (l *requestLog) append(s *RequestSample, profiles []segments.ShopProfile, body []byte) bool {
	before := len(l.buf)
	w := strconv.AppendInt(append(l.buf, `{"t":`...), s.TimeMS, 10)
	w = jsontext.AppendString(append(w, `,"x":`...), s.Exchange)
	known := !s.User.IsZero()
	if known {
		w = append(hex.AppendEncode(append(w, `,"u":"`...), s.User[:]), '"')
	}
	w = strconv.AppendUint(append(w, `,"h":`...), s.Hash, 10)
	w = strconv.AppendFloat(append(w, `,"s":`...), s.Share, 'g', -1, 64)
	missed := l.missed.Load()
	if missed > 0 {
		w = strconv.AppendUint(append(w, `,"m":`...), uint64(missed), 10)
	}
	if s.Profile {
		w = append(w, `,"f":true`...)
	}
	if known {
		var ok bool
		if w, ok = l.appendProfiles(w, profiles); !ok {
			return false
		}
	}
	w, err := appendStripped(append(w, `,"r":`...), body, known)
	w = append(w, "}\n"...)
	if err != nil || len(w)-before > requestBatch {
		return false
	}
	l.missed.Add(-missed)
	l.buf, l.lines = w, l.lines+1
	return true
}

func (l *requestLog) appendProfiles(w []byte, profiles []segments.ShopProfile) (_ []byte, ok bool) {
	key := `,"p":[`
	for i := range profiles {
		packed, err := profiles[i].AppendBinary(l.packed[:0])
		if err != nil {
			return w, false
		}
		l.packed = packed
		w = strconv.AppendUint(append(append(w, key...), `{"s":`...), uint64(profiles[i].Shop), 10)
		w = append(base64.StdEncoding.AppendEncode(append(w, `,"b":"`...), packed), `"}`...)
		key = ","
	}
	if len(profiles) > 0 {
		w = append(w, ']')
	}
	return w, true
}

// swap takes the lines that were written and leaves spare in their place.
func (l *requestLog) swap(spare []byte) (lines []byte, n uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines, n = l.buf, l.lines
	l.buf, l.lines = spare[:0], 0
	return lines, n
}

// RunRequestLog ships the sample of requests to Kafka until ctx ends. What
// Kafka does not take in time is lost and counted.
func (b *Bidder) RunRequestLog(ctx context.Context, w *kafka.Writer) {
	l := b.requests
	if l == nil {
		return
	}
	tick := time.NewTicker(requestFlush)
	defer tick.Stop()
	var spare []byte
	for last := false; !last; {
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		lines, n := l.swap(spare)
		spare = nil
		if n == 0 {
			spare = lines
			continue
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		err := w.WriteMessages(limited, cutRequests(lines)...)
		cancel()
		if err != nil {
			l.missed.Add(n)
			l.lost.Add(uint64(n))
			b.log.Debug("sampled requests were lost: Kafka is away", "requests", n, "err", err)
			continue // the writer may hold on to them
		}
		l.sent.Add(uint64(n))
		if cap(lines) <= 2*requestBatch {
			spare = lines
		}
	}
}

// cutRequests makes messages of lines, which they alias.
func cutRequests(lines []byte) (out []kafka.Message) {
	for len(lines) > 0 {
		n := len(lines)
		if n > requestBatch { // no line is longer
			n = bytes.LastIndexByte(lines[:requestBatch], '\n') + 1
		}
		out = append(out, kafka.Message{Topic: events.TopicRequests, Value: lines[:n:n]})
		lines = lines[n:]
	}
	return out
}

// followRequests keeps the sample of all nodes in memory.
func (b *Bidder) followRequests(ctx context.Context) error {
	handle := func(m ekafka.Message) error {
		b.skipBad(m, events.TopicRequests, b.addRequests(m.Value))
		return nil
	}
	return b.follower(events.TopicRequests, nil, handle, nil).Run(ctx)
}

// addRequests reads a message of the sample. Who was forgotten since is left
// out.
func (b *Bidder) addRequests(lines []byte) error {
	var errs error
	for line := range bytes.Lines(lines) {
		if hash, ok := lineHash(line); ok && !b.kept.wants(hash, b.clock.NowMS()) {
			continue
		}
		s := new(RequestSample)
		if err := json.Unmarshal(line, s); err != nil {
			errs = fmt.Errorf("a sampled request: %w", err)
			continue
		}
		if !s.User.IsZero() && b.people.suppressedKey(s.User, s.TimeMS) {
			continue
		}
		s.Profiles = slices.DeleteFunc(s.Profiles, func(p CarriedProfile) bool {
			return b.people.suppressedKey(events.ErasedAt(s.User, p.Shop), s.TimeMS)
		})
		b.kept.add(s, b.clock.NowMS())
	}
	return errs
}

// lineHash finds the place in the sample of the person of a line, before the rest
// of it is read; false for a line that was not written by append.
func lineHash(line []byte) (hash uint64, ok bool) {
	const head = 256 // bytes, in which it stands; a quote in a name before it would be escaped
	_, v, ok := bytes.Cut(line[:min(len(line), head)], []byte(`,"h":`))
	if !ok {
		return 0, false
	}
	digits, _, ok := bytes.Cut(v, []byte{','})
	if !ok {
		return 0, false
	}
	hash, err := strconv.ParseUint(string(digits), 10, 64)
	return hash, err == nil
}

func (b *Bidder) writeRequestMetrics(w io.Writer) {
	if b.requests == nil {
		return
	}
	s := b.kept.stats()
	fmt.Fprintf(w, "grosz_request_samples_taken_total %d\n", b.requests.taken.Load())
	fmt.Fprintf(w, "grosz_request_samples_sent_total %d\n", b.requests.sent.Load())
	fmt.Fprintf(w, "grosz_request_samples_lost_total %d\n", b.requests.lost.Load())
	fmt.Fprintf(w, "grosz_request_samples_thinned %g\n", math.Ldexp(1, -int(b.requests.halvings.Load())))
	fmt.Fprintf(w, "grosz_request_samples_kept %d\n", s.kept)
	fmt.Fprintf(w, "grosz_request_samples_bytes %d\n", s.bytes)
	fmt.Fprintf(w, "grosz_request_samples_max_bytes %d\n", s.max)
	fmt.Fprintf(w, "grosz_request_samples_share %g\n", s.share)
}
