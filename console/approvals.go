package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/creatives"
)

// Bounds of approvals: of one change, and of one list.
const (
	maxApprovalItems = 1_000
	maxApprovalList  = 50_000
)

// Approval is one form of a creative, with what an exchange says of it.
type Approval struct {
	Exchange   string   `json:"exchange" doc:"Name of the exchange"`
	CRID       string   `json:"crid" doc:"The creative's id in bids (bid.crid)"`
	State      string   `json:"state" enum:"pending,approved,rejected" doc:"What the exchange says; pending until it says something"`
	Reason     string   `json:"reason,omitempty" doc:"Why, in the exchange's words"`
	Updated    int64    `json:"updated,omitempty" doc:"When that was noted, ms UTC"`
	Actor      string   `json:"actor,omitempty" doc:"By whom"`
	Shop       uint32   `json:"shop" doc:"Shop id"`
	Campaign   uint32   `json:"campaign" doc:"Campaign id"`
	Creative   uint32   `json:"creative" doc:"Creative id"`
	Media      string   `json:"media" doc:"banner, video or native"`
	Template   string   `json:"template" doc:"Template of a banner"`
	W          int      `json:"w" doc:"Width in CSS pixels; 0 for native"`
	H          int      `json:"h" doc:"Height in CSS pixels"`
	ADomain    string   `json:"adomain" doc:"Advertiser domain"`
	LandingURL string   `json:"landing_url" doc:"Where it leads"`
	Categories []string `json:"categories" nullable:"false" doc:"IAB content categories"`
	Attr       []int    `json:"attr" nullable:"false" doc:"Creative attributes"`
	Language   string   `json:"language,omitempty" doc:"Language of the ad"`
	PreviewURL string   `json:"preview_url" doc:"Page that shows it, for whoever has this link, while the campaign is active"`
}

// ApprovalChange is the body that says what an exchange has said of a creative.
type ApprovalChange struct {
	Exchange string   `json:"exchange" doc:"Name of the exchange" maxLength:"32"`
	State    string   `json:"state" enum:"pending,approved,rejected" doc:"What it says. Only the administrator may say approved or rejected"`
	Reason   string   `json:"reason,omitempty" doc:"Why" maxLength:"500"`
	CRIDs    []string `json:"crids,omitempty" nullable:"false" doc:"Which forms of the creative; left out: all that it has"`
}

// ApprovalImport is the body that brings an exchange's decisions.
type ApprovalImport struct {
	Exchange string             `json:"exchange" doc:"Name of the exchange" maxLength:"32"`
	Items    []ApprovalDecision `json:"items" nullable:"false" doc:"What it has decided, at most 1,000"`
}

// ApprovalDecision is what an exchange says of one crid.
type ApprovalDecision struct {
	CRID   string `json:"crid" doc:"The creative's id in bids"`
	State  string `json:"state" enum:"pending,approved,rejected" doc:"What the exchange says"`
	Reason string `json:"reason,omitempty" doc:"Why" maxLength:"500"`
}

func (s *Server) approvalRoutes() {
	const one = "/api/v1/shops/{shop}/creatives/{creative}/approvals"
	tags := []string{"Approvals"}
	register(s, route{Operation: huma.Operation{
		OperationID: "get-creative-approvals", Method: http.MethodGet, Path: one, Tags: tags, Summary: "Read what exchanges say of a creative",
		Description: "Of every form that it can be bid in. Without exchange: of all exchanges that have said anything of the shop's creatives.",
	}, access: accessRead}, s.creativeApprovals)
	register(s, route{Operation: huma.Operation{
		OperationID: "set-creative-approvals", Method: http.MethodPut, Path: one, Tags: tags, Summary: "Note what an exchange says of a creative",
		Description: "It holds in every bidder within about a second. A shop's key may only set pending: asked for again.",
	}, access: accessWrite, body: reflect.TypeFor[ApprovalChange]()}, s.setCreativeApprovals)
	register(s, route{Operation: huma.Operation{
		OperationID: "list-shop-approvals", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/approvals", Tags: tags,
		Summary: "List the creatives of a shop's active campaigns by what an exchange says",
	}, access: accessRead}, s.listShopApprovals)
	register(s, route{Operation: huma.Operation{
		OperationID: "export-shop-approvals", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/approvals.csv", Tags: tags,
		Summary: "The same list as CSV, for submission",
	}, access: accessRead}, s.exportShopApprovals)
	register(s, route{Operation: huma.Operation{
		OperationID: "list-approvals", Method: http.MethodGet, Path: "/api/v1/approvals", Tags: tags, Summary: "List the creatives of all shops by what an exchange says",
	}, access: accessAdmin}, s.listApprovals)
	register(s, route{Operation: huma.Operation{
		OperationID: "export-approvals", Method: http.MethodGet, Path: "/api/v1/approvals.csv", Tags: tags, Summary: "The same list as CSV, for submission",
	}, access: accessAdmin}, s.exportApprovals)
	register(s, route{Operation: huma.Operation{
		OperationID: "import-approvals", Method: http.MethodPut, Path: "/api/v1/approvals", Tags: tags, Summary: "Note what an exchange has decided, of any shops' creatives",
	}, access: accessAdmin, body: reflect.TypeFor[ApprovalImport]()}, s.importApprovals)
}

// CreativePath names a creative.
type CreativePath struct {
	ShopPath
	Creative uint32 `path:"creative" minimum:"1" doc:"Creative id"`
}

// ApprovalFilter narrows a list.
type ApprovalFilter struct {
	Exchange string `query:"exchange" required:"true" maxLength:"32" doc:"Name of the exchange"`
	State    string `query:"state" enum:"pending,approved,rejected" doc:"Only of this state"`
}

type approvalList struct{ Body list[Approval] }

// forms lists the forms of some creatives of a campaign with an exchange's
// word on each.
func (s *Server) forms(shop *campaigns.Shop, salt, exchange string, c *campaigns.Campaign, known map[string]store.Approval, only uint32) (out []Approval) {
	for i := range c.Creatives {
		cr := &c.Creatives[i]
		if only != 0 && cr.ID != only {
			continue
		}
		for _, f := range creatives.Forms(shop.ID, cr) {
			v := Approval{
				Exchange: exchange, CRID: f.CRID, State: store.ApprovalPending, Shop: shop.ID, Campaign: c.ID, Creative: cr.ID, Media: cr.Media,
				Template: f.Template.String(), W: f.W, H: f.H, ADomain: shop.Domain, LandingURL: shop.URL, Language: shop.Language,
				Categories: slices.Concat([]string{}, shop.Categories), Attr: slices.Concat([]int{}, cr.Attr),
				PreviewURL: s.previewURL(c, salt, f.CRID),
			}
			if a, ok := known[f.CRID]; ok {
				v.State, v.Reason, v.Updated, v.Actor = a.State, a.Reason, a.UpdatedMS, a.Actor
			}
			out = append(out, v)
		}
	}
	return out
}

func (s *Server) previewURL(c *campaigns.Campaign, salt, crid string) string {
	q := url.Values{"campaign": {strconv.FormatUint(uint64(c.ID), 10)}, "crid": {crid}, "key": {creatives.PreviewKey(salt, crid)}}
	return strings.TrimSuffix(s.cfg.PublicURL, "/") + "/creative?" + q.Encode()
}

// shopApprovals lists the forms of a shop's active campaigns, each crid once.
func (s *Server) shopApprovals(ctx context.Context, shop *campaigns.Shop, f ApprovalFilter, out []Approval) ([]Approval, error) {
	v := s.store.View()
	known, err := knownApprovals(ctx, v, shop.ID, f.Exchange)
	if err != nil {
		return nil, err
	}
	salt, err := v.Salt(ctx, shop.ID)
	if err != nil {
		return nil, err
	}
	all, err := v.Campaigns(ctx, shop.ID, store.CampaignFilter{Status: campaigns.StatusActive}, 0, 1<<20)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := range all {
		for _, a := range s.forms(shop, salt, f.Exchange, &all[i].Campaign, known, 0) {
			if seen[a.CRID] || f.State != "" && a.State != f.State {
				continue
			}
			if seen[a.CRID] = true; len(out) == maxApprovalList {
				return nil, failure(http.StatusConflict, fmt.Sprintf("the list has more than %d lines: ask by shop, or for one state", maxApprovalList))
			}
			out = append(out, a)
		}
	}
	return out, nil
}

func knownApprovals(ctx context.Context, v store.Reader, shop uint32, exchange string) (map[string]store.Approval, error) {
	rows, err := v.Approvals(ctx, shop, exchange)
	if err != nil {
		return nil, err
	}
	out := make(map[string]store.Approval, len(rows))
	for _, a := range rows {
		out[a.CRID] = a
	}
	return out, nil
}

type creativeApprovalsInput struct {
	CreativePath
	Exchange string `query:"exchange" maxLength:"32" doc:"Only of this exchange"`
}

func (s *Server) creativeApprovals(ctx context.Context, in *creativeApprovalsInput) (*approvalList, error) {
	v := s.store.View()
	shop, err := v.Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	c, _, err := v.CampaignOfCreative(ctx, in.Shop, in.Creative)
	if err != nil {
		return nil, err
	}
	salt, err := v.Salt(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	names := []string{in.Exchange}
	if in.Exchange == "" {
		rows, err := v.Approvals(ctx, in.Shop, "")
		if err != nil {
			return nil, err
		}
		names = names[:0]
		for _, a := range rows { // in the order of exchanges
			if len(names) == 0 || names[len(names)-1] != a.Exchange {
				names = append(names, a.Exchange)
			}
		}
	}
	out := &approvalList{list[Approval]{Items: []Approval{}}}
	for _, x := range names {
		known, err := knownApprovals(ctx, v, in.Shop, x)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, s.forms(&shop.Shop, salt, x, &c.Campaign, known, in.Creative)...)
	}
	return out, nil
}

type setCreativeApprovalsInput struct {
	CreativePath
	jsonBody
}

func (s *Server) setCreativeApprovals(ctx context.Context, in *setCreativeApprovalsInput) (*approvalList, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var ask ApprovalChange
	var p problems
	decode(raw, &ask, &p)
	checkExchangeName(&p, ask.Exchange)
	checkState(&p, "body.state", ask.State, ask.Reason)
	if err := p.err(); err != nil {
		return nil, err
	}
	if !caller(ctx).admin && ask.State != store.ApprovalPending {
		return nil, failure(http.StatusForbidden, "what an exchange has approved or rejected, the administrator notes; a shop's key may set pending")
	}
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		_, cr, err := tx.CampaignOfCreative(ctx, in.Shop, in.Creative)
		if err != nil {
			return err
		}
		var rows []store.Approval
		for _, f := range creatives.Forms(in.Shop, cr) {
			if len(ask.CRIDs) == 0 || slices.Contains(ask.CRIDs, f.CRID) {
				rows = append(rows, store.Approval{CRID: f.CRID, State: ask.State, Reason: ask.Reason})
			}
		}
		for i, id := range ask.CRIDs {
			if !slices.ContainsFunc(rows, func(a store.Approval) bool { return a.CRID == id }) {
				p.add(indexed("body.crids", i), "%q is not a crid that the creative has now", clip(id))
			}
		}
		if err := p.err(); err != nil {
			return err
		}
		return tx.SetApprovals(ctx, in.Shop, ask.Exchange, rows, liveCRIDs(ctx, tx.Reader, in.Shop))
	})
	if err != nil {
		return nil, err
	}
	return s.creativeApprovals(ctx, &creativeApprovalsInput{in.CreativePath, ask.Exchange})
}

// liveCRIDs tells, when it is first asked, which crids the shop's creatives
// have today.
func liveCRIDs(ctx context.Context, r store.Reader, shop uint32) func(string) bool {
	var live map[string]bool
	return func(crid string) bool {
		if live == nil {
			live = map[string]bool{}
			all, err := r.Campaigns(ctx, shop, store.CampaignFilter{}, 0, 1<<20)
			if err != nil {
				return true // then nothing is forgotten
			}
			for i := range all {
				for k := range all[i].Creatives {
					for _, f := range creatives.Forms(shop, &all[i].Creatives[k]) {
						live[f.CRID] = true
					}
				}
			}
		}
		return live[crid]
	}
}

func checkExchangeName(p *problems, name string) {
	checkText(p, "body.exchange", name, 1, 32)
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		p.add("body.exchange", "is not the name of an exchange")
	}
}

func checkState(p *problems, at, state, reason string) {
	checkOneOf(p, at, state, store.ApprovalPending, store.ApprovalApproved, store.ApprovalRejected)
	checkText(p, strings.TrimSuffix(at, "state")+"reason", reason, 0, 500)
}

type importApprovalsInput struct{ jsonBody }

// ImportedApprovals is how many decisions were noted.
type ImportedApprovals struct {
	Noted int `json:"noted" doc:"Decisions that were noted"`
}

type importApprovalsOutput struct{ Body ImportedApprovals }

func (s *Server) importApprovals(ctx context.Context, in *importApprovalsInput) (*importApprovalsOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var ask ApprovalImport
	var p problems
	decode(raw, &ask, &p)
	checkExchangeName(&p, ask.Exchange)
	if n := len(ask.Items); n == 0 || n > maxApprovalItems {
		p.add("body.items", "has %d decisions; 1 to %d are allowed", n, maxApprovalItems)
	}
	byShop := map[uint32][]store.Approval{}
	for i, a := range ask.Items {
		at := indexed("body.items", i)
		checkState(&p, at+".state", a.State, a.Reason)
		shop, ok := shopOfCRID(a.CRID)
		if !ok || len(a.CRID) > 100 {
			p.add(at+".crid", "%q is not a crid of ours", clip(a.CRID))
		}
		byShop[shop] = append(byShop[shop], store.Approval{CRID: a.CRID, State: a.State, Reason: a.Reason})
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		for shop, rows := range byShop {
			live := liveCRIDs(ctx, tx.Reader, shop)
			for _, a := range rows {
				if !live(a.CRID) {
					p.add("body.items", "%q is a crid that no creative has now", clip(a.CRID))
				}
			}
			if err := p.err(); err != nil {
				return err
			}
			if err := tx.SetApprovals(ctx, shop, ask.Exchange, rows, live); err != nil {
				return err
			}
		}
		return nil
	})
	return &importApprovalsOutput{ImportedApprovals{len(ask.Items)}}, err
}

// shopOfCRID reads the shop out of s7-….
func shopOfCRID(crid string) (uint32, bool) {
	id, _, ok := strings.Cut(strings.TrimPrefix(crid, "s"), "-")
	n, err := strconv.ParseUint(id, 10, 32)
	return uint32(n), ok && err == nil && n > 0 && crid[0] == 's'
}
