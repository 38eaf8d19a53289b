package openrtb

import (
	"encoding/json"
	"testing"

	"github.com/prebid/openrtb/v20/native1/request"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/jsontext"
)

func native(t *testing.T, name string) *Native {
	t.Helper()
	n := &file(t, name).Imps[0].Native
	require.True(t, n.Present)
	return n
}

var fullNative = NativeRequest{
	Ver: "1.2", Context: 2, ContextSubType: 20, PlcmtType: 4, PlcmtCnt: set(2), Privacy: true, AURLSupport: true,
	Assets: []NativeAsset{
		{ID: set(1), Required: true, Title: NativeTitle{Present: true, Len: 60}},
		{ID: set(2), Required: true, Img: NativeImg{Present: true, Type: 3, W: 1200, H: 627, WMin: 600, HMin: 314, MIMEs: []string{"image/jpeg"}}},
		{ID: set(3), Img: NativeImg{Present: true, Type: 1, WMin: 50, HMin: 50}},
		{ID: set(4), Data: NativeData{Present: true, Type: 2, Len: 90}},
		{ID: set(5), Video: NativeVideo{Present: true, MinDuration: 5, MaxDuration: 30, MIMEs: []string{"video/mp4"}, Protocols: []int32{2, 3}}},
	},
	EventTrackers: []EventTracker{{Event: 1, Methods: []int32{1, 2}}, {Event: 2, Methods: []int32{1}}},
	Oddities:      Oddities{OddAt: -1},
}

// shown leaves out what a native request uses to read.
func shown(q *NativeRequest) NativeRequest {
	v := *q
	v.scanner, v.text, v.assets, v.trackers = scanner{}, nil, nil, nil
	return v
}

func TestNativeForms(t *testing.T) {
	var q NativeRequest
	for _, name := range []string{"native_string", "native_object", "native_string"} {
		require.NoError(t, q.Parse(native(t, name)), name)
		assert.Equal(t, fullNative, shown(&q), name)
	}
	require.NoError(t, q.Parse(native(t, "native_wrapped")))
	assert.Equal(t, NativeRequest{Ver: "1.0", Layout: 3, AdUnit: 4, Oddities: Oddities{OddAt: -1}, Assets: []NativeAsset{
		{ID: set(11), Required: true, Title: NativeTitle{Present: true, Len: 25}},
		{ID: set(12), Data: NativeData{Present: true, Type: 12}},
	}}, shown(&q))
	require.NoError(t, q.Parse(native(t, "native_unicode")))
	assert.Equal(t, set(0), q.Assets[0].ID, "0 is an id")
	q.Reset()
	assert.Equal(t, NativeRequest{Oddities: Oddities{OddAt: -1}}, shown(&q))
}

func TestNativeRefused(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"nothing", ``, ErrNativeSyntax},
		{"words", `ask the sales team`, ErrNativeSyntax},
		{"list", `[]`, ErrNativeSyntax},
		{"cut short", `{"assets":[{"id":1}`, ErrNativeSyntax},
		{"text behind", `{"assets":[{"id":1}]} x`, ErrNativeSyntax},
		{"empty object", `{}`, ErrNativeNoAssets},
		{"no assets", `{"ver":"1.2"}`, ErrNativeNoAssets},
		{"empty assets", `{"assets":[]}`, ErrNativeNoAssets},
		{"null assets", `{"assets":null}`, ErrNativeNoAssets},
		{"words for assets", `{"assets":["title"]}`, ErrNativeNoAssets},
		{"wrapped nothing", `{"native":null}`, ErrNativeNoAssets},
		{"one asset", `{"assets":[{"id":1,"title":{"len":9}}]}`, nil},
		{"lone asset", `{"assets":{"id":1,"title":{"len":9}}}`, nil},
		{"any image", `{"assets":[{"id":1,"img":{}}]}`, nil},
		{"strings for numbers", `{"assets":[{"id":"1","required":"1","img":{"w":"1","h":1.0}}],"plcmtcnt":"1"}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q NativeRequest
			assert.ErrorIs(t, q.Parse(&Native{Present: true, Request: c.text}), c.want)
			escaped := jsontext.AppendString(nil, c.text)
			body := append(append([]byte(`{"imp":[{"native":{"request":`), escaped...), `}}]}`...)
			n := parse(t, string(body)).Imps[0].Native
			assert.ErrorIs(t, q.Parse(&n), c.want)
		})
	}
}

func TestNativeImageOfAnySize(t *testing.T) {
	var q NativeRequest
	require.NoError(t, q.Parse(&Native{Request: `{"assets":[{"id":1,"img":{}}]}`}))
	assert.True(t, q.Assets[0].Img.Present)
}

// TestNativeAgainstReference compares with prebid's types over the corpus.
func TestNativeAgainstReference(t *testing.T) {
	var r Request
	var q NativeRequest
	compared := 0
	for _, s := range corpus(t) {
		require.NoError(t, r.Parse(s.body))
		for i := range r.Imps {
			if n := &r.Imps[i].Native; n.Present && nativeReference(t, &q, n) {
				compared++
			}
		}
	}
	assert.GreaterOrEqual(t, compared, 4)
}

// nativeReference reports whether the reference accepted the native request with assets.
func nativeReference(t testing.TB, q *NativeRequest, n *Native) bool {
	t.Helper()
	err := q.Parse(n)
	text := string(q.text)
	var want request.Request
	if json.Unmarshal([]byte(text), &want) != nil || len(want.Assets) == 0 || len(want.Assets) > maxAssets {
		return false
	}
	if !assert.NoError(t, err, text) {
		return false
	}
	c := checker{t}
	c.str("ver", want.Ver, q.Ver)
	c.int("context", int64(want.Context), q.Context)
	c.int("plcmttype", int64(want.PlcmtType), q.PlcmtType)
	if !assert.Len(t, q.Assets, len(want.Assets)) {
		return false
	}
	for i, w := range want.Assets {
		g := q.Assets[i]
		c.int("asset.id", w.ID, g.ID.V)
		c.flag01("asset.required", w.Required, g.Required)
		assert.Equal(t, w.Title != nil, g.Title.Present, "title")
		assert.Equal(t, w.Data != nil, g.Data.Present, "data")
		assert.Equal(t, w.Video != nil, g.Video.Present, "video")
		if assert.Equal(t, w.Img != nil, g.Img.Present, "img") && w.Img != nil {
			c.int("img.w", w.Img.W, g.Img.W)
			c.int("img.hmin", w.Img.HMin, g.Img.HMin)
			c.strs("img.mimes", w.Img.MIMEs, g.Img.MIMEs)
		}
	}
	assert.Len(t, q.EventTrackers, min(len(want.EventTrackers), maxTrackers))
	return true
}
