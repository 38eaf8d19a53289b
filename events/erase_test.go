package events

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func decodeErasures(msg []byte) (out []Erasure, err error) {
	var d Decoder
	err = d.Erasures(msg, func(_ int, e *Erasure) error { out = append(out, *e); return nil })
	return out, err
}

func TestErasuresComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Custom(func(t *rapid.T) (id ID) {
			copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
			id[0] |= 1
			return id
		})
		count := rapid.Int64Range(0, 1<<40)
		e := Erasure{EventID: id.Draw(t, "event"), Type: TypeErase, TimeMS: rapid.Int64Range(1, 1<<45).Draw(t, "time"),
			UID: id.Draw(t, "uid"), OptOut: rapid.Bool().Draw(t, "out"), Reason: rapid.String().Draw(t, "reason"), Node: "n"}
		r := e.Receipt(rapid.StringN(0, 20, 20).Draw(t, "node"), e.TimeMS+1)
		r.Profiles, r.Frequency, r.Matches = count.Draw(t, "p"), count.Draw(t, "f"), count.Draw(t, "m")
		r.Events, r.Bids, r.ShopEvents = count.Draw(t, "e"), count.Draw(t, "b"), count.Draw(t, "s")
		got, err := decodeErasures(r.AppendJSON(e.AppendJSON(nil)))
		require.NoError(t, err)
		e.Reason, r.Node = got[0].Reason, got[1].Node // bytes that are not UTF-8 are replaced
		require.Equal(t, []Erasure{e, r}, got)
	})
}

func TestAReceiptDoesNotNameThePerson(t *testing.T) {
	e := Erasure{EventID: EraseID(ID{9}, 5000), Type: TypeErase, TimeMS: 5000, UID: ID{9}}
	r := e.Receipt("n1", 6000)
	require.NotContains(t, string(r.AppendJSON(nil)), e.UID.String())
	require.Equal(t, e.EventID, r.EraseID)
	again := e.Receipt("n1", 7000)
	require.Equal(t, r.EventID, again.EventID, "one receipt per node")
	other := e.Receipt("n2", 6000)
	require.NotEqual(t, r.EventID, other.EventID)
	require.NotEqual(t, EraseID(ID{9}, 5000), EraseID(ID{8}, 5000))
	require.Equal(t, e.UID[:], e.Key())
	require.Equal(t, r.EraseID[:], r.Key())
}

func TestWhatIsNoErasureIsRefused(t *testing.T) {
	for name, line := range map[string]string{
		"nobody":         `{"v":1,"type":"erase","time":5}`,
		"no time":        `{"v":1,"type":"erase","uid":"01000000000000000000000000000000"}`,
		"another type":   `{"v":1,"type":"win","time":5,"uid":"01000000000000000000000000000000"}`,
		"of no erasure":  `{"v":1,"type":"erased","time":5}`,
		"another schema": `{"v":2,"type":"erase","time":5,"uid":"01000000000000000000000000000000"}`,
		"a broken id":    `{"v":1,"type":"erase","time":5,"uid":"01"}`,
		"no JSON":        `erase everybody`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeErasures([]byte(line))
			require.ErrorIs(t, err, ErrSchema)
		})
	}
}

func FuzzErasures(f *testing.F) {
	e := Erasure{EventID: ID{1}, Type: TypeErase, TimeMS: 5, UID: ID{2}, OptOut: true, Reason: "x"}
	f.Add(e.AppendJSON(nil))
	r := e.Receipt("n", 6)
	f.Add(r.AppendJSON(nil))
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, msg []byte) {
		got, err := decodeErasures(msg)
		if err != nil {
			return
		}
		var lines []byte
		for i := range got {
			lines = got[i].AppendJSON(lines)
		}
		again, err := decodeErasures(lines)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%v\n%v\n%v", err, got, again)
		}
	})
}
