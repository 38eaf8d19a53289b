package events

// TypeAdjustment corrects what an earlier settling event booked: an amount
// below zero is taken back (an exchange's clawback for invalid traffic). It
// never settles; the sum of a bid's settlement and its adjustments is what the
// bid cost. Reason says why, Raw is the exchange's reference.
const TypeAdjustment Type = "adjustment"
