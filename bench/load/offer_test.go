//go:build linux

package load

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func offerTo(h http.HandlerFunc, t *testing.T, change func(*Offer)) *Offered {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	o := &Offer{
		URL: srv.URL, Bodies: [][]byte{[]byte(`{"id":"1","tmax":20000}`), []byte(`{"id":"2","tmax":30000}`)}, Rate: 200,
		Warm: 100 * time.Millisecond, Duration: 600 * time.Millisecond, Connections: 8, Patience: 10 * time.Second,
	}
	change(o)
	got, err := o.Run(t.Context())
	require.NoError(t, err)
	return got
}

func TestOfferCountsEveryRequestOnce(t *testing.T) {
	var came, said atomic.Int64
	got := offerTo(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Grosz-Debug") != "" {
			said.Add(1)
		}
		switch came.Add(1) % 4 {
		case 0:
			w.Header().Set("X-Grosz-Nobid", "overload")
			w.WriteHeader(http.StatusNoContent)
		case 1:
			w.Header().Set("X-Grosz-Nobid", "targeting")
			w.WriteHeader(http.StatusNoContent)
		case 2:
			_, _ = w.Write(bytes.Repeat([]byte("x"), 2000))
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}, t, func(o *Offer) { o.Reason, o.Useless, o.Ask = "X-Grosz-Nobid", []string{"overload"}, "X-Grosz-Debug: 1" })
	require.EqualValues(t, 120, got.Due, "200 a second for 0.6 s, those of the warm-up left out")
	require.Equal(t, came.Load(), said.Load())
	require.EqualValues(t, 140, came.Load())
	require.EqualValues(t, 120, got.InTime)
	require.InDelta(t, 60, got.Shed, 2, "sheds and errors are of no use")
	require.InDelta(t, 30, got.Bids, 2)
	require.Zero(t, got.Late+got.Unsent+got.Broken)
	require.EqualValues(t, 120, got.Latency.TotalCount())
	require.Greater(t, got.P(99), time.Duration(0))
}

// TestOfferCountsFromWhenItWasDue: what a server stalls is in the latency of
// all that were due meanwhile.
func TestOfferCountsFromWhenItWasDue(t *testing.T) {
	const stall = 300 * time.Millisecond
	var came atomic.Int64
	got := offerTo(func(w http.ResponseWriter, _ *http.Request) {
		if came.Add(1) == 30 {
			time.Sleep(stall)
		}
		w.WriteHeader(http.StatusNoContent)
	}, t, func(o *Offer) { o.Connections = 1 })
	require.EqualValues(t, 120, got.InTime)
	require.Greater(t, got.P(90), stall/2, "half of the requests were due while it stood still")
}

func TestOfferTellsLateFromUnsent(t *testing.T) {
	slow := func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(100 * time.Millisecond)
		w.WriteHeader(http.StatusNoContent)
	}
	got := offerTo(slow, t, func(o *Offer) { o.Bodies = [][]byte{[]byte(`{"tmax":30}`)}; o.Connections = 1000 })
	require.Equal(t, got.Due, got.Late, "each has a connection, and its answer is late")
	require.Equal(t, got.Due, got.Latency.TotalCount())
	got = offerTo(slow, t, func(o *Offer) { o.Connections, o.Patience = 1, time.Millisecond })
	require.Equal(t, got.Due, got.Unsent+got.InTime+got.Late)
	require.Greater(t, got.Unsent, got.Due/2, "one connection carries ten a second of 200")
}

func TestOfferDialsAgain(t *testing.T) {
	var came atomic.Int64
	got := offerTo(func(w http.ResponseWriter, _ *http.Request) {
		if came.Add(1)%10 == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusNoContent)
	}, t, func(*Offer) {})
	require.InDelta(t, 14, got.Broken, 3)
	require.EqualValues(t, 120, got.Due)
	require.Equal(t, got.Due, got.InTime+got.Late)
}

func TestOfferNamesWhatIsWrong(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone := "http://" + ln.Addr().String()
	require.NoError(t, ln.Close())
	good := Offer{URL: gone, Bodies: bodies(), Rate: 100, Duration: time.Second, Connections: 1}
	for name, change := range map[string]func(*Offer){
		"nobody there": func(*Offer) {},
		"no http URL":  func(o *Offer) { o.URL = "ftp://x" },
		"no bodies":    func(o *Offer) { o.Bodies = nil },
		"no rate":      func(o *Offer) { o.Rate = 0 },
		"no time":      func(o *Offer) { o.Duration = 0 },
		"connections":  func(o *Offer) { o.Connections = -1 },
	} {
		o := good
		change(&o)
		_, err := o.Run(t.Context())
		require.ErrorContains(t, err, "load: ", name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	o := good
	o.URL = srv.URL
	_, err = o.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestClimbPrintsEveryStep(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer srv.Close()
	steps := []Step{{Target: Target{Name: "a", URL: srv.URL}, Top: 400, Times: 0.5}, {Target: Target{Name: "b", URL: srv.URL}, Top: 100, Times: 3}}
	o := Offer{Bodies: [][]byte{[]byte(`{"tmax":20000}`)}, Duration: 200 * time.Millisecond, Connections: 4}
	require.NoError(t, Climb(t.Context(), o, steps, 2))
	require.EqualValues(t, 80, steps[0].Got.Due)
	require.EqualValues(t, 120, steps[1].Got.Due)
	require.Len(t, steps[1].P99s, 2)
	require.InDelta(t, 300, steps[1].PerSecond(), 1)
	var out bytes.Buffer
	PrintSteps(&out, steps)
	require.Contains(t, out.String(), "3.00")
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 20)
	f.Add([]byte("HTTP/1.1 204 No Content\r\nX-Grosz-Nobid: overload\r\n\r\n"), 5)
	f.Add([]byte("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n"), 0)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		a, whole, err := parseAnswer(text, "X-Grosz-Nobid")
		if whole && (err != nil || a.status < -99 || a.status > 999) {
			t.Fatalf("%q: %+v %v", text, a, err)
		}
		// What is whole is not whole without its end.
		if cut = len(text) - 1 - max(cut, 0); whole && cut >= 0 {
			if _, early, _ := parseAnswer(text[:cut], ""); early {
				t.Fatalf("%q is whole %d bytes before its end", text, len(text)-cut)
			}
		}
	})
}
