package console

import (
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

type shopApprovalsInput struct {
	ShopPath
	ApprovalFilter
}

func (s *Server) listShopApprovals(ctx context.Context, in *shopApprovalsInput) (*approvalList, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	items, err := s.shopApprovals(ctx, &shop.Shop, in.ApprovalFilter, []Approval{})
	return &approvalList{list[Approval]{Items: items}}, err
}

func (s *Server) exportShopApprovals(ctx context.Context, in *shopApprovalsInput) (*huma.StreamResponse, error) {
	out, err := s.listShopApprovals(ctx, in)
	if err != nil {
		return nil, err
	}
	return s.approvalCSV(out.Body.Items), nil
}

func (s *Server) listApprovals(ctx context.Context, in *struct{ ApprovalFilter }) (*approvalList, error) {
	items := []Approval{}
	for after := uint32(0); ; {
		shops, err := s.store.View().Shops(ctx, after, 500)
		if err != nil {
			return nil, err
		}
		for i := range shops {
			if items, err = s.shopApprovals(ctx, &shops[i].Shop, in.ApprovalFilter, items); err != nil {
				return nil, err
			}
			after = shops[i].ID
		}
		if len(shops) < 500 {
			return &approvalList{list[Approval]{Items: items}}, nil
		}
	}
}

func (s *Server) exportApprovals(ctx context.Context, in *struct{ ApprovalFilter }) (*huma.StreamResponse, error) {
	out, err := s.listApprovals(ctx, in)
	if err != nil {
		return nil, err
	}
	return s.approvalCSV(out.Body.Items), nil
}

// approvalColumns head the CSV for submission.
var approvalColumns = []string{
	"crid", "state", "reason", "shop", "campaign", "creative", "media", "template", "w", "h", "adomain", "landing_url", "categories", "attr", "language", "preview_url",
}

func (s *Server) approvalCSV(items []Approval) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "text/csv; charset=utf-8")
		hc.SetHeader("Content-Disposition", `attachment; filename="creatives.csv"`)
		hc.SetStatus(http.StatusOK)
		w := csv.NewWriter(hc.BodyWriter())
		err := w.Write(approvalColumns)
		for i := 0; i < len(items) && err == nil; i++ {
			a := &items[i]
			attr := make([]string, len(a.Attr))
			for k, v := range a.Attr {
				attr[k] = strconv.Itoa(v)
			}
			id := func(v uint32) string { return strconv.FormatUint(uint64(v), 10) }
			err = w.Write([]string{a.CRID, a.State, cell(a.Reason), id(a.Shop), id(a.Campaign), id(a.Creative), a.Media, a.Template, strconv.Itoa(a.W), strconv.Itoa(a.H),
				a.ADomain, a.LandingURL, strings.Join(a.Categories, " "), strings.Join(attr, " "), a.Language, a.PreviewURL})
		}
		if w.Flush(); err == nil {
			err = w.Error()
		}
		if err != nil {
			s.log.Debug("list of creatives cut off", "err", err)
		}
	}}
}

// cell keeps a spreadsheet from reading a text as a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
