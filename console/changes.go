package console

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/store"
)

// Change is an entry of a shop's audit log.
type Change struct {
	ID      int64           `json:"id"`
	At      int64           `json:"at" doc:"When, ms UTC"`
	Actor   string          `json:"actor" doc:"Who: admin, or key and its id"`
	Remote  string          `json:"remote,omitempty" doc:"From which address"`
	Action  string          `json:"action" doc:"create, update, delete, revoke or upload"`
	Subject string          `json:"subject" doc:"What, such as campaign/12"`
	Version int64           `json:"version" doc:"Version that it has since"`
	Before  json.RawMessage `json:"before,omitempty" doc:"As it was"`
	After   json.RawMessage `json:"after,omitempty" doc:"As it is since"`
}

func changeView(c store.Change) Change {
	v := Change{ID: c.ID, At: c.AtMS, Actor: c.Actor, Remote: c.Remote, Action: c.Action, Subject: c.Subject, Version: c.Version}
	if c.Before != "" {
		v.Before = json.RawMessage(c.Before)
	}
	if c.After != "" {
		v.After = json.RawMessage(c.After)
	}
	return v
}

func (s *Server) changeRoutes() {
	register(s, route{Operation: huma.Operation{
		OperationID: "list-changes", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/changes", Tags: []string{"Changes"},
		Summary: "List what was changed, newest first", Description: "Who changed what and when, with the document before and after.",
	}, access: accessRead}, s.listChanges)
}

type listChangesInput struct {
	ShopPath
	Page
	Subject string `query:"subject" maxLength:"100" doc:"Only what concerns this, such as campaign/12"`
}

type changeList struct{ Body list[Change] }

func (s *Server) listChanges(ctx context.Context, in *listChangesInput) (*changeList, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	before, err := in.id("change", 63)
	if err != nil {
		return nil, err
	}
	found, err := s.store.View().Changes(ctx, in.Shop, in.Subject, int64(before), in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &changeList{pageOf(found, in.Limit, "change", func(c store.Change) int64 { return c.ID }, changeView)}, nil
}
