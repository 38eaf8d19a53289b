package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
)

// maxListBytes bounds an upload: the most entries of the greatest length.
const maxListBytes = 48 << 20

// List is what is known of an uploaded list.
type List struct {
	Name    string `json:"name"`
	Version int64  `json:"version" doc:"Grows with each upload"`
	Updated int64  `json:"updated" doc:"When it was uploaded, ms UTC"`
	Entries int    `json:"entries" doc:"Distinct domains or bundles that it holds"`
	Sum     string `json:"sum,omitempty" doc:"SHA-256, hex, of the entries as GET …/entries has them; absent for a list from before they were kept"`
	// Problems of this upload.
	Rejected int           `json:"rejected,omitempty" doc:"Lines of this upload that are neither a domain nor a bundle"`
	Problems []ListProblem `json:"problems,omitempty" doc:"The first of them"`
}

// ListProblem is a line that was left out.
type ListProblem struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

func listView(l store.List) List {
	return List{Name: l.Name, Version: l.Version, Updated: l.UpdatedMS, Entries: l.Entries, Sum: l.Sum}
}

// ListPath names a list.
type ListPath struct {
	ShopPath
	Name string `path:"name" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" doc:"Name of the list"`
}

func (s *Server) listRoutes() {
	const path = "/api/v1/shops/{shop}/lists"
	tags := []string{"Lists"}
	register(s, route{Operation: huma.Operation{
		OperationID: "list-lists", Method: http.MethodGet, Path: path, Tags: tags, Summary: "List the lists of domains and bundles",
	}, access: accessRead}, s.listLists)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-list", Method: http.MethodGet, Path: path + "/{name}", Tags: tags, Summary: "Read what is known of a list",
	}, access: accessRead}, s.getList)
	s.listEntriesRoute(path, tags)
	register(s, route{Operation: huma.Operation{
		OperationID: "upload-list", Method: http.MethodPut, Path: path + "/{name}", Tags: tags, Summary: "Upload a list of domains or bundles",
		Description: "Makes or replaces the whole list by the body: a domain or app bundle a line; empty lines and lines that begin with # are passed " +
			"over. Targeting names it: domain not in list \"NAME\".",
		Errors:   []int{http.StatusRequestEntityTooLarge, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		Metadata: map[string]any{uploadKey: true},
	}, access: accessWrite}, s.uploadList)
	operationOf(s.api.OpenAPI(), http.MethodPut, path+"/{name}").RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
	register(s, route{Operation: huma.Operation{
		OperationID: "delete-list", Method: http.MethodDelete, Path: path + "/{name}", Tags: tags, Summary: "Delete a list",
		Description: "Refused while a campaign names it.", Errors: []int{http.StatusConflict, http.StatusPreconditionFailed},
	}, access: accessWrite}, s.deleteList)
}

type listListOutput struct{ Body list[List] }

func (s *Server) listLists(ctx context.Context, in *struct{ ShopPath }) (*listListOutput, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	all, err := s.store.View().Lists(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	out := &listListOutput{list[List]{Items: make([]List, 0, len(all))}}
	for _, l := range all {
		out.Body.Items = append(out.Body.Items, listView(l))
	}
	return out, nil
}

func (s *Server) getList(ctx context.Context, in *ListPath) (*listOutput, error) {
	l, err := s.store.View().List(ctx, in.Shop, in.Name)
	if err != nil {
		return nil, err
	}
	return listAnswer(l), nil
}

type uploadListInput struct {
	ListPath
	PutHeader
	body   io.Reader
	length int64 // -1 if it is not said
}

// Resolve takes the body as a stream.
func (in *uploadListInput) Resolve(hc huma.Context) []error {
	r, w := humachi.Unwrap(hc)
	in.body, in.length = http.MaxBytesReader(w, r.Body, maxListBytes), r.ContentLength
	return nil
}

type listOutput struct {
	ETag string `header:"ETag"`
	Body List
}

func listAnswer(l store.List) *listOutput {
	return &listOutput{ETag: etag(l.Version), Body: listView(l)}
}

func (s *Server) uploadList(ctx context.Context, in *uploadListInput) (*listOutput, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	end, err := s.lists.begin(in.Shop, uploadRoom(in.length))
	if err != nil {
		s.metrics.listsRefused.Inc()
		return nil, err
	}
	defer end()
	entries, problems, rejected, err := readList(in.body)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, failure(http.StatusUnprocessableEntity, "the upload has no domain or bundle: the list stays as it was")
	}
	packed, err := store.PackList(entries)
	if err != nil {
		return nil, err
	}
	var made store.List
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		old, err := tx.List(ctx, in.Shop, in.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		made, err = tx.PutList(ctx, in.Shop, in.Name, packed)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := listAnswer(made)
	out.Body.Problems, out.Body.Rejected = problems, rejected
	return out, nil
}

// readList reads entries, a line each: evened out, sorted and distinct.
func readList(r io.Reader) (entries []string, problems []ListProblem, rejected int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4096)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		v, ok := campaigns.ListEntry(line)
		if !ok {
			if rejected++; len(problems) < feedFileProblem {
				problems = append(problems, ListProblem{n, line[:min(len(line), 100)]})
			}
			continue
		}
		if entries = append(entries, v); len(entries) >= 2*campaigns.MaxListEntries {
			if entries = distinct(entries); len(entries) > campaigns.MaxListEntries {
				_, _ = io.Copy(io.Discard, r) // makes it no smaller; who sends it hears the answer
				break
			}
		}
	}
	var tooLarge *http.MaxBytesError
	switch err := lines.Err(); {
	case errors.As(err, &tooLarge):
		return nil, nil, 0, failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("the upload is larger than %d bytes", maxListBytes))
	case err != nil:
		return nil, nil, 0, failure(http.StatusUnprocessableEntity, "the upload cannot be read: "+err.Error())
	}
	if entries = distinct(entries); len(entries) > campaigns.MaxListEntries {
		return nil, nil, 0, failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("the list has %d entries; at most %d are allowed", len(entries), campaigns.MaxListEntries))
	}
	return entries, problems, rejected, nil
}

// distinct sorts entries and drops those that are there twice.
func distinct(entries []string) []string {
	slices.Sort(entries)
	return slices.Compact(entries)
}

func (s *Server) deleteList(ctx context.Context, in *struct {
	ListPath
	MatchHeader
}) (*empty, error) {
	return &empty{}, s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		old, err := tx.List(ctx, in.Shop, in.Name)
		if err != nil {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		return tx.DropList(ctx, in.Shop, in.Name)
	})
}

// checkLists finds lists that a campaign names and the shop has not.
func checkLists(ctx context.Context, r store.Reader, c *campaigns.Campaign, p *problems) error {
	have, err := r.Lists(ctx, c.ShopID)
	if err != nil {
		return err
	}
	check := func(at, expr string) {
		names, err := campaigns.ListsIn(expr)
		if err != nil {
			return // said elsewhere
		}
		for _, n := range names {
			if !slices.ContainsFunc(have, func(l store.List) bool { return l.Name == n }) {
				p.add(at, "the shop has no list %q: upload it first", n)
			}
		}
	}
	check("body.targeting", c.Targeting)
	for i, b := range c.Bid.Boosts {
		check(indexed("body.bid.boosts", i)+".when", b.When)
	}
	return nil
}
