package loader

import "github.com/grosz/grosz/events"

var talliesTable = &table{name: "grosz.tallies", columns: []string{
	"event_id", "kind", "time", "day", "shop_id", "campaign_id", "exchange", "browser", "reason", "up_to_us", "count", "node",
	"kafka_partition", "kafka_offset", "seq", "loaded_at",
}}

// tallyRow is a count that a node recorded.
func tallyRow(e *events.Event, p place, out emit) error {
	if e.EventID.IsZero() {
		return errNoID
	}
	t, err := at("time", e.TimeMS)
	if err != nil {
		return err
	}
	day, err := date(e.Day, t)
	if err != nil {
		return err
	}
	upTo, err := fit("w", int64(e.W), 32)
	if err != nil {
		return err
	}
	count, err := fit("count", e.Count, 64)
	if err != nil {
		return err
	}
	return put(out, talliesTable,
		id(e.EventID), e.Raw, t, day, e.ShopID, e.CampaignID, e.Exchange, e.Browser, e.Reason, uint32(upTo), count, e.Node,
		p.partition, p.offset, p.seq, p.loadedAt)
}
