package traffic

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/clock"
)

func TestTheLastGoodListStays(t *testing.T) {
	dir := t.TempDir()
	bots, ips := filepath.Join(dir, "bots.txt"), filepath.Join(dir, "ips.txt")
	stamp := time.Unix(1_700_000_000, 0)
	write := func(path, text string) {
		stamp = stamp.Add(time.Second)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, stamp, stamp))
	}
	c, log := clock.NewManual(1_773_144_000_000), slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg := WatchConfig{Crawlers: []string{bots}, DataCentres: []string{ips}}
	write(bots, "x\n")
	_, err := NewWatch(cfg, c, log)
	require.ErrorContains(t, err, "line 1")
	require.ErrorContains(t, err, "ips.txt", "all that is wrong at once")
	write(bots, "firstbot\n")
	write(ips, "192.0.2.0/24\n")
	w, err := NewWatch(cfg, c, log)
	require.NoError(t, err)
	require.Equal(t, Crawler, w.Check("FirstBot/1", ""))
	require.Equal(t, DataCentre, w.Check(chrome, "192.0.2.1"))
	require.Equal(t, None, w.Check(chrome, "192.0.3.1"))

	poll := func() (bool, error) {
		c.Advance(time.Minute)
		return w.Poll()
	}
	write(bots, "secondbot\n")
	changed, err := w.Poll()
	require.NoError(t, err)
	require.False(t, changed, "not yet time")
	changed, err = poll()
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, None, w.Check("FirstBot/1", ""))
	require.Equal(t, Crawler, w.Check("SecondBot/1", ""))
	require.Equal(t, Crawler, w.Check(google, ""), "the built-in ones stay")

	write(bots, "thirdbot\n?\n")
	changed, err = poll()
	require.ErrorContains(t, err, "bots.txt: line 2")
	require.False(t, changed)
	require.Equal(t, Crawler, w.Check("SecondBot/1", ""))
	require.EqualValues(t, 1, w.Stats().FilesFailing)
	_, err = poll()
	require.NoError(t, err, "said once")
	require.NoError(t, os.Remove(ips))
	_, err = poll()
	require.Error(t, err)
	_, err = poll()
	require.NoError(t, err)
	require.Equal(t, DataCentre, w.Check(chrome, "192.0.2.1"))
	write(ips, "")
	_, err = poll()
	require.ErrorIs(t, err, errEmpty)
	write(bots, "thirdbot\n")
	write(ips, "198.51.100.0/24\n")
	changed, err = poll()
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, None, w.Check(chrome, "192.0.2.1"))
	require.Equal(t, Crawler, w.Check("ThirdBot", ""))
	st := w.Stats()
	require.Zero(t, st.FilesFailing)
	require.Equal(t, 1, st.Prefixes)
	require.NotZero(t, st.Checked[Crawler])
}
