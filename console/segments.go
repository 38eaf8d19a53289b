package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
)

// SegmentView is a segment as the API shows it and takes it. See describe.go
// for what the document's fields mean.
type SegmentView struct {
	campaigns.Segment
	Created int64 `json:"created"`
	Updated int64 `json:"updated"`
	// Template of a new segment: name and expression are the template's where
	// the request does not say.
	Template string `json:"template,omitempty"`
	// Imported is set for imported segments.
	Imported *ImportState `json:"imported,omitempty"`
	// Size is absent when no bidder could be asked.
	Size *SegmentSize `json:"size,omitempty"`
}

// ImportState is what an imported segment holds.
type ImportState struct {
	Members int64 `json:"members" doc:"Members that the shop has sent"`
	At      int64 `json:"at" doc:"When it last did, ms UTC; 0 never"`
}

// SegmentSize is the live size of a segment.
type SegmentSize struct {
	Members int64 `json:"members" doc:"People in it now"`
	Ready   bool  `json:"ready" doc:"Whether everybody has been looked at since it was made or changed; before, members is what was found so far"`
	At      int64 `json:"at" doc:"When this was so, ms UTC"`
}

// SegmentSource asks a bidder about the segments of a shop.
type SegmentSource interface {
	// Sizes of a shop's segments, by segment id.
	Sizes(ctx context.Context, shop uint32) (map[uint32]SegmentSize, error)
	// Members writes CSV: who is in a segment of a shop now, by the shop's
	// pseudonyms. An error comes before the first byte, or cuts the list off.
	Members(ctx context.Context, shop, segment uint32, w io.Writer) error
}

func segmentView(s store.Segment) SegmentView {
	v := SegmentView{Segment: s.Segment, Created: s.CreatedMS, Updated: s.UpdatedMS}
	if s.Source == campaigns.SegmentImport {
		v.Imported = &ImportState{Members: s.Members, At: s.ImportedMS}
	}
	return v
}

func (s *Server) segmentRoutes() {
	const path = "/api/v1/shops/{shop}/segments"
	tags := []string{"Segments"}
	body := reflect.TypeFor[SegmentView]()
	register(s, route{Operation: huma.Operation{
		OperationID: "list-segments", Method: http.MethodGet, Path: path, Tags: tags, Summary: "List a shop's segments, with their sizes",
	}, access: accessRead}, s.listSegments)
	register(s, route{Operation: huma.Operation{
		OperationID: "create-segment", Method: http.MethodPost, Path: path, Tags: tags, Summary: "Create a segment", DefaultStatus: http.StatusCreated,
		Description: "A rule, an empty list to import into, or a ready-made one by its template. Bidders work out who is in it at once.",
	}, access: accessWrite, body: body}, s.createSegment)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-segment", Method: http.MethodGet, Path: path + "/{segment}", Tags: tags, Summary: "Read a segment",
	}, access: accessRead}, s.getSegment)
	register(s, route{Operation: huma.Operation{
		OperationID: "update-segment", Method: http.MethodPatch, Path: path + "/{segment}", Tags: tags, Summary: "Change a segment",
		Description: "A JSON merge patch (RFC 7396). The source stays; a name that campaigns use cannot change.",
		Errors:      []int{http.StatusPreconditionFailed, http.StatusConflict},
	}, access: accessWrite, body: body}, s.updateSegment)
	register(s, route{Operation: huma.Operation{
		OperationID: "delete-segment", Method: http.MethodDelete, Path: path + "/{segment}", Tags: tags, Summary: "Delete a segment and its members",
		Description: "Refused while a campaign names it.",
		Errors:      []int{http.StatusPreconditionFailed, http.StatusConflict},
	}, access: accessWrite}, s.deleteSegment)
	register(s, route{Operation: huma.Operation{
		OperationID: "check-segment", Method: http.MethodPost, Path: path + "/check", Tags: tags, Summary: "Check a segment's expression",
	}, access: accessRead, body: reflect.TypeFor[SegmentCheck]()}, s.checkSegment)
	register(s, route{Operation: huma.Operation{
		OperationID: "list-segment-templates", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/segment-templates", Tags: tags,
		Summary: "List the ready-made segments, with amounts in the shop's currency",
	}, access: accessRead}, s.listTemplates)
	s.importRoutes(path)
}

type segmentList struct{ Body list[SegmentView] }

func (s *Server) listSegments(ctx context.Context, in *struct {
	ShopPath
	Page
}) (*segmentList, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	after, err := in.id("segment", 32)
	if err != nil {
		return nil, err
	}
	found, err := s.store.View().Segments(ctx, in.Shop, uint32(after), in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &segmentList{pageOf(found, in.Limit, "segment", func(x store.Segment) int64 { return int64(x.ID) }, segmentView)}
	s.addSizes(ctx, in.Shop, out.Body.Items)
	return out, nil
}

// addSizes asks a bidder; without an answer there are no sizes.
func (s *Server) addSizes(ctx context.Context, shop uint32, list []SegmentView) {
	if s.deps.Segments == nil || len(list) == 0 {
		return
	}
	sizes, err := s.deps.Segments.Sizes(ctx, shop)
	if err != nil {
		s.log.Debug("sizes of segments are not to be had", "shop", shop, "err", err)
		return
	}
	for i := range list {
		if size, ok := sizes[list[i].ID]; ok {
			list[i].Size = &size
		}
	}
}

type segmentOutput struct {
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed" doc:"true when this is the answer to an earlier request"`
	Body     SegmentView
}

func segmentAnswer(v SegmentView) *segmentOutput {
	return &segmentOutput{ETag: etag(v.Version), Body: v}
}

func (s *Server) createSegment(ctx context.Context, in *struct {
	ShopPath
	OnceHeader
	jsonBody
}) (*segmentOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var v SegmentView
	var p problems
	decode(raw, &v, &p)
	var out *segmentOutput
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		shop, err := tx.Shop(ctx, in.Shop)
		if err != nil {
			return err
		}
		if v.useTemplate(&shop.Shop, &p); p.seen["body.template"] {
			return p.err() // what it would have filled in is not missing
		}
		doc := v.Segment
		doc.ID, doc.ShopID, doc.Version = 0, in.Shop, 0
		checkSegmentDoc(&doc, &shop.Shop, &p)
		if err := p.err(); err != nil {
			return err
		}
		made, replayed, err := once(ctx, tx, in.OnceHeader, "create-segment/"+etag(int64(in.Shop)), in.RawBody, func() (SegmentView, error) {
			seg, err := tx.CreateSegment(ctx, doc)
			return segmentView(seg), err
		})
		out = segmentAnswer(made)
		out.Replayed = replayedHeader(replayed)
		return err
	})
	return out, err
}

// useTemplate fills in what the request leaves to a ready-made segment.
func (v *SegmentView) useTemplate(shop *campaigns.Shop, p *problems) {
	if v.Template == "" {
		if v.Source == "" && v.Expression != "" {
			v.Source = campaigns.SegmentRule
		}
		return
	}
	names := []string{}
	for _, t := range campaigns.SegmentTemplatesIn(shop.Language, shop.Currency) {
		names = append(names, t.Template)
		if t.Template != v.Template {
			continue
		}
		v.Source = campaigns.SegmentRule
		for _, f := range []struct {
			field *string
			value string
		}{{&v.Name, t.Name}, {&v.Description, t.Description}, {&v.Expression, t.Expression}} {
			if *f.field == "" {
				*f.field = f.value
			}
		}
	}
	checkOneOf(p, "body.template", v.Template, names...)
}

// checkSegmentDoc lists what is wrong with a segment of a shop.
func checkSegmentDoc(d *campaigns.Segment, shop *campaigns.Shop, p *problems) {
	checkText(p, "body.name", d.Name, 1, campaigns.MaxSegmentName)
	if d.Name != "" && campaigns.SegmentKey(d.Name) == "" {
		p.add("body.name", "must have a letter or a digit")
	}
	checkText(p, "body.description", d.Description, 0, 500)
	checkOneOf(p, "body.source", d.Source, campaigns.SegmentRule, campaigns.SegmentImport)
	switch {
	case d.Source == campaigns.SegmentImport && d.Expression != "":
		p.add("body.expression", "an imported segment has none")
	case d.Source == campaigns.SegmentRule && d.TTLDays != 0:
		p.add("body.ttl_days", "is of imported segments; write within into the rule")
	case d.Source == campaigns.SegmentRule && len(d.Expression) > campaigns.MaxSegmentRule:
		p.add("body.expression", "has %d bytes, at most %d are allowed", len(d.Expression), campaigns.MaxSegmentRule)
	case d.Source == campaigns.SegmentRule:
		if err := campaigns.CheckSegmentRule(d.Expression, shop); err != nil {
			p.add("body.expression", "%v", err)
		}
	}
	checkRange(p, "body.value_bps", d.ValueBPS, 0, campaigns.MaxSegmentBPS)
	if d.MaxBPS != 0 {
		checkRange(p, "body.max_bps", d.MaxBPS, 10_000, campaigns.MaxSegmentBPS)
	}
	checkRange(p, "body.ttl_days", d.TTLDays, 0, campaigns.MaxAudienceTTLDays)
	if len(p.list) == 0 {
		if err := d.Check(shop); err != nil { // what the bidder would refuse must not be stored
			p.add("body", "%v", err)
		}
	}
}

// SegmentPath names the segment.
type SegmentPath struct {
	ShopPath
	Segment uint32 `path:"segment" minimum:"1" doc:"Segment id"`
}

func (s *Server) getSegment(ctx context.Context, in *SegmentPath) (*segmentOutput, error) {
	seg, err := s.store.View().Segment(ctx, in.Shop, in.Segment)
	if err != nil {
		return nil, err
	}
	list := []SegmentView{segmentView(seg)}
	s.addSizes(ctx, in.Shop, list)
	return segmentAnswer(list[0]), nil
}

func (s *Server) updateSegment(ctx context.Context, in *struct {
	SegmentPath
	MatchHeader
	jsonBody
}) (*segmentOutput, error) {
	patch, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var out *segmentOutput
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		shop, err := tx.Shop(ctx, in.Shop)
		if err != nil {
			return err
		}
		old, err := tx.Segment(ctx, in.Shop, in.Segment)
		if err != nil {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		doc, err := patchedSegment(ctx, tx, old, patch, &shop.Shop)
		if err != nil {
			return err
		}
		seg, err := tx.UpdateSegment(ctx, doc)
		out = segmentAnswer(segmentView(seg))
		return err
	})
	return out, err
}

func patchedSegment(ctx context.Context, tx *store.Tx, old store.Segment, patch json.RawMessage, shop *campaigns.Shop) (campaigns.Segment, error) {
	var v SegmentView
	var p problems
	if err := decodePatched(segmentView(old), patch, &v, &p); err != nil {
		return campaigns.Segment{}, err
	}
	doc := v.Segment
	doc.ID, doc.ShopID, doc.Version = old.ID, old.ShopID, old.Version
	if v.Template != "" {
		p.add("body.template", "is for new segments")
	}
	if doc.Source != old.Source {
		p.add("body.source", "cannot change: make another segment")
	}
	checkSegmentDoc(&doc, shop, &p)
	if err := p.err(); err != nil {
		return campaigns.Segment{}, err
	}
	if key := campaigns.SegmentKey(old.Name); campaigns.SegmentKey(doc.Name) != key {
		return doc, unused(ctx, tx, old.ShopID, key, "renamed")
	}
	return doc, nil
}

// unused refuses what campaigns that name the segment would not survive.
func unused(ctx context.Context, tx *store.Tx, shop uint32, key, what string) error {
	uses, err := tx.SegmentUses(ctx, shop, key)
	if err != nil || len(uses) == 0 {
		return err
	}
	var names []string
	for i, u := range uses {
		if i == 10 {
			names = append(names, "…")
			break
		}
		names = append(names, fmt.Sprintf("%d (%s)", u.Campaign, clip(u.Name)))
	}
	return failure(http.StatusConflict, fmt.Sprintf("it cannot be %s: it is named by %d campaigns: %s", what, len(uses), strings.Join(names, ", ")))
}

func (s *Server) deleteSegment(ctx context.Context, in *struct {
	SegmentPath
	MatchHeader
}) (*empty, error) {
	return &empty{}, s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		old, err := tx.Segment(ctx, in.Shop, in.Segment)
		if err != nil {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		if err := unused(ctx, tx, in.Shop, campaigns.SegmentKey(old.Name), "deleted"); err != nil {
			return err
		}
		return tx.DeleteSegment(ctx, in.Shop, in.Segment)
	})
}

// SegmentCheck asks whether a segment's expression is right.
type SegmentCheck struct {
	Expression string `json:"expression" doc:"Expression about the shop's visitors" example:"cart_value >= 500 PLN and abandoned within 7d"`
}

func (s *Server) checkSegment(ctx context.Context, in *struct {
	ShopPath
	jsonBody
}) (*targetingOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var req SegmentCheck
	var p problems
	decode(raw, &req, &p)
	if len(req.Expression) > campaigns.MaxSegmentRule {
		p.add("body.expression", "has %d bytes, at most %d are allowed", len(req.Expression), campaigns.MaxSegmentRule)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	out := &targetingOutput{TargetingAnswer{OK: true}}
	if err := campaigns.CheckSegmentRule(req.Expression, &shop.Shop); err != nil {
		out.Body = TargetingAnswer{Error: targetingError(err)}
	}
	return out, nil
}

type templatesOutput struct {
	Body struct {
		Items []campaigns.SegmentTemplate `json:"items" nullable:"false"`
	}
}

func (s *Server) listTemplates(ctx context.Context, in *struct{ ShopPath }) (*templatesOutput, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	out := new(templatesOutput)
	out.Body.Items = campaigns.SegmentTemplatesIn(shop.Language, shop.Currency)
	return out, nil
}

// named tells of names of segments as they are compared.
func named(keys map[string]bool) func(string) bool { return func(key string) bool { return keys[key] } }

// checkNamed finds segments in a campaign's expressions that the shop does
// not have.
func checkNamed(ctx context.Context, r store.Reader, c *campaigns.Campaign, p *problems) error {
	keys, err := r.SegmentKeys(ctx, c.ShopID)
	if err != nil {
		return err
	}
	check := func(at, expr string) {
		if len(expr) > maxTargeting {
			return // told already
		}
		if err := campaigns.CheckTargetingNamed(expr, nil, named(keys)); err != nil {
			p.add(at, "%v", err)
		}
	}
	check("body.targeting", c.Targeting)
	for i, b := range c.Bid.Boosts {
		check(indexed("body.bid.boosts", i)+".when", b.When)
	}
	return nil
}
