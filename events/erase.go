package events

import (
	"fmt"
	"time"

	"github.com/valyala/fastjson"
)

// TopicErasures carries erase events and their receipts. One partition, so
// that their order is the same for every reader.
const TopicErasures = "grosz.erasures"

// ErasureRetention is how long TopicErasures is kept, and how long a reader's
// suppression list remembers: longer than any raw topic, checkpoint or backup
// from which a person's events could come back.
const ErasureRetention = 400 * 24 * time.Hour

// Types on TopicErasures.
const (
	TypeErase  Type = "erase"  // forget this person
	TypeErased Type = "erased" // a receipt: a reader has
)

// Erasure is one message of TopicErasures: the wish that a person be
// forgotten (TypeErase), or one reader's receipt for it (TypeErased), which
// names the erasure and not the person.
type Erasure struct {
	EventID ID    // of an erase: EraseID; of a receipt: EventID(EraseID, TypeErased, …)
	Type    Type  //
	TimeMS  int64 // ms UTC: what was received until then is forgotten

	// UID is the person, DSP-wide (segments.UserKey). Of an erase only.
	UID ID
	// OptOut says that nothing of the person is to be kept from now on
	// either. Without it the person begins anew after TimeMS.
	OptOut bool
	// ShopID narrows it to what one shop knows of the person; 0: everywhere.
	// A receipt repeats it.
	ShopID uint32
	Reason string // who asked: "optout_page", "shop", "console"; free text of our own
	Node   string // who wrote this

	// Of a receipt only: the erase it answers, and how many there were.
	EraseID    ID
	Profiles   int64 // (shop, person) profiles in memory
	Frequency  int64 // (person, campaign) counts in memory
	Matches    int64 // exchange ids in the match table
	Events     int64 // rows of grosz.events, made nobody's
	Bids       int64 // rows of grosz.bids, made nobody's
	ShopEvents int64 // rows of grosz.shop_events, deleted or made nobody's
}

// EraseID is the id of the erasure of a person asked for at timeMS: a request
// that is sent twice is one.
func EraseID(uid ID, timeMS int64) ID { return EventID(uid, TypeErase, uint64(timeMS)) }

// Subject is what is remembered as forgotten: the person, or the person as one
// shop knows them.
func (e *Erasure) Subject() ID { return ErasedAt(e.UID, e.ShopID) }

// ErasedAt is Erasure.Subject of a person at a shop; of shop 0, the person.
func ErasedAt(uid ID, shop uint32) ID {
	if shop == 0 || uid.IsZero() {
		return uid
	}
	return EventID(uid, "erased_at_shop", uint64(shop))
}

// Receipt starts the receipt that node writes for e.
func (e *Erasure) Receipt(node string, nowMS int64) Erasure {
	var nonce uint64
	for i := range len(node) { // FNV-1a: one receipt per node
		nonce = (nonce ^ uint64(node[i])) * 1099511628211
	}
	return Erasure{EventID: EventID(e.EventID, TypeErased, nonce), Type: TypeErased, TimeMS: nowMS, Node: node, EraseID: e.EventID, ShopID: e.ShopID}
}

// Key is the Kafka key: the person's, or of a receipt the erasure's.
func (e *Erasure) Key() []byte {
	if e.Type == TypeErased {
		return append([]byte(nil), e.EraseID[:]...)
	}
	return append([]byte(nil), e.UID[:]...)
}

// AppendJSON appends e as one line of JSON, newline included.
func (e *Erasure) AppendJSON(dst []byte) []byte {
	w := begin(dst)
	w.id(`,"event_id":`, e.EventID)
	w.str(`,"type":`, string(e.Type))
	w.num(`,"time":`, e.TimeMS)
	w.id(`,"uid":`, e.UID)
	w.flag(`,"opt_out":`, e.OptOut)
	w.num(`,"shop_id":`, int64(e.ShopID))
	w.str(`,"reason":`, e.Reason)
	w.str(`,"node":`, e.Node)
	w.id(`,"erase_id":`, e.EraseID)
	w.num(`,"profiles":`, e.Profiles)
	w.num(`,"frequency":`, e.Frequency)
	w.num(`,"matches":`, e.Matches)
	w.num(`,"events":`, e.Events)
	w.num(`,"bids":`, e.Bids)
	w.num(`,"shop_events":`, e.ShopEvents)
	return append(w.dst, '}', '\n')
}

// Erasures is Events for messages of TopicErasures.
func (d *Decoder) Erasures(msg []byte, fn func(seq int, e *Erasure) error) error {
	return d.lines(msg, func(seq int, v *fastjson.Value) error {
		var e Erasure
		if err := readErasure(v, &e); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrSchema, seq+1, err)
		}
		return fn(seq, &e)
	})
}

func readErasure(v *fastjson.Value, e *Erasure) error {
	r := fieldReader{v: v}
	r.schema()
	*e = Erasure{
		EventID: r.id("event_id"), Type: Type(r.str("type")), TimeMS: r.num("time"), UID: r.id("uid"), OptOut: r.flag("opt_out"),
		ShopID: r.num32("shop_id"),
		Reason: r.str("reason"), Node: r.str("node"), EraseID: r.id("erase_id"),
		Profiles: r.num("profiles"), Frequency: r.num("frequency"), Matches: r.num("matches"),
		Events: r.num("events"), Bids: r.num("bids"), ShopEvents: r.num("shop_events"),
	}
	switch {
	case e.Type != TypeErase && e.Type != TypeErased:
		r.fail("type", fmt.Errorf("%q is neither %s nor %s", e.Type, TypeErase, TypeErased))
	case e.Type == TypeErase && e.UID.IsZero():
		r.fail("uid", errMissing) // nobody: it would erase all who are unknown
	case e.Type == TypeErase && e.TimeMS <= 0:
		r.fail("time", errMissing)
	case e.Type == TypeErased && e.EraseID.IsZero():
		r.fail("erase_id", errMissing)
	}
	return r.err
}
