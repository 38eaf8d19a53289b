package check

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/grosz/grosz/internal/money"
	"github.com/prebid/openrtb/v20/openrtb2"
)

// maxAnswer bounds what a gzip-ed answer may inflate to, bytes.
const maxAnswer = 16 << 20

// Answer is what came back over HTTP.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Options adapt the check to an exchange.
type Options struct {
	// Rates let a floor in another currency than the bid's be compared; nil
	// leaves such floors unchecked.
	Rates *money.Rates
	// BidsPerImp is how many open bids one imp may get; 0 means one.
	BidsPerImp int
	// SecureNotices wants https in nurl, burl and lurl too where imp.secure
	// is 1.
	SecureNotices bool
	// MaxBody is the size of a request, in bytes, from which a 413 is a right
	// answer; 0 means 1 MiB.
	MaxBody int
}

// Bid is one bid of the answer, as an exchange needs it.
type Bid struct {
	openrtb2.Bid
	Seat  string
	Price money.CPM // exact, in the response's currency
	Valid bool      // no violation concerns it
}

// Result is a judged answer.
type Result struct {
	Violations []Violation
	Bids       []Bid
	BidID      string // BidResponse.bidid
	Currency   money.Currency
	NBR        int // no-bid reason, -1 if none was given
	// Malformed tells that the request was none, so that 400 was right.
	Malformed bool
}

// Answered judges the answer to one request.
func Answered(request []byte, a Answer, opt Options) Result {
	j := &judge{opt: opt, res: Result{NBR: -1}}
	j.run(request, a)
	return j.res
}

// judge carries one check.
type judge struct {
	opt Options
	req obj
	res Result
	cur string
	// of the bid at hand
	bidID, impID string
}

func (j *judge) add(r Rule, format string, args ...any) {
	j.res.Violations = append(j.res.Violations, Violation{
		Rule: r, Section: r.Section(), BidID: j.bidID, ImpID: j.impID, Msg: fmt.Sprintf(format, args...),
	})
}

func (j *judge) run(request []byte, a Answer) {
	req, err := parseObject(request)
	j.req = req
	j.res.Malformed = err != nil || req.text("id") == "" || len(req.objs("imp")) == 0 || tooDeep(request)
	max := j.opt.MaxBody
	if max == 0 {
		max = 1 << 20
	}
	switch {
	case a.Status == http.StatusNoContent:
		if len(a.Body) > 0 {
			j.add(RuleEmpty204, "204 with a body of %d bytes", len(a.Body))
		}
	case a.Status == http.StatusBadRequest && j.res.Malformed:
	case a.Status == http.StatusRequestEntityTooLarge && len(request) >= max:
	case a.Status != http.StatusOK:
		j.add(RuleStatus, "status %d", a.Status)
	case j.res.Malformed:
		j.add(RuleStatus, "a bid on a malformed request")
	default:
		j.response(a)
	}
}

// tooDeep tells whether brackets nest deeper than any sane request's 64.
func tooDeep(b []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > 64 {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func (j *judge) response(a Answer) {
	j.contentType(a.Header.Get("Content-Type"))
	body, err := inflate(a)
	if err != nil {
		j.add(RuleJSON, "gzip: %v", err)
		return
	}
	if !utf8.Valid(body) {
		j.add(RuleUTF8, "the body is not valid UTF-8")
	}
	var resp openrtb2.BidResponse
	if err := json.Unmarshal(body, &resp); err != nil {
		j.add(RuleJSON, "%v", err)
		return
	}
	loose, err := parseObject(body)
	if err != nil {
		j.add(RuleJSON, "%v", err)
		return
	}
	if resp.ID != j.req.text("id") {
		j.add(RuleResponseID, "id %q, the request's is %q", resp.ID, j.req.text("id"))
	}
	j.res.BidID = resp.BidID
	if resp.NBR != nil {
		j.res.NBR = int(*resp.NBR)
	}
	bids := 0
	for _, s := range resp.SeatBid {
		bids += len(s.Bid)
	}
	if bids == 0 {
		if resp.NBR == nil || loose.has("seatbid") {
			j.add(RuleNoBid, "200 without a bid; no bid is 204")
		}
		return
	}
	j.currency(resp.Cur)
	j.seats(resp, loose)
	j.perImp()
	j.markValid()
}

func (j *judge) contentType(s string) {
	t, params, err := mime.ParseMediaType(s)
	if err != nil || t != "application/json" {
		j.add(RuleContentType, "content type %q", s)
		return
	}
	if c := params["charset"]; c != "" && !strings.EqualFold(c, "utf-8") {
		j.add(RuleContentType, "charset %q", c)
	}
}

func inflate(a Answer) ([]byte, error) {
	if a.Header.Get("Content-Encoding") != "gzip" {
		return a.Body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(a.Body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxAnswer))
}

// currency: absent means USD on both sides.
func (j *judge) currency(cur string) {
	if cur == "" {
		cur = "USD"
	}
	c, err := money.ParseCurrency(cur)
	if err != nil || c.String() != cur {
		j.add(RuleCurrency, "cur %q is not an ISO 4217 code", cur)
	}
	j.cur, j.res.Currency = cur, c
	allowed := j.req.strs("cur")
	if len(allowed) == 0 {
		allowed = []string{"USD"}
	}
	if !containsFold(allowed, cur) {
		j.add(RuleCurrency, "cur %s is not among %v", cur, allowed)
	}
}

func (j *judge) seats(resp openrtb2.BidResponse, loose obj) {
	seatsLoose := loose.objs("seatbid")
	for i, s := range resp.SeatBid {
		j.bidID, j.impID = "", ""
		if w := j.req.strs("wseat"); len(w) > 0 && !contains(w, s.Seat) {
			j.add(RuleSeat, "seat %q is not in wseat %v", s.Seat, w)
		}
		if b := j.req.strs("bseat"); s.Seat != "" && contains(b, s.Seat) {
			j.add(RuleSeat, "seat %q is in bseat", s.Seat)
		}
		var bids []obj
		if i < len(seatsLoose) {
			bids = seatsLoose[i].objs("bid")
		}
		for k, b := range s.Bid {
			var raw obj
			if k < len(bids) {
				raw = bids[k]
			}
			j.bid(s.Seat, b, raw)
		}
	}
	j.bidID, j.impID = "", ""
}

// perImp: bid ids are unique, an imp gets one open bid and one per deal.
func (j *judge) perImp() {
	limit := max(j.opt.BidsPerImp, 1)
	ids, slots := map[string]int{}, map[string]int{}
	for _, b := range j.res.Bids {
		j.bidID, j.impID = b.ID, b.ImpID
		if ids[b.ID]++; b.ID != "" && ids[b.ID] == 2 {
			j.add(RuleBidID, "the id is used twice")
		}
		n := limit
		if b.DealID != "" {
			n = 1
		}
		key := b.ImpID + "\x00" + b.DealID
		if slots[key]++; slots[key] == n+1 {
			j.add(RuleOneBid, "more than %d bid(s) for deal %q", n, b.DealID)
		}
	}
	j.bidID, j.impID = "", ""
}

func (j *judge) markValid() {
	bad, whole := map[string]bool{}, false
	for _, v := range j.res.Violations {
		bad[v.BidID] = true
		whole = whole || (v.BidID == "" && v.ImpID == "")
	}
	for i := range j.res.Bids {
		b := &j.res.Bids[i]
		b.Valid = !whole && b.ID != "" && !bad[b.ID]
	}
}
