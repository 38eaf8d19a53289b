package events

import (
	"errors"
	"fmt"
	"time"

	"github.com/valyala/fastjson"
)

// TopicIntent carries what licensed partners tell of people.
const TopicIntent = "grosz.intent"

// MaxIntentLife bounds how long such a signal may live, and how long
// TopicIntent is kept.
const MaxIntentLife = 30 * 24 * time.Hour

// Wanted is one message of TopicIntent: a partner says, under a licence and
// with the person's consent, what the person looks for.
type Wanted struct {
	EventID    ID     // NamedID of the partner's own id, or of the signal
	Partner    string // its name in the configuration
	Licence    string // under which it was sent; the configuration says what it allows
	Consent    string // the partner's proof of consent: a TCF string, or the name of its record
	ReceivedMS int64  // ms UTC
	ExpiresMS  int64  // ms UTC
	UID        ID     // the person, DSP-wide
	// Text is what is looked for: a query, or the name of a category.
	Text     string
	Strength int64 // 1 to 1000, thousandths
	Node     string
}

// AppendJSON appends e as one line of JSON, newline included.
func (e *Wanted) AppendJSON(dst []byte) []byte {
	w := begin(dst)
	w.id(`,"event_id":`, e.EventID)
	w.str(`,"partner":`, e.Partner)
	w.str(`,"licence":`, e.Licence)
	w.str(`,"consent":`, e.Consent)
	w.num(`,"received":`, e.ReceivedMS)
	w.num(`,"expires":`, e.ExpiresMS)
	w.id(`,"uid":`, e.UID)
	w.str(`,"text":`, e.Text)
	w.num(`,"strength":`, e.Strength)
	w.str(`,"node":`, e.Node)
	return append(w.dst, '}', '\n')
}

// Wanteds is Events for messages of TopicIntent.
func (d *Decoder) Wanteds(msg []byte, fn func(seq int, e *Wanted) error) error {
	return d.lines(msg, func(seq int, v *fastjson.Value) error {
		r := fieldReader{v: v}
		r.schema()
		e := Wanted{
			EventID: r.id("event_id"), Partner: r.str("partner"), Licence: r.str("licence"), Consent: r.str("consent"),
			ReceivedMS: r.num("received"), ExpiresMS: r.num("expires"), UID: r.id("uid"), Text: r.str("text"), Strength: r.num("strength"),
			Node: r.str("node"),
		}
		switch {
		case e.UID.IsZero():
			r.fail("uid", errMissing)
		case e.Partner == "" || e.Licence == "" || e.Consent == "":
			r.fail("licence", errMissing)
		case e.Strength < 1 || e.Strength > 1000:
			r.fail("strength", errors.New("is not 1 to 1000"))
		}
		if r.err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrSchema, seq+1, r.err)
		}
		return fn(seq, &e)
	})
}
