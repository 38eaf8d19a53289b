package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/grosz/grosz/bidder"
)

// printExplanation writes an explanation for people: what would be answered,
// then each imp's campaigns with all that is against them.
func printExplanation(w io.Writer, x *bidder.Explanation) {
	in := &x.Inputs
	fmt.Fprintf(w, "exchange %s, %s", x.Exchange, in.Time)
	if x.Shop != 0 {
		fmt.Fprintf(w, ", shop %d alone", x.Shop)
	} else {
		fmt.Fprintf(w, ", configuration %d, node %s", in.ConfigVersion, in.Node)
	}
	fmt.Fprintf(w, "\nauction type %d, bids in %s, %d ms to answer\n", in.AuctionType, cmp.Or(in.Currency, "no currency"), in.DeadlineMS)
	for _, r := range in.Rates {
		if r.From != r.To {
			fmt.Fprintf(w, "rate: 1 %s = %v %s\n", r.From, r.Rate, r.To)
		}
	}
	switch {
	case !in.MayProfile:
		fmt.Fprintln(w, "person: may not be looked up")
	case !in.Known:
		fmt.Fprintln(w, "person: no id")
	default:
		fmt.Fprintf(w, "person: known to %d shops\n", len(in.Profiles))
	}
	for _, p := range in.Profiles {
		fmt.Fprintf(w, "  shop %d: %d visits, %d views, last %s; cart of %d lines, %v; %d orders\n", p.Shop, p.Visits, p.Views, p.Last, p.CartLines, p.CartValue, p.Orders)
	}
	printOutcome(w, x)
	for i := range x.Imps {
		printImp(w, &x.Imps[i], in.Currency)
	}
}

func printOutcome(w io.Writer, x *bidder.Explanation) {
	fmt.Fprintln(w)
	for _, m := range x.Reasons {
		fmt.Fprintf(w, "against the request: %s\n", miss(m))
	}
	if x.NoBid != "" {
		fmt.Fprintf(w, "answer: no bid (%s)\n", x.NoBid)
	}
	for _, b := range x.Bids {
		fmt.Fprintf(w, "answer: imp %s gets campaign %d, %s, creative %d", b.Imp, b.Campaign, b.Media, b.Creative)
		if b.W > 0 {
			fmt.Fprintf(w, " %dx%d", b.W, b.H)
		}
		fmt.Fprintf(w, ", at %v %s CPM", b.Price, b.Currency)
		if b.Deal != "" {
			fmt.Fprintf(w, ", deal %s", b.Deal)
		}
		fmt.Fprintln(w)
	}
}

func printImp(w io.Writer, x *bidder.ExplainedImp, currency string) {
	fmt.Fprintf(w, "\nimp %s, %s: %d campaigns, targeting lets %d through\n", x.Imp, cmp.Or(x.Media, "no media type of ours"), x.Looked, x.Matched)
	for _, m := range x.Reasons {
		fmt.Fprintf(w, "  against the imp: %s\n", miss(m))
	}
	if len(x.Failing) > 0 {
		var parts []string
		for _, rule := range slices.SortedFunc(maps.Keys(x.Failing), func(a, b string) int {
			return cmp.Or(cmp.Compare(x.Failing[b], x.Failing[a]), cmp.Compare(a, b))
		}) {
			parts = append(parts, fmt.Sprintf("%s %d", rule, x.Failing[rule]))
		}
		fmt.Fprintf(w, "  failing: %s\n", strings.Join(parts, ", "))
	}
	if x.Nearest != 0 {
		fmt.Fprintf(w, "  nearest miss: campaign %d\n", x.Nearest)
	}
	if len(x.Campaigns) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "  campaign\tname\tshop\toutcome\tvalue\tprice %s\tfloor\tagainst it\n", currency)
	for i := range x.Campaigns {
		printCampaign(t, &x.Campaigns[i])
	}
	_ = t.Flush() // w reports its own errors
	if x.Cut > 0 {
		fmt.Fprintf(w, "  … and %d more; --limit shows more\n", x.Cut)
	}
}

func printCampaign(t io.Writer, c *bidder.ExplainedCampaign) {
	value := fmt.Sprintf("%v %s", c.Value.CPM, c.Value.Currency)
	holding := 0
	for _, b := range c.Value.Boosts {
		if b.Holds {
			holding++
		}
	}
	if n := len(c.Value.Boosts); n > 0 {
		value += fmt.Sprintf(" (%d of %d boosts)", holding, n)
	}
	first := "-"
	if len(c.Failing) > 0 {
		first = miss(c.Failing[0])
	}
	fmt.Fprintf(t, "  %d\t%s\t%d\t%s\t%s\t%v\t%v\t%s\n", c.ID, cell(c.Name), c.ShopID, c.Outcome, value, c.Price, c.Floor, first)
	for _, m := range c.Failing[min(1, len(c.Failing)):] {
		fmt.Fprintf(t, "  \t\t\t\t\t\t\t%s\n", miss(m))
	}
	if p := c.Products; p != nil && len(p.Capped) > 0 {
		fmt.Fprintf(t, "  \t\t\t\t\t\t\t%d of %d products give way, seen as often as their cap allows: %s\n", len(p.Capped)+p.Cut, p.Of, cell(strings.Join(p.Capped, ", ")))
	}
	if c.Unexamined {
		fmt.Fprint(t, "  \t\t\t\t\t\t\trules behind this could not be asked\n")
	}
}

func miss(m bidder.Miss) string {
	if m.Detail == "" {
		return m.Rule
	}
	return m.Rule + ": " + cell(m.Detail)
}

// cell keeps a text from breaking the table or the terminal.
func cell(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
