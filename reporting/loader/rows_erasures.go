package loader

import (
	"github.com/grosz/grosz/events"
)

var erasuresTable = &table{name: "grosz.erasures", columns: []string{
	"erase_id", "type", "time", "node", "shop_id", "opt_out", "reason",
	"profiles", "frequency", "matches", "events", "bids", "shop_events", "loaded_at",
}}

// erasuresTarget keeps who did what about the wish of a person to be
// forgotten. It names the wish, never the person.
func erasuresTarget() *target {
	return &target{topic: events.TopicErasures, tables: []*table{erasuresTable},
		rows: func(d *events.Decoder, line []byte, p place, out emit) error {
			return d.Erasures(line, func(_ int, e *events.Erasure) error { return erasureRow(e, p, out) })
		}}
}

func erasureRow(e *events.Erasure, p place, out emit) error {
	t, err := at("time", e.TimeMS)
	if err != nil {
		return err
	}
	wish := e.EraseID
	if e.Type == events.TypeErase {
		wish = e.EventID
	}
	counts := [6]uint64{}
	for i, c := range []struct {
		name string
		v    int64
	}{{"profiles", e.Profiles}, {"frequency", e.Frequency}, {"matches", e.Matches}, {"events", e.Events}, {"bids", e.Bids}, {"shop_events", e.ShopEvents}} {
		if counts[i], err = fit(c.name, c.v, 63); err != nil {
			return err
		}
	}
	return put(out, erasuresTable, id(wish), string(e.Type), t, e.Node, e.ShopID, e.OptOut, e.Reason,
		counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], p.loadedAt)
}
