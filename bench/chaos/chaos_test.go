package chaos

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo answers every line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	return l.Addr().String()
}

func ask(t *testing.T, c net.Conn, wait time.Duration) (string, error) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(wait))
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

func TestAProxyPassesOnCutsAndGoesSilent(t *testing.T) {
	p, err := NewProxy(echo(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", p.Addr())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := dial()
	got, err := ask(t, c, 30*time.Second)
	require.NoError(t, err)
	require.Equal(t, "hello\n", got)
	p.Set(Slow)
	_, err = ask(t, c, 30*time.Second)
	require.NoError(t, err, "late, and all of it")
	p.Set(Silent)
	_, err = ask(t, c, 300*time.Millisecond)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "open, and nobody there")
	p.Set(Through)
	_, err = ask(t, c, 30*time.Second)
	require.Error(t, err, "a connection that was silent does not come back")
	c = dial()
	_, err = ask(t, c, 30*time.Second)
	require.NoError(t, err)
	p.Set(Cut)
	_, err = ask(t, c, 30*time.Second)
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "reset, and told")
}

func TestTheProberTellsInTimeFromLateAndFromNothing(t *testing.T) {
	mode := make(chan int, 3)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case m := <-mode:
			if m == http.StatusNoContent {
				w.Header().Set("X-Grosz-Nobid", "lease")
			}
			w.WriteHeader(m)
		default:
			w.WriteHeader(http.StatusOK)
		}
	}))
	defer srv.Close()
	p := newProber(srv.URL, time.Hour, time.Minute)
	began := time.Now().Add(-time.Second)
	for _, m := range []int{http.StatusNoContent, http.StatusInternalServerError, http.StatusOK} {
		mode <- m
		p.ask(t.Context(), p.note())
	}
	p.note() // never answered
	got := p.between(began, time.Now())
	require.Equal(t, tally{asked: 4, inTime: 2, bids: 1, why: map[string]int{"lease": 1, "": 2}}, got)
	_, ok := p.bidAfter(began)
	require.True(t, ok)
	p.tmax = 0
	require.Zero(t, p.between(began, time.Now()).inTime, "all are late")
}

func TestTornFilesKeepWhatWasWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	path := filepath.Join(t.TempDir(), "f")
	for _, made := range []bool{false, true} {
		whole := append([]byte("record one.."), make([]byte, 4096)...)
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		require.NoError(t, HalfWrite(path, made, rng))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "record one..", string(b[:12]))
		if made {
			require.Len(t, b, len(whole))
		} else {
			require.Greater(t, len(b), len(whole))
		}
	}
	require.NoError(t, CutFile(path, rng))
	require.NoError(t, CutFile(path+".none", rng))
	require.NoError(t, HalfWrite(path+".none", true, rng))
}

func TestARunWithoutFaultsIsRefused(t *testing.T) {
	_, err := Run(context.Background(), Config{})
	require.Error(t, err)
}

// Every fault comes once before any comes again, and as often as is asked for.
func TestEveryFaultIsPlayedAsOftenAsIsAskedFor(t *testing.T) {
	c := Config{Faults: []Fault{{Name: "a"}, {Name: "b"}, {Name: "c"}}, Rounds: 2}
	next := c.order(rand.New(rand.NewPCG(1, 1)))
	times := map[string]int{}
	for i := range 6 {
		f, ok := next()
		require.True(t, ok)
		times[f.Name]++
		if i == 2 {
			require.Equal(t, map[string]int{"a": 1, "b": 1, "c": 1}, times)
		}
	}
	require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 2}, times)
	_, ok := next()
	require.False(t, ok)
	_, ok = (&Config{Faults: c.Faults}).order(rand.New(rand.NewPCG(1, 1)))()
	require.False(t, ok, "no time and no rounds")
}

func TestLateAnswersAreHeldAgainstTheCalm(t *testing.T) {
	var out bytes.Buffer
	c := Config{InTime: 0.9, Out: &out}
	all := []Outcome{{Name: Calm, Asked: 100, InTime: 90}, {Name: "slow", Asked: 100, InTime: 80}, {Name: "slow", Asked: 100, InTime: 81}, {Name: "dead", Asked: 9, Deaf: true}}
	err := c.late(all)
	require.ErrorIs(t, err, ErrLate)
	require.ErrorContains(t, err, "slow: 161 of 200")
	require.NotContains(t, err.Error(), "dead")
	all[1].InTime = 81
	require.NoError(t, c.late(all))
	require.Empty(t, out.String())
	all = append(all, Outcome{Name: "starved", Asked: 10, InTime: 7, Due: 40}, Outcome{Name: "late", Asked: 35, InTime: 7, Due: 40})
	err = c.late(all)
	require.ErrorContains(t, err, "late: 7 of 35")
	require.NotContains(t, err.Error(), "starved", "the harness itself had no processor")
	require.Contains(t, out.String(), "starved: of 40 requests 10 could be sent")
}

// What was late, or could not be judged, is played again, and all its times
// count: one bad time may be chance, every time is not.
func TestWhatIsInDoubtIsPlayedAgain(t *testing.T) {
	var out bytes.Buffer
	c := Config{InTime: 0.9, Out: &out, Faults: []Fault{{Name: "fine"}, {Name: "late"}, {Name: "starved"}, {Name: "dead", Deaf: true}}}
	all := []Outcome{
		{Name: Calm, Asked: 100, InTime: 100}, {Name: "fine", Asked: 40, InTime: 40, Due: 40}, {Name: "late", Asked: 40, InTime: 32, Due: 40},
		{Name: "starved", Asked: 10, InTime: 10, Due: 40}, {Name: "dead", Asked: 9, Due: 40, Deaf: true},
	}
	names := func() (out []string) {
		for _, f := range c.doubtful(all) {
			out = append(out, f.Name)
		}
		return out
	}
	require.Equal(t, []string{"late", "starved"}, names())
	again := append(all, Outcome{Name: "late", Asked: 40, InTime: 33, Due: 40})
	require.ErrorContains(t, c.late(again), "late: 65 of 80")
	out.Reset()
	again = append(all, Outcome{Name: "late", Asked: 40, InTime: 40, Due: 40}, Outcome{Name: "starved", Asked: 110, InTime: 110, Due: 120})
	require.NoError(t, c.late(again))
	require.Empty(t, out.String())
	all = again
	require.Empty(t, names())
}
