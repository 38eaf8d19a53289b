package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/store"
)

func (s *Server) listEntriesRoute(lists string, tags []string) {
	path := lists + "/{name}/entries"
	register(s, route{Operation: huma.Operation{
		OperationID: "get-list-entries", Method: http.MethodGet, Path: path, Tags: tags, Summary: "Read what a list holds",
		Description: "The entries, evened out and sorted, a line each.", Errors: []int{http.StatusConflict, http.StatusServiceUnavailable},
		Responses: map[string]*huma.Response{"200": {
			Description: "The entries", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, access: accessRead}, s.getListEntries)
}

type listEntriesOutput struct {
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag"`
	Body        func(huma.Context)
}

// getListEntries unpacks the list while it is sent: what is packed is all of it
// that is in memory.
func (s *Server) getListEntries(ctx context.Context, in *ListPath) (*listEntriesOutput, error) {
	known, err := s.store.View().List(ctx, in.Shop, in.Name)
	if err != nil {
		return nil, err
	}
	end, err := s.lists.begin(in.Shop, readRoom(known.PackedSize()))
	if err != nil {
		s.metrics.listsRefused.Inc()
		return nil, err
	}
	l, text, err := s.store.View().ListText(ctx, in.Shop, in.Name)
	if err != nil {
		end()
		if errors.Is(err, store.ErrNotKept) {
			err = failure(http.StatusConflict, "the list was uploaded before lists could be read back: upload it again")
		}
		return nil, err
	}
	return &listEntriesOutput{"text/plain; charset=utf-8", etag(l.Version), func(hc huma.Context) {
		defer end()
		// With its length said, what is cut off is not taken for the whole.
		hc.SetHeader("Content-Length", strconv.FormatInt(text.Size(), 10))
		hc.SetStatus(http.StatusOK)
		if _, err := text.WriteTo(hc.BodyWriter()); err != nil {
			s.log.Warn("list cut off", "shop", in.Shop, "list", in.Name, "err", err)
		}
	}}, nil
}
