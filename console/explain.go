package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// maxExplanation bounds what the bidder may answer, bytes.
const maxExplanation = 64 << 20

// explainTimeout is less than the time that an answer may take to be written.
const explainTimeout = 30 * time.Second

// explainer asks a bidder what it would answer to a bid request, with the
// caller's own key: the bidder decides by itself what that key may see.
type explainer struct {
	base   string // http://host:port
	client *http.Client
}

func newExplainer(addr string) *explainer {
	if addr == "" {
		return nil
	}
	tr := &http.Transport{MaxIdleConnsPerHost: 2, MaxConnsPerHost: 4, IdleConnTimeout: time.Minute, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext}
	return &explainer{base: "http://" + addr, client: &http.Client{
		Timeout: explainTimeout, Transport: tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the key goes nowhere else
	}}
}

func (s *Server) explainRoutes() {
	register(s, route{Operation: huma.Operation{
		OperationID: "explain", Method: http.MethodPost, Path: "/api/v1/explain", Tags: []string{"Explain"},
		Summary: "Explain what a bid request would be answered, and why",
		Description: "The body is an OpenRTB bid request. For every campaign all that is against it, the value, the price, the nearest miss and " +
			"the winner. A shop's key sees its own campaigns as if there were no other shop. Nothing is held, counted or logged by it.",
		Errors: []int{http.StatusBadRequest, http.StatusServiceUnavailable},
		Responses: map[string]*huma.Response{"200": {
			Description: "The explanation", Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}},
		}},
	}, access: accessRead}, s.explain)
}

type explainInput struct {
	Exchange string `query:"exchange" required:"true" maxLength:"64" doc:"Exchange whose request it is"`
	Shop     uint32 `query:"shop" doc:"This shop's campaigns alone; left out, all that the key opens"`
	Limit    int    `query:"limit" default:"50" minimum:"1" maximum:"10000" doc:"Most campaigns listed per imp and media type"`
	jsonBody
}

type explainOutput struct {
	ContentType string `header:"Content-Type"`
	Language    string `header:"Content-Language"`
	Vary        string `header:"Vary"`
	Body        []byte
}

func (s *Server) explain(ctx context.Context, in *explainInput) (*explainOutput, error) {
	who := caller(ctx)
	switch {
	case who.admin:
	case in.Shop == 0:
		in.Shop = who.shop
	case in.Shop != who.shop:
		return nil, errNotFound()
	}
	if in.Shop != 0 {
		if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
			return nil, err
		}
	}
	if s.explainer == nil {
		return nil, failure(http.StatusServiceUnavailable, "there is no bidder to ask: the console was started without one")
	}
	status, body, err := s.explainer.ask(ctx, in, who.token)
	if err != nil {
		s.log.Warn("bidder does not explain", slog.Any("err", err))
		return nil, failure(http.StatusServiceUnavailable, "the bidder does not answer: try again later")
	}
	switch status {
	case http.StatusOK:
		lang := languageOf(ctx)
		if body, err = s.speaker.explanation(lang, body); err != nil {
			s.log.Warn("bidder explains what cannot be read", slog.Any("err", err))
			return nil, failure(http.StatusServiceUnavailable, "the bidder does not answer: try again later")
		}
		return &explainOutput{ContentType: "application/json", Language: lang, Vary: "Accept-Language", Body: body}, nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return nil, failure(http.StatusBadRequest, "the bidder refuses the request: "+problemDetail(body))
	case http.StatusNotFound:
		return nil, failure(http.StatusNotFound, "the bidder has it not, or not yet: "+problemDetail(body))
	case http.StatusTooManyRequests:
		return nil, failure(http.StatusTooManyRequests, "another explanation is being made: try again in a second")
	case http.StatusUnauthorized, http.StatusForbidden:
		// It was right here. The bidder has not heard of it yet, or has another
		// administrator's key.
		return nil, failure(http.StatusServiceUnavailable, "the bidder does not know this key yet: try again in a moment")
	}
	s.log.Warn("bidder does not explain", slog.Int("status", status))
	return nil, failure(http.StatusServiceUnavailable, fmt.Sprintf("the bidder answers %d", status))
}

func (e *explainer) ask(ctx context.Context, in *explainInput, key string) (int, []byte, error) {
	q := url.Values{"exchange": {in.Exchange}, "limit": {strconv.Itoa(in.Limit)}}
	if in.Shop != 0 {
		q.Set("shop", strconv.FormatUint(uint64(in.Shop), 10))
	}
	return e.post(ctx, "/internal/explain?"+q.Encode(), key, in.RawBody)
}

// post asks the bidder something with the caller's key.
func (e *explainer) post(ctx context.Context, path, key string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("ask the bidder: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := e.client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the bidder: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxExplanation+1))
	if err == nil && len(answer) > maxExplanation {
		err = errors.New("the explanation is larger than 64 MiB: lower the limit")
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read the bidder's answer: %w", err)
	}
	return res.StatusCode, answer, nil
}

// problemDetail is what a problem+json says; bounded, for it is shown.
func problemDetail(body []byte) string {
	var p struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &p) != nil || p.Detail == "" {
		return "no reason given"
	}
	return clip(p.Detail)
}
