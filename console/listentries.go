package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/store"
)

func (s *Server) listEntriesRoute(lists string, tags []string) {
	path := lists + "/{name}/entries"
	register(s, route{Operation: huma.Operation{
		OperationID: "get-list-entries", Method: http.MethodGet, Path: path, Tags: tags, Summary: "Read what a list holds",
		Description: "The entries, evened out and sorted, a line each.", Errors: []int{http.StatusConflict},
		Responses: map[string]*huma.Response{"200": {
			Description: "The entries", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, access: accessRead}, s.getListEntries)
}

type listEntriesOutput struct {
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag"`
	Body        []byte
}

func (s *Server) getListEntries(ctx context.Context, in *ListPath) (*listEntriesOutput, error) {
	l, text, err := s.store.View().ListText(ctx, in.Shop, in.Name)
	switch {
	case errors.Is(err, store.ErrNotKept):
		return nil, failure(http.StatusConflict, "the list was uploaded before lists could be read back: upload it again")
	case err != nil:
		return nil, err
	}
	return &listEntriesOutput{"text/plain; charset=utf-8", etag(l.Version), text}, nil
}
