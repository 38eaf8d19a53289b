package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console"
	"github.com/grosz/grosz/internal/kafkatest"
)

const forecastAnswer = `{"basis":"replay","days":14,"currency":"PLN","reach":{"low":80,"mid":90,"high":100},"impressions":{"low":700,"mid":800,"high":950},
 "clicks":{"low":4,"mid":5,"high":7},"orders":{"low":0,"mid":1,"high":3},"cost":{"low":"10.50","mid":"11.00","high":"12.00"},
 "cost_per_order":{"low":"4.00","mid":"11.00","high":null},"curve":[{"budget":"5.00","orders":0.4,"cost_per_order":"12.50"},{"budget":"10.00","orders":0.8,"cost_per_order":null}],
 "limits":["budget","bids"],"bids":812,"sample_days":3.5,"words":{"en":"About one order.","pl":"Około jednego zamówienia."}}`

// The question is what the flags and the file say, the answer is printed in
// words and figures, and what is wrong is named.
func TestForecastAsksTheConsole(t *testing.T) {
	var path, key, asked string
	status, answer := 200, forecastAnswer
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		path, key, asked = r.Method+" "+r.URL.Path, r.Header.Get("Authorization"), string(raw)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer srv.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(p, []byte(text), 0o600))
		return p
	}
	write("admin.key", "gz_admin_k\n")
	doc, broken := write("campaign.json", `{"bid":{"cpm":"9"}}`), write("broken.json", `{"bid":`)
	forecast := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(context.Background(), append([]string{"forecast", "--console", strings.TrimPrefix(srv.URL, "http://"), "--data", dir}, args...), env{nil, &out, &out, nil})
		return out.String(), err
	}
	for _, c := range []struct {
		name  string
		args  []string
		asked string
	}{
		{"a campaign that is there", []string{"--shop", "3", "--campaign", "5"}, `{"days":30,"campaign_id":5}`},
		{"changes of one", []string{"--shop", "3", "--campaign", "5", "--days", "14", "--budget", "3000.5", doc}, `{"days":14,"campaign_id":5,"budget_micros":3000500000,"campaign":{"bid":{"cpm":"9"}}}`},
		{"figures", []string{"--shop", "3", "--visits", "40000", "--conversion-rate", "0.012", "--basket", "180", doc}, `{"days":30,"campaign":{"bid":{"cpm":"9"}},"figures":{"visits":40000,"conversion_rate":0.012,"basket":180}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := forecast(c.args...)
			require.NoError(t, err)
			require.Equal(t, "POST /api/v1/shops/3/forecast", path)
			require.Equal(t, "Bearer gz_admin_k", key)
			require.JSONEq(t, c.asked, asked)
			text = strings.Join(strings.Fields(text), " ")
			for _, want := range []string{"About one order. Około jednego zamówienia.", "14 days, by replay", "impressions 700 800 950", "cost, PLN 10.50 11.00 12.00",
				"cost per order 4.00 11.00 ?", "10.00 0.8 ?", "limited by: budget, bids; it rests on 812 bids of 3.5 days"} {
				require.Contains(t, text, want)
			}
		})
	}
	text, err := forecast("--campaign", "5", "--json")
	require.NoError(t, err)
	require.JSONEq(t, forecastAnswer, text)

	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no JSON":       {[]string{broken}, "is not JSON"},
		"no file":       {[]string{filepath.Join(dir, "none")}, "read the campaign"},
		"two files":     {[]string{doc, doc}, "one campaign at a time"},
		"no days":       {[]string{"--days", "0"}, "--days"},
		"less than 0":   {[]string{"--budget", "-1"}, "--budget"},
		"a wrong place": {[]string{"--console", "http://"}, "HOST:PORT"},
		"no key":        {[]string{"--key-file", filepath.Join(dir, "none")}, "--key-file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := forecast(c.args...)
			require.ErrorContains(t, err, c.says)
		})
	}
	status, answer = 422, `{"status":422,"detail":"some fields are wrong","errors":[{"location":"body.campaign.targeting","message":"unknown word"}]}`
	_, err = forecast("--campaign", "5")
	require.ErrorContains(t, err, "body.campaign.targeting")
}

const sampledExchange = `name: first
currencies: [PLN]
settle: {banner: billing, native: billing, video: impression}
may_profile: true
may_log: true
request_share: 1
timeout_ms: 60000
`

// What the bidder samples and holds out goes through a real Kafka: requests
// into the forecast of the same bidder, ghost bids into ClickHouse and the
// lift. Who was answered and who was not is the truth of it.
func TestForecastAndLiftThroughKafka(t *testing.T) {
	broker := kafkatest.Start(t)
	s := newStack(t, "--kafka", broker.Addr())
	s.args = slices.DeleteFunc(s.args, func(a string) bool { return a == "--demo" })
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "exchanges"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "exchanges", "first.yaml"), []byte(sampledExchange), 0o600))
	s.start(1)
	var admin client
	kafkatest.Eventually(t, "the console", func() error {
		key, err := os.ReadFile(filepath.Join(s.dir, "admin.key"))
		admin = client{t, "http://" + s.arg("--console") + "/api/v1", strings.TrimSpace(string(key))}
		if err == nil && !answers(t.Context(), "http://"+s.arg("--console")+"/openapi.json") {
			err = fmt.Errorf("the console does not answer")
		}
		return err
	})
	var shop, camp struct{ ID int }
	admin.call("POST", "/shops", `{"name": "Dom", "domain": "dom.example", "url": "https://dom.example/", "currency": "PLN", "time_zone": "Europe/Warsaw", "language": "pl"}`, &shop)
	path := fmt.Sprint("/shops/", shop.ID)
	status, got := admin.send("PUT", path+"/feed", "text/csv", strings.NewReader("id,title,link,image_link,price,availability\n"+
		"p1,Sofa,https://dom.example/p1,https://dom.example/p1.jpg,900 PLN,in stock\np2,Lampa,https://dom.example/p2,https://dom.example/p2.jpg,90 PLN,in stock\n"))
	require.Equal(t, 200, status, "%s", got)
	admin.call("POST", path+"/campaigns", `{"name": "All", "kind": "interest", "status": "active", "bid": {"cpm": "4"}, "holdout_bps": 5000, "creatives": [{"media": "banner"}]}`, &camp)
	var key struct{ Key string }
	admin.call("POST", path+"/keys", `{"name": "backend", "scopes": ["events"]}`, &key)
	shopEvents := client{t, "http://" + s.bidder + "/api/v1", key.Key}

	// ask returns the status and, of a 204, why. A busy machine's bidder refuses
	// some for its own sake, which says nothing of the person: they are asked
	// about again.
	ask := func(who string) (status int, why string) {
		t.Helper()
		body := `{"id":"r","cur":["PLN"],"at":2,"imp":[{"id":"1","bidfloor":0.5,"bidfloorcur":"PLN","banner":{"w":300,"h":250}}],"site":{"domain":"news.example"}` + who + `}`
		kafkatest.Eventually(t, "an answer to a request", func() error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.bidder+"/openrtb2/first", strings.NewReader(body))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("X-Grosz-Debug", "1")
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer res.Body.Close()
			if status, why = res.StatusCode, res.Header.Get("X-Grosz-Nobid"); why == "overload" || why == "no_time" {
				return errors.New(why)
			}
			return nil
		})
		return status, why
	}
	kafkatest.Eventually(t, "the campaign to be live", func() error {
		if status, why := ask(""); status != 200 {
			return fmt.Errorf("answered %d %s", status, why)
		}
		return nil
	})
	const people = 60
	ifa := func(i int) string { return fmt.Sprintf("6D92078A-8246-4BA4-AE5B-%012d", i) }
	var held []int
	for i := range people {
		switch status, why := ask(`,"device":{"ifa":"` + ifa(i) + `"}`); {
		case status == 200:
		case status == 204 && why == "holdout":
			held = append(held, i)
		default:
			t.Fatalf("answered %d %s", status, why)
		}
	}
	require.Greater(t, len(held), 10)
	require.Less(t, len(held), 50)
	for n, i := range held[:3] {
		var a struct{ Accepted int }
		shopEvents.call("POST", path+"/events", fmt.Sprintf(`{"events": [{"user": {"ifa": "%s"}, "type": "purchase", "order_id": "%d", "value": "100"}]}`, ifa(i), n), &a)
		require.Equal(t, 1, a.Accepted)
	}

	kafkatest.Eventually(t, "the lift to know who was held out", func() error {
		var l console.Lift
		if status, got := admin.send("GET", fmt.Sprintf("%s/campaigns/%d/lift", path, camp.ID), "", nil); status != 200 || json.Unmarshal(got, &l) != nil {
			return fmt.Errorf("%d: %s", status, got)
		}
		if int(l.Holdout.Users) != len(held) || int(l.Exposed.Users) != people-len(held) || l.Holdout.Orders != 3 || l.Exposed.Orders != 0 {
			return fmt.Errorf("held out %+v of %d, others %+v", l.Holdout, len(held), l.Exposed)
		}
		return nil
	})
	var counted struct {
		Data []struct{ Ghosts, Bids string }
	}
	require.NoError(t, s.query(`SELECT (SELECT count() FROM grosz.bids WHERE type = 'ghost_bid' AND win_ppb > 0) AS ghosts,
		(SELECT count() FROM grosz.bids WHERE type = 'bid' AND user != 0) AS bids`, &counted))
	require.Equal(t, fmt.Sprint(len(held)), counted.Data[0].Ghosts)
	require.Equal(t, fmt.Sprint(people-len(held)), counted.Data[0].Bids)

	kafkatest.Eventually(t, "the sample of requests to be replayed", func() error {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"forecast", "--console", s.arg("--console"), "--data", s.dir, "--shop", fmt.Sprint(shop.ID), "--campaign", fmt.Sprint(camp.ID), "--json"},
			env{nil, &out, &out, nil}); err != nil {
			return err
		}
		var f console.Forecast
		if err := json.Unmarshal(out.Bytes(), &f); err != nil {
			return err
		}
		if f.Basis != "replay" || f.Bids < people || f.Impressions.High <= 0 {
			return fmt.Errorf("%+v", f)
		}
		return nil
	})
}
