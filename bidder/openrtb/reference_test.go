package openrtb

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/assert"
)

// The reference is encoding/json with prebid's types. This file says, field by field, that the view agrees with it
// wherever the reference accepts a request at all.

// reference compares the view of body with the reference. It reports whether the reference accepted body.
func reference(t testing.TB, r *Request, body []byte) bool {
	t.Helper()
	var want openrtb2.BidRequest
	if json.Unmarshal(body, &want) != nil {
		return false
	}
	if r.Truncated != 0 {
		return true
	}
	c := checker{t}
	c.str("id", want.ID, r.ID)
	c.flag01("test", want.Test, r.Test)
	c.int("at", want.AT, r.At.V)
	c.int("tmax", want.TMax, r.TMax)
	c.flag01("allimps", want.AllImps, r.AllImps)
	c.int("cattax", int64(want.CatTax), r.CatTax)
	for _, l := range []struct {
		name      string
		want, got []string
	}{
		{"wseat", want.WSeat, r.WSeat}, {"bseat", want.BSeat, r.BSeat}, {"cur", want.Cur, r.Cur}, {"wlang", want.WLang, r.WLang},
		{"wlangb", want.WLangB, r.WLangB}, {"acat", want.ACat, r.ACat}, {"bcat", want.BCat, r.BCat}, {"badv", want.BAdv, r.BAdv},
		{"bapp", want.BApp, r.BApp},
	} {
		c.strs(l.name, l.want, l.got)
	}
	if assert.Len(t, r.Imps, len(want.Imp)) {
		for i := range want.Imp {
			c.imp(&want.Imp[i], &r.Imps[i])
		}
	}
	if presence(c, "site", want.Site, r.Site.Present) {
		c.site(want.Site, &r.Site)
	}
	if presence(c, "app", want.App, r.App.Present) {
		c.app(want.App, &r.App)
	}
	if presence(c, "dooh", want.DOOH, r.DOOH.Present) {
		w, g := want.DOOH, &r.DOOH
		c.str("dooh.id", w.ID, g.ID)
		c.strs("dooh.venuetype", w.VenueType, g.VenueType)
		c.publisher(w.Publisher, &g.Publisher)
		c.content(w.Content, &g.Content)
	}
	if presence(c, "device", want.Device, r.Device.Present) {
		c.device(want.Device, &r.Device)
	}
	if presence(c, "user", want.User, r.User.Present) {
		c.user(want.User, &r.User)
	}
	if presence(c, "regs", want.Regs, r.Regs.Present) {
		c.regs(want.Regs, &r.Regs)
	}
	if presence(c, "source", want.Source, r.Source.Present) {
		c.source(want.Source, &r.Source)
	}
	return true
}

type checker struct{ t testing.TB }

// presence says whether there is something to compare. {} is nil to the view.
func presence[T any](c checker, name string, want *T, got bool) bool {
	c.t.Helper()
	if got && want == nil {
		c.t.Errorf("%s: present, but not to the reference", name)
		return false
	}
	if want == nil {
		return false
	}
	if !got && !reflect.ValueOf(want).Elem().IsZero() {
		c.t.Errorf("%s: absent, but not to the reference", name)
	}
	return got
}

func (c checker) str(name, want, got string) {
	c.t.Helper()
	if got = string([]rune(got)); got != want {
		c.t.Errorf("%s: %q, want %q", name, got, want)
	}
}

func (c checker) strs(name string, want, got []string) {
	c.t.Helper()
	valid := make([]string, len(got))
	for i := range got {
		valid[i] = string([]rune(got[i]))
	}
	if !slices.Equal(valid, want) {
		c.t.Errorf("%s: %q, want %q", name, valid, want)
	}
}

// int compares a number; what is out of range reads as absent.
func (c checker) int(name string, want int64, got int32) {
	c.t.Helper()
	if want < -math.MaxInt32 || want > math.MaxInt32 {
		want = 0
	}
	if int64(got) != want {
		c.t.Errorf("%s: %d, want %d", name, got, want)
	}
}

func (c checker) optional(name string, want *int64, got Int) {
	c.t.Helper()
	if want == nil {
		want = new(int64)
		if got.Set {
			c.t.Errorf("%s: set", name)
		}
	}
	c.int(name, *want, got.V)
}

func (c checker) flag(name string, want *int8, got Flag) {
	c.t.Helper()
	w := Absent
	if want != nil && (*want == 0 || *want == 1) {
		w = No + Flag(*want)
	}
	if w != got {
		c.t.Errorf("%s: %d, want %d", name, got, w)
	}
}

func (c checker) flag01(name string, want int8, got bool) {
	c.t.Helper()
	if (want == 1) != got {
		c.t.Errorf("%s: %t, want %d", name, got, want)
	}
}

// price compares with a float: to its precision, and never below it.
func (c checker) price(name string, want float64, got Price) {
	c.t.Helper()
	exact := min(max(want, 0)*1e6, MaxPrice)
	if d := float64(got.Micro) - exact; d < -1e-3-exact*1e-12 || d > 1+exact*1e-12 {
		c.t.Errorf("%s: %d micro, want %g", name, got.Micro, exact)
	}
	if (want < 0 || want > MaxPrice/1e6) != got.Odd {
		c.t.Errorf("%s: odd %t, want %g", name, got.Odd, want)
	}
}

func ints[T ~int8 | ~int64](c checker, name string, want []T, got []int32) {
	c.t.Helper()
	var w []int32
	for _, v := range want {
		if int64(v) >= -math.MaxInt32 && int64(v) <= math.MaxInt32 {
			w = append(w, int32(v))
		}
	}
	if !slices.Equal(w, got) {
		c.t.Errorf("%s: %v, want %v", name, got, w)
	}
}

func wide[T ~int8 | ~int64](p *T) *int64 {
	if p == nil {
		return nil
	}
	v := int64(*p)
	return &v
}
