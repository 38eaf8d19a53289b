package events

import (
	"encoding/binary"
	"hash/fnv"
	"strings"
)

// TypeAdjustment corrects what an earlier settling event booked: an amount
// below zero is taken back. It never settles; the sum of a bid's settlement
// and its adjustments is what the bid cost. Reason says why (ReasonReport, or
// it begins with ReasonClawback; ReasonClick is no correction but the bill
// of a click), Raw is the exchange's reference.
const TypeAdjustment Type = "adjustment"

// TypeConflict is a settling notice that came again with another price: the
// first in the log stands, this one moves nothing. Reason is the notice's
// type.
const TypeConflict Type = "conflict"

// Reasons of an adjustment.
const (
	ReasonReport   = "report"   // the exchange's report of what it bills
	ReasonClawback = "clawback" // invalid traffic, credited by the exchange
	ReasonClick    = "click"    // the bid's first valid click, of a campaign billed by clicks
)

// ClickBillID is the id of the one bill that a bid's clicks make, whichever
// node takes them and however many there are: the first in the log counts.
func ClickBillID(bid ID) ID { return EventID(bid, "click_bill", 0) }

// PriceReport is the PriceStatus of a price that came by an exchange's report
// and not by a notice.
const PriceReport = "report"

// IsClawback tells whether an adjustment is an exchange's credit for invalid
// traffic.
func IsClawback(reason string) bool { return strings.HasPrefix(reason, ReasonClawback) }

// CorrectionID is the id of the n-th correction of a bid by the exchange's
// reports, from 0. Two runs that know the same of the bid write the same id,
// whatever they correct it to: the first in the log counts, and the next run
// sees it.
func CorrectionID(bid ID, n int) ID {
	h := fnv.New64a()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	_, _ = h.Write([]byte(ReasonReport)) // never fails
	_, _ = h.Write(b[:])
	return EventID(bid, TypeAdjustment, max(h.Sum64(), 1))
}

// ConflictID is the id of the conflict that a notice of type t with a price
// (micro-CPM) makes; the same price again is the same conflict.
func ConflictID(bid ID, t Type, price int64) ID {
	return EventID(bid, "conflict_"+t, uint64(price))
}
