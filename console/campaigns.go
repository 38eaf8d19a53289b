package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
)

// Campaign is a campaign as the API shows it and takes it: the document that
// the bidders get, and its times. See describe.go for what its fields mean.
type Campaign struct {
	campaigns.Campaign
	Created int64 `json:"created" readOnly:"true" doc:"When it was made, ms UTC"`
	Updated int64 `json:"updated" readOnly:"true" doc:"When it last changed, ms UTC"`
}

func campaignView(c store.Campaign) Campaign {
	if c.Creatives == nil {
		c.Creatives = []campaigns.Creative{}
	}
	return Campaign{Campaign: c.Campaign, Created: c.CreatedMS, Updated: c.UpdatedMS}
}

func (s *Server) campaignRoutes() {
	const path = "/api/v1/shops/{shop}/campaigns"
	tags := []string{"Campaigns"}
	body := reflect.TypeFor[Campaign]()
	register(s, route{Operation: huma.Operation{
		OperationID: "list-campaigns", Method: http.MethodGet, Path: path, Tags: tags, Summary: "List a shop's campaigns",
	}, access: accessRead}, s.listCampaigns)
	register(s, route{Operation: huma.Operation{
		OperationID: "create-campaign", Method: http.MethodPost, Path: path, Tags: tags, Summary: "Create a campaign", DefaultStatus: http.StatusCreated,
		Description: "It is paused unless the status says otherwise.",
	}, access: accessWrite, body: body}, s.createCampaign)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-campaign", Method: http.MethodGet, Path: path + "/{campaign}", Tags: tags, Summary: "Read a campaign",
	}, access: accessRead}, s.getCampaign)
	register(s, route{Operation: huma.Operation{
		OperationID: "update-campaign", Method: http.MethodPatch, Path: path + "/{campaign}", Tags: tags, Summary: "Change a campaign",
		Description: "A JSON merge patch (RFC 7396): fields that are left out stay, null removes, arrays are replaced whole. " +
			"A creative keeps its id if the patch names it; one without an id is new. {\"status\": \"paused\"} pauses.",
		Errors: []int{http.StatusPreconditionFailed},
	}, access: accessWrite, body: body}, s.updateCampaign)
	register(s, route{Operation: huma.Operation{
		OperationID: "delete-campaign", Method: http.MethodDelete, Path: path + "/{campaign}", Tags: tags, Summary: "Delete a campaign",
		Description: "It stops at once and is gone from here; what it did stays in the reports. To keep it in the list, set the status archived instead.",
		Errors:      []int{http.StatusPreconditionFailed},
	}, access: accessWrite}, s.deleteCampaign)
}

type listCampaignsInput struct {
	ShopPath
	Page
	Status string `query:"status" enum:"active,paused,archived" doc:"Only of this status"`
	Kind   string `query:"kind" enum:"remarketing,intent,interest" doc:"Only of this kind"`
}

type campaignList struct{ Body list[Campaign] }

func (s *Server) listCampaigns(ctx context.Context, in *listCampaignsInput) (*campaignList, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	after, err := in.id("campaign", 32)
	if err != nil {
		return nil, err
	}
	found, err := s.store.View().Campaigns(ctx, in.Shop, store.CampaignFilter{Status: in.Status, Kind: in.Kind}, uint32(after), in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &campaignList{pageOf(found, in.Limit, "campaign", func(c store.Campaign) int64 { return int64(c.ID) }, campaignView)}, nil
}

type campaignOutput struct {
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed" doc:"true when this is the answer to an earlier request"`
	Body     Campaign
}

func campaignAnswer(v Campaign) *campaignOutput {
	return &campaignOutput{ETag: etag(v.Version), Body: v}
}

type createCampaignInput struct {
	ShopPath
	OnceHeader
	jsonBody
}

func (s *Server) createCampaign(ctx context.Context, in *createCampaignInput) (*campaignOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	v := Campaign{Campaign: campaigns.Campaign{Status: campaigns.StatusPaused}}
	var p problems
	decode(datesToMS(raw, &p), &v, &p)
	var out *campaignOutput
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		shop, err := tx.Shop(ctx, in.Shop)
		if err != nil {
			return err
		}
		doc := v.Campaign
		doc.ID, doc.ShopID, doc.Version = 0, in.Shop, 0
		if err := fillAssets(ctx, tx.Reader, &doc, &p); err != nil {
			return err
		}
		checkCampaign(&doc, nil, &shop.Shop, &p)
		if err := errors.Join(checkNamed(ctx, tx.Reader, &doc, &p), checkLists(ctx, tx.Reader, &doc, &p)); err != nil {
			return err
		}
		if err := p.err(); err != nil {
			return err
		}
		made, replayed, err := once(ctx, tx, in.OnceHeader, "create-campaign/"+etag(int64(in.Shop)), in.RawBody, func() (Campaign, error) {
			c, err := tx.CreateCampaign(ctx, doc)
			return campaignView(c), err
		})
		out = campaignAnswer(made)
		out.Replayed = replayedHeader(replayed)
		return err
	})
	return out, err
}

// CampaignPath names the campaign.
type CampaignPath struct {
	ShopPath
	Campaign uint32 `path:"campaign" minimum:"1" doc:"Campaign id"`
}

func (s *Server) getCampaign(ctx context.Context, in *CampaignPath) (*campaignOutput, error) {
	c, err := s.store.View().Campaign(ctx, in.Shop, in.Campaign)
	if err != nil {
		return nil, err
	}
	return campaignAnswer(campaignView(c)), nil
}

type updateCampaignInput struct {
	CampaignPath
	MatchHeader
	jsonBody
}

func (s *Server) updateCampaign(ctx context.Context, in *updateCampaignInput) (*campaignOutput, error) {
	patch, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var p problems
	patch = datesToMS(patch, &p)
	var out *campaignOutput
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		shop, err := tx.Shop(ctx, in.Shop)
		if err != nil {
			return err
		}
		old, err := tx.Campaign(ctx, in.Shop, in.Campaign)
		if err != nil {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		doc, err := patchedCampaign(old, patch, &p)
		if err != nil {
			return err
		}
		if err := fillAssets(ctx, tx.Reader, &doc, &p); err != nil {
			return err
		}
		checkCampaign(&doc, &old.Campaign, &shop.Shop, &p)
		if err := errors.Join(checkNamed(ctx, tx.Reader, &doc, &p), checkLists(ctx, tx.Reader, &doc, &p)); err != nil {
			return err
		}
		if err := p.err(); err != nil {
			return err
		}
		c, err := tx.UpdateCampaign(ctx, doc)
		out = campaignAnswer(campaignView(c))
		return err
	})
	return out, err
}

func patchedCampaign(old store.Campaign, patch json.RawMessage, p *problems) (campaigns.Campaign, error) {
	var v Campaign
	if err := decodePatched(campaignView(old), patch, &v, p); err != nil {
		return campaigns.Campaign{}, err
	}
	doc := v.Campaign
	doc.ID, doc.ShopID, doc.Version = old.ID, old.ShopID, old.Version
	return doc, nil
}

type deleteCampaignInput struct {
	CampaignPath
	MatchHeader
}

func (s *Server) deleteCampaign(ctx context.Context, in *deleteCampaignInput) (*empty, error) {
	return &empty{}, s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		old, err := tx.Campaign(ctx, in.Shop, in.Campaign)
		if err != nil {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		return tx.DeleteCampaign(ctx, in.Shop, in.Campaign)
	})
}
