package openrtb

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKeysWithEscapes: JSON may write any letter of a key as an escape (RFC 8259 § 7), and it is the same key: a block
// list, a person's wish or a floor under one is not to be missed.
func TestKeysWithEscapes(t *testing.T) {
	for name, body := range map[string]string{
		"one letter": `{"id":"1","b\u0063at":["IAB7"],"regs":{"\u0067dpr":1},"imp":[{"id":"a","bidfl\u006for":2.5,"bann\u0065r":{"w":300,"h":250}}]}`,
		"every letter": `{"\u0069\u0064":"1","\u0062\u0063\u0061\u0074":["IAB7"],"\u0072egs":{"\u0067\u0064\u0070\u0072":1},` +
			`"\u0069\u006d\u0070":[{"\u0069d":"a","\u0062idfloor":2.5,"\u0062anner":{"\u0077":300,"\u0068":250}}]}`,
		"beside strange keys": `{"a\"b":1,"\\":{"imp":[]},"\u0000":[],"id":"1","bcat":["IAB7"],"regs":{"gdpr":1},"imp":[{"id":"a","bidfloor":2.5,"\u0062anner" :{"w":300,"h":250}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			var r Request
			require.NoError(t, r.Parse([]byte(body)))
			require.Equal(t, "1", r.ID)
			require.Equal(t, []string{"IAB7"}, r.BCat)
			require.Equal(t, Yes, r.Regs.GDPR)
			require.Len(t, r.Imps, 1)
			require.Equal(t, "a", r.Imps[0].ID)
			require.EqualValues(t, 2_500_000, r.Imps[0].BidFloor.Micro)
			require.True(t, r.Imps[0].Banner.Present)
			require.EqualValues(t, 300, r.Imps[0].Banner.W)
		})
	}
	var r Request
	require.ErrorContains(t, r.Parse([]byte(`{"id":"1","b\u0063at`)), "key without end")
}
