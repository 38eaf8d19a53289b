package loader

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
)

var shopsTable = &table{name: "grosz.shops", columns: []string{
	"shop_id", "version", "name", "domain", "url", "currency", "time_zone", "fee_bps", "fee_cpm", "active", "click_window", "view_window", "loaded_at",
}}

var campaignsTable = &table{name: "grosz.campaigns", columns: []string{
	"campaign_id", "shop_id", "version", "name", "kind", "status", "targeting", "cpm", "budget_day", "budget_total", "loaded_at",
}}

// A record that deletes has no names in it: the thing keeps its last row, so
// that reports can still name it, and is listed here.
var deletionsTable = &table{name: "grosz.deletions", columns: []string{"kind", "id", "version", "loaded_at"}}

// notKept are the kinds of documents that ClickHouse has no table for.
var notKept = map[string]bool{"products": true, "segment": true, "audience": true, "feed": true, "list": true, "approvals": true}

func campaignsTarget() *target {
	return &target{topic: events.TopicCampaigns,
		tables: []*table{shopsTable, campaignsTable, deletionsTable},
		rows: func(_ *events.Decoder, line []byte, p place, out emit) error {
			if head, ok := campaigns.ReadHead(line); ok && notKept[head.Kind()] {
				return nil // not read: a bucket of products is long
			}
			var r campaigns.Record
			if err := json.Unmarshal(line, &r); err != nil {
				return fmt.Errorf("campaign record: %w", err)
			}
			return recordRow(&r, p, out)
		}}
}

func recordRow(r *campaigns.Record, p place, out emit) error {
	switch {
	case r.Deleted:
		return deletedRow(r, p, out)
	case r.Shop != nil:
		s := r.Shop
		return put(out, shopsTable, s.ID, r.Version, s.Name, s.Domain, s.URL, s.Currency.String(), s.TimeZone, s.FeeBPS, cpm(s.FeeCPM), s.Active, s.ClickWindow, s.ViewWindow, p.loadedAt)
	case r.Campaign != nil:
		c := r.Campaign
		return put(out, campaignsTable, c.ID, c.ShopID, r.Version, c.Name, c.Kind, c.Status, c.Targeting,
			cpm(c.Bid.CPM), nano(c.Budget.Day), nano(c.Budget.Total), p.loadedAt)
	case r.Products != nil || r.Segment != nil || r.Audience != nil || r.Feed != nil || r.List != nil || r.Approvals != nil:
		return nil
	}
	return fmt.Errorf("campaign record %q holds nothing that is known", r.Key)
}

func deletedRow(r *campaigns.Record, p place, out emit) error {
	kind, rest, _ := strings.Cut(r.Key, "/")
	if kind != "shop" && kind != "campaign" {
		return nil
	}
	n, err := strconv.ParseUint(rest, 10, 32)
	if err != nil {
		return fmt.Errorf("campaign record %q: its id is not a number", r.Key)
	}
	return put(out, deletionsTable, kind, uint32(n), r.Version, p.loadedAt)
}
