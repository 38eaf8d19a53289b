package bidder

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/events"
	ekafka "github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/segments"
)

// RequestConfig bounds the sample of requests that forecasts replay.
type RequestConfig struct {
	// Bytes bounds what is held in memory; 0 means 96 MiB, a negative number
	// keeps and takes none.
	Bytes int64
	// Days is how long a request is kept; 0 means 14.
	Days int
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
	requestQueue        = 2048
	requestBatch        = 256 << 10 // bytes of a message
	defaultRequestShare = 0.02
	knownFactor         = 10  // people known to a shop are so much more likely in the sample
	sampleOverhead      = 200 // bytes beside request and profiles
	requestFlush        = 250 * time.Millisecond
)

// requestLog takes a sample of the requests off the hot path and ships it. A
// request that is not taken costs a hash and no allocation. Safe for many
// goroutines; a nil one takes nothing.
type requestLog struct {
	queue       chan *takenRequest
	missed      atomic.Uint32 // since the last one that was taken
	taken, lost atomic.Uint64
	sent        atomic.Uint64
}

// takenRequest is on its way out.
type takenRequest struct {
	sample   RequestSample
	body     []byte
	profiles []segments.ShopProfile
}

func newRequestLog(cfg RequestConfig) *requestLog {
	if cfg.Bytes < 0 {
		return nil
	}
	return &requestLog{queue: make(chan *takenRequest, requestQueue)}
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
	if !below(hash, share) {
		return
	}
	t := &takenRequest{sample: RequestSample{TimeMS: c.nowMS, Exchange: x.Name, Hash: hash, Share: share}, body: bytes.Clone(body)}
	if known {
		t.sample.User, t.sample.Profile = c.user, c.basis.Profile
		t.profiles = append(t.profiles, c.facts.Profiles...)
	}
	select {
	case l.queue <- t:
		l.taken.Add(1)
	default:
		l.missed.Add(1)
		l.lost.Add(1)
	}
}

// line makes the record of a taken request, and counts the requests that were
// lost before it.
func (l *requestLog) line(t *takenRequest) ([]byte, error) {
	s := &t.sample
	var err error
	if s.Request, err = strip(t.body, !s.User.IsZero()); err != nil {
		return nil, err
	}
	for i := range t.profiles {
		packed, err := t.profiles[i].AppendBinary(nil)
		if err != nil {
			return nil, fmt.Errorf("a profile to sample: %w", err)
		}
		s.Profiles = append(s.Profiles, CarriedProfile{t.profiles[i].Shop, packed})
	}
	s.Missed = l.missed.Swap(0)
	text, err := json.Marshal(s)
	return append(text, '\n'), err
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
	var batch []byte
	lines := uint32(0)
	flush := func() {
		if len(batch) == 0 {
			return
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		err := w.WriteMessages(limited, kafka.Message{Topic: events.TopicRequests, Value: batch})
		cancel()
		if err != nil {
			l.missed.Add(lines)
			l.lost.Add(uint64(lines))
			b.log.Debug("sampled requests were lost: Kafka is away", "requests", lines, "err", err)
		} else {
			l.sent.Add(uint64(lines))
		}
		batch, lines = nil, 0 // the writer may hold on to it
	}
	for {
		select {
		case <-ctx.Done():
			flush()
			return
		case <-tick.C:
			flush()
		case t := <-l.queue:
			text, err := l.line(t)
			if err != nil || len(text) > requestBatch {
				l.lost.Add(1)
				continue
			}
			if len(batch)+len(text) > requestBatch {
				flush()
			}
			batch, lines = append(batch, text...), lines+1
		}
	}
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

func (b *Bidder) writeRequestMetrics(w io.Writer) {
	if b.requests == nil {
		return
	}
	s := b.kept.stats()
	fmt.Fprintf(w, "grosz_request_samples_taken_total %d\n", b.requests.taken.Load())
	fmt.Fprintf(w, "grosz_request_samples_sent_total %d\n", b.requests.sent.Load())
	fmt.Fprintf(w, "grosz_request_samples_lost_total %d\n", b.requests.lost.Load())
	fmt.Fprintf(w, "grosz_request_samples_kept %d\n", s.kept)
	fmt.Fprintf(w, "grosz_request_samples_bytes %d\n", s.bytes)
	fmt.Fprintf(w, "grosz_request_samples_max_bytes %d\n", s.max)
	fmt.Fprintf(w, "grosz_request_samples_share %g\n", s.share)
}
