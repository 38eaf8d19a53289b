package clock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain gives this process a StepFile before anybody asks for the time: it
// is looked for once.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "clock-test-")
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "clock")
	if err := errors.Join(Step(path, 0), os.Setenv(StepFile, path)); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// settable is a clock that is set beside the time that passes.
type settable struct{ Manual }

func (c *settable) SteadyMS() int64 { return 1000 }

func TestAWatchSeesAClockThatIsSet(t *testing.T) {
	for _, c := range []struct {
		name string
		by   time.Duration
		want time.Duration
	}{
		{"not at all", 0, 0},
		{"drawn forth", time.Second, 0},
		{"drawn back", -time.Second, 0},
		{"an hour forth", time.Hour, time.Hour},
		{"five minutes back", -5 * time.Minute, -5 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			clk := &settable{}
			clk.Set(1_000_000_000)
			w := NewWatch(clk)
			clk.Advance(c.by)
			now, by := w.Look()
			require.Equal(t, clk.NowMS(), now)
			require.Equal(t, c.want.Milliseconds(), by)
			_, by = w.Look()
			require.Zero(t, by, "once")
		})
	}
}

func TestTimeOfATestPassesAndIsNotSet(t *testing.T) {
	c := NewManual(0)
	w := NewWatch(c)
	c.Advance(24 * time.Hour)
	_, by := w.Look()
	require.Zero(t, by)
}

func TestTheSystemsClockIsNotSetByItself(t *testing.T) {
	w := NewWatch(System{})
	_, by := w.Look()
	require.Zero(t, by)
	require.GreaterOrEqual(t, System{}.SteadyMS(), int64(0))
}

// A StepFile moves the clock in a program that was built for it, and in no
// other.
func TestAStepFile(t *testing.T) {
	path := os.Getenv(StepFile)
	for _, by := range []time.Duration{time.Hour, -5 * time.Minute, 0} {
		require.NoError(t, Step(path, by))
		want := time.Duration(0)
		if CanStep {
			want = by
		}
		at := time.UnixMilli(System{}.NowMS())
		require.WithinDuration(t, time.Now().Add(want), at, time.Minute)
	}
	require.Error(t, Step(filepath.Join(path, "none"), 0))
}
