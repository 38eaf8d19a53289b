package console

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
)

// TargetingRequest asks whether an expression is right.
type TargetingRequest struct {
	Expression string `json:"expression" doc:"Expression in the targeting language" example:"visited within 30d and not purchased within 7d"`
	Shop       uint32 `json:"shop,omitempty" doc:"Shop that it is for: its currency decides about amounts. A shop's key means its own"`
}

// TargetingAnswer tells what is wrong with an expression.
type TargetingAnswer struct {
	OK    bool            `json:"ok"`
	Error *TargetingError `json:"error,omitempty"`
}

// TargetingError points at the word that is wrong.
type TargetingError struct {
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty" doc:"What may have been meant"`
	Token    string `json:"token,omitempty" doc:"The word"`
	Position int    `json:"position" doc:"Its place in bytes from 0"`
	Line     int    `json:"line,omitempty" doc:"Its line, from 1"`
	Column   int    `json:"column,omitempty" doc:"Its column, from 1"`
}

func (s *Server) targetingRoutes() {
	tags := []string{"Targeting"}
	register(s, route{Operation: huma.Operation{
		OperationID: "check-targeting", Method: http.MethodPost, Path: "/api/v1/targeting/check", Tags: tags, Summary: "Check a targeting expression",
	}, access: accessRead, body: reflect.TypeFor[TargetingRequest]()}, s.checkTargeting)
	register(s, route{Operation: huma.Operation{
		OperationID: "list-predicates", Method: http.MethodGet, Path: "/api/v1/targeting/predicates", Tags: tags, Summary: "List the words of the targeting language",
	}, access: accessRead}, s.listPredicates)
}

type targetingOutput struct{ Body TargetingAnswer }

func (s *Server) checkTargeting(ctx context.Context, in *struct{ jsonBody }) (*targetingOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var req TargetingRequest
	var p problems
	decode(raw, &req, &p)
	if len(req.Expression) > maxTargeting {
		p.add("body.expression", "has %d bytes, at most %d are allowed", len(req.Expression), maxTargeting)
	}
	who := caller(ctx)
	switch {
	case !who.admin && req.Shop == 0:
		req.Shop = who.shop
	case !who.admin && req.Shop != who.shop:
		return nil, errNotFound()
	case req.Shop == 0:
		p.add("body.shop", "is missing")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	shop, err := s.store.View().Shop(ctx, req.Shop)
	if err != nil {
		return nil, err
	}
	out := &targetingOutput{TargetingAnswer{OK: true}}
	keys, err := s.store.View().SegmentKeys(ctx, req.Shop)
	if err != nil {
		return nil, err
	}
	if err := campaigns.CheckTargetingNamed(req.Expression, &shop.Shop, named(keys)); err != nil {
		out.Body = TargetingAnswer{Error: targetingError(err)}
	}
	return out, nil
}

// targetingError takes the place out of an error that knows it.
func targetingError(err error) *TargetingError {
	var syntax *campaigns.SyntaxError
	if !errors.As(err, &syntax) {
		return &TargetingError{Message: err.Error()}
	}
	return &TargetingError{
		Message: syntax.Msg, Hint: syntax.Hint, Token: syntax.Token,
		Position: syntax.Pos, Line: syntax.Line, Column: syntax.Column,
	}
}

type predicatesOutput struct {
	Body struct {
		Items []campaigns.PredicateDoc `json:"items" nullable:"false" doc:"Name, form, example and explanation of each"`
	}
}

func (s *Server) listPredicates(context.Context, *struct{}) (*predicatesOutput, error) {
	out := new(predicatesOutput)
	out.Body.Items = campaigns.Predicates()
	return out, nil
}
