package bidder

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/internal/durable"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
)

// recallSpool books the settlements that this node acknowledged before it
// ended and that may not be in Kafka yet: a budget must not look fuller than
// it is because Kafka was away.
func (b *Bidder) recallSpool() error {
	var dec events.Decoder
	return b.spool.Backlog(func(r spool.Record) error {
		if r.Topic != kafka.SpoolEvents {
			return nil
		}
		err := dec.Events(r.Value, func(_ int, e *events.Event) error {
			if e.Settles && !e.Test {
				b.book.Settle(b.settlementOf(e))
			}
			return nil
		})
		if err != nil {
			b.log.Error("spooled message skipped", "err", err)
		}
		return nil
	})
}

// settlementOf is what an event moves in the book.
func (b *Bidder) settlementOf(e *events.Event) pacing.Settlement {
	return pacing.Settlement{
		BidID: e.BidID, Campaign: e.CampaignID, Amount: money.Add(e.ShopAmount, e.ShopFee),
		Day: b.days.at(b.location(e.ShopID), e.BidMS).number, BidMS: e.BidMS, Lease: e.Lease, AtMS: e.TimeMS,
	}
}

// heldFile keeps what the open bids of each campaign held, a second ago at
// most. After a crash that much counts as spent until the longest hold would
// have ended: the bids are out there and may still be billed.
const heldFile = "holds.json"

// heldFormat seals the file.
const heldFormat = "grosz-holds 1"

// heldState is the file's content.
type heldState struct {
	TimeMS int64                 `json:"time"`
	Held   map[uint32]money.Nano `json:"held"` // by campaign, in the shop's currency
}

// saveHolds writes the sums of open holds. It is not fsynced: it serves the
// crash of this process, not of the machine.
func (b *Bidder) saveHolds() {
	// Before the file of the last run has been read it must not be written over.
	if b.cfg.StateDir == "" || !b.ready[2].Load() {
		return
	}
	text, err := durable.Seal(heldFormat, b.appendHolds(nil))
	path := filepath.Join(b.cfg.StateDir, heldFile)
	if err == nil {
		err = os.WriteFile(path+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		b.metrics.checkpointFails.Inc()
		b.log.Debug("holds not written", "err", err)
	}
}

// appendHolds writes a heldState: every second, for thousands of campaigns.
func (b *Bidder) appendHolds(w []byte) []byte {
	w = strconv.AppendInt(append(w, `{"time":`...), b.clock.NowMS(), 10)
	w = append(w, `,"held":{`...)
	before := len(w)
	b.book.EachHeld(func(campaign uint32, held money.Nano) {
		if len(w) > before {
			w = append(w, ',')
		}
		w = strconv.AppendUint(append(w, '"'), uint64(campaign), 10)
		w = append(money.AppendDecimal(append(w, `":"`...), int64(held), 9, 2), '"')
	})
	return append(w, "}}"...)
}

// recallHolds holds again what was held when the node ended, for as long as
// the longest hold lasts.
func (b *Bidder) recallHolds() {
	if b.cfg.StateDir == "" {
		return
	}
	text, err := os.ReadFile(filepath.Join(b.cfg.StateDir, heldFile))
	var held heldState
	if err == nil {
		text, err = durable.Unseal(heldFormat, text)
	}
	if err == nil {
		err = json.Unmarshal(text, &held)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			b.log.Error("holds of before are not readable; open bids of before are not held", "err", err)
		}
		return
	}
	ends := held.TimeMS
	for _, x := range b.exchanges {
		for media := events.MediaBanner; media <= events.MediaNative; media++ {
			ends = max(ends, held.TimeMS+x.holdFor(media).Milliseconds())
		}
	}
	// A file from the future was written before the clock was set back.
	ends -= max(held.TimeMS-b.clock.NowMS(), 0)
	s := b.state.Load().Snapshot
	for campaign, amount := range held.Held {
		if c, _ := s.Campaign(campaign); c != nil {
			b.book.Hold(campaign, b.randomID(), amount, b.days.at(c.Shop.Location, held.TimeMS).number, ends)
		}
	}
}
