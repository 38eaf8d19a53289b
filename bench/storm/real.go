package storm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// Bid is one that a node made.
type Bid struct {
	tok          events.Token
	exchange     uint8
	notice, view string
}

var (
	noticeToken = regexp.MustCompile(`/n/win\?t=([\w-]+)`)
	viewToken   = regexp.MustCompile(`/i\?t=([\w-]+)`)
)

// imps of the requests, by media code.
var imps = [...]string{
	events.MediaBanner: `"banner":{"w":300,"h":250}`,
	events.MediaVideo:  `"video":{"mimes":["video/mp4"],"protocols":[2,3,7],"minduration":5,"maxduration":30,"w":640,"h":360,"linearity":1}`,
	events.MediaNative: `"native":{"ver":"1.2","request":"{\"ver\":\"1.2\",\"assets\":[{\"id\":1,\"required\":1,\"title\":{\"len\":90}}],\"eventtrackers\":[{\"event\":1,\"methods\":[1]}]}"}`,
}

// Win asks the nodes for cfg.RealBids bids. Every exchange and media type has
// its turn.
func Win(ctx context.Context, cfg Config) ([]Bid, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	out := make([]Bid, cfg.RealBids)
	client := &fasthttp.Client{MaxConnsPerHost: 64, ReadTimeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var wg sync.WaitGroup
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(out)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := win(client, &cfg, int(i), &out[i]); err != nil {
					stop(err)
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("storm: make a bid: %w", err)
	}
	return out, nil
}

var errNoBid = errors.New("no bid")

func win(client *fasthttp.Client, cfg *Config, i int, out *Bid) error {
	x := exchanges()[i%3]
	media := events.MediaBanner + uint8(i/3%3)
	body := fmt.Sprintf(`{"id":"r%d","at":1,"cur":[%q],"imp":[{"id":"1",%s}],"site":{"domain":"news.example","page":"https://news.example/%d"}}`, i, x.currency, imps[media], i)
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI(cfg.Nodes[i%len(cfg.Nodes)] + "/openrtb2/" + x.name)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.Header.Set("X-Grosz-Debug", "1")
	req.SetBodyString(body)
	for try := 0; ; try++ {
		err := client.Do(req, res)
		if err == nil && res.StatusCode() == fasthttp.StatusOK {
			break
		}
		// An early 204 under load is right; it is asked again.
		if try == 200 {
			return errors.Join(err, fmt.Errorf("%w: %s: status %d %s", errNoBid, x.name, res.StatusCode(), res.Header.Peek("X-Grosz-Nobid")))
		}
		time.Sleep(20 * time.Millisecond)
	}
	return out.read(cfg, res.Body(), uint8(i%3))
}

// read takes a bid out of an answer. The price in it must be the token's.
func (b *Bid) read(cfg *Config, body []byte, exchange uint8) error {
	var answer struct {
		Cur     string
		SeatBid []struct {
			Bid []struct {
				ID, NURL, AdM string
				Price         json.Number
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if len(answer.SeatBid) != 1 || len(answer.SeatBid[0].Bid) != 1 {
		return fmt.Errorf("%w in %s", errNoBid, body)
	}
	got := answer.SeatBid[0].Bid[0]
	n, v := noticeToken.FindStringSubmatch(got.NURL), viewToken.FindStringSubmatch(got.AdM)
	if n == nil || v == nil {
		return fmt.Errorf("the bid %s has no notice or no impression URL", got.ID)
	}
	b.exchange, b.notice, b.view = exchange, n[1], v[1]
	if err := cfg.Keys.Verify(&b.tok, []byte(b.notice), time.Now().UnixMilli(), events.ForNotice); err != nil {
		return fmt.Errorf("the bid's token: %w", err)
	}
	price, err := money.ParseCPM(got.Price.String())
	if err != nil || price != b.tok.Price || answer.Cur != b.tok.Currency.String() || got.ID != b.tok.BidID.String() {
		return fmt.Errorf("the bid %s says %s %s, its token %s %s of %s", got.ID, got.Price, answer.Cur, b.tok.Price, b.tok.Currency, b.tok.BidID)
	}
	return nil
}
