package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/store"
)

// maxProblems bounds the mistakes that one answer lists.
const maxProblems = 100

// problems collects what is wrong with a request, each with the field it is
// about: "body.bid.cpm", "query.cursor".
type problems struct {
	list []*huma.ErrorDetail
	seen map[string]bool
}

// add notes a mistake, unless one is known of that very field.
func (p *problems) add(location, format string, args ...any) {
	if p.seen[location] || len(p.list) >= maxProblems {
		return
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[location] = true
	p.list = append(p.list, &huma.ErrorDetail{Location: location, Message: fmt.Sprintf(format, args...)})
}

// err is nil when nothing is wrong.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	sort.SliceStable(p.list, func(i, j int) bool { return p.list[i].Location < p.list[j].Location })
	detail := "1 field is wrong"
	if len(p.list) > 1 {
		detail = strconv.Itoa(len(p.list)) + " fields are wrong"
	}
	return failure(http.StatusUnprocessableEntity, detail, p.list...)
}

// failure is an answer in problem+json (RFC 9457).
func failure(status int, detail string, fields ...*huma.ErrorDetail) error {
	return &huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail, Errors: fields}
}

// errNotFound is the answer for what is not there and for what is not the
// caller's alike, so that one cannot be told from the other.
func errNotFound() error { return failure(http.StatusNotFound, "there is nothing here for this key") }

// answerFor turns an error of a handler into an answer. What the caller
// cannot help is logged and not shown.
func (s *Server) answerFor(ctx context.Context, op string, err error) error {
	var known huma.StatusError
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrNotFound):
		return errNotFound()
	case errors.Is(err, store.ErrTaken):
		var p problems
		p.add("body.name", "another segment of the shop has this name")
		return p.err()
	case errors.Is(err, store.ErrLimit):
		return failure(http.StatusConflict, err.Error())
	case errors.Is(err, store.ErrConflict):
		return failure(http.StatusPreconditionFailed, err.Error())
	case ctx.Err() != nil:
		return failure(http.StatusServiceUnavailable, "the request was ended before it was done")
	}
	s.log.Error("request failed", "operation", op, "err", err)
	return failure(http.StatusInternalServerError, "something failed here; it is in the log")
}
