package events

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWantedRoundTrip(t *testing.T) {
	id := rapid.Custom(func(t *rapid.T) (out ID) {
		copy(out[:], rapid.SliceOfN(rapid.Byte(), len(out), len(out)).Draw(t, "id"))
		out[0] |= 1
		return out
	})
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab 09\"\\/<>\nąłż€")), 1, 20, -1)
	rapid.Check(t, func(t *rapid.T) {
		want := Wanted{
			EventID: id.Draw(t, "event"), Partner: text.Draw(t, "partner"), Licence: text.Draw(t, "licence"), Consent: text.Draw(t, "consent"),
			ReceivedMS: rapid.Int64Range(1, 1<<45).Draw(t, "received"), ExpiresMS: rapid.Int64Range(1<<45, 1<<46).Draw(t, "expires"),
			UID: id.Draw(t, "uid"), Text: text.Draw(t, "text"), Strength: rapid.Int64Range(1, 1000).Draw(t, "strength"), Node: text.Draw(t, "node"),
		}
		line := want.AppendJSON(nil)
		var d Decoder
		var got []Wanted
		require.NoError(t, d.Wanteds(append(line, line...), func(_ int, e *Wanted) error {
			got = append(got, *e)
			return nil
		}), "%s", line)
		require.Equal(t, []Wanted{want, want}, got)
	})
}
