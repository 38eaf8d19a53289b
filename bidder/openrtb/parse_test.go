package openrtb

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dump writes all that a view shows.
func dump(r *Request) string {
	view := *r
	view.scanner, view.slabs = scanner{}, slabs{}
	view.Imps = append([]Imp(nil), r.Imps...)
	return fmt.Sprintf("%+v", view)
}

func parse(t testing.TB, body string) *Request {
	t.Helper()
	r := new(Request)
	require.NoError(t, r.Parse([]byte(body)))
	return r
}

// oneImp reads a request with one imp, given its members.
func oneImp(t testing.TB, members string) *Imp {
	t.Helper()
	r := parse(t, `{"id":"x","imp":[{`+members+`}]}`)
	require.Len(t, r.Imps, 1)
	return &r.Imps[0]
}

func file(t testing.TB, name string) *Request {
	t.Helper()
	body, err := os.ReadFile("testdata/requests/" + name + ".json")
	require.NoError(t, err)
	return parse(t, string(body))
}

func set(v int32) Int { return Int{V: v, Set: true} }

func TestOddNumbers(t *testing.T) {
	r := file(t, "odd_numbers")
	assert.Equal(t, "12345", r.ID)
	assert.EqualValues(t, 250, r.TMax)
	assert.Equal(t, set(1), r.At)
	assert.False(t, r.Test)
	assert.True(t, r.AllImps)
	assert.Equal(t, []string{"PLN"}, r.Cur)
	assert.Equal(t, []string{"IAB1"}, r.BCat)
	assert.Equal(t, []string{"101", "a.example"}, r.BAdv)
	m := &r.Imps[0]
	assert.Equal(t, "7", m.ID)
	assert.True(t, m.Instl)
	assert.Equal(t, Yes, m.Secure)
	assert.Equal(t, Price{Micro: 500_000, Set: true}, m.BidFloor)
	assert.EqualValues(t, 300, m.Exp)
	assert.EqualValues(t, 160, m.Banner.W)
	assert.EqualValues(t, 600, m.Banner.H)
	assert.Equal(t, set(3), m.Banner.Pos)
	assert.Equal(t, No, m.Banner.TopFrame)
	assert.Equal(t, []int32{1, 2, 3}, m.Banner.BAttr)
	assert.Equal(t, []int32{5}, m.Banner.API)
	assert.Equal(t, "26003", r.Device.Carrier)
	assert.Equal(t, "7", r.Device.OS)
	assert.EqualValues(t, 1000, r.Device.W)
	assert.Equal(t, Yes, r.Device.DNT)
	assert.Equal(t, No, r.Device.Lmt)
	assert.Equal(t, "10115", r.Device.Geo.Zip)
	assert.True(t, r.Device.Geo.HasLatLon)
	assert.EqualValues(t, 52_500_000, r.Device.Geo.LatE6)
	assert.EqualValues(t, 13_250_000, r.Device.Geo.LonE6)
	assert.Equal(t, OddNumber, r.Odd, "only the x in battr")
	assert.EqualValues(t, 1, r.OddCount)
}

func TestOddNothing(t *testing.T) {
	r := file(t, "odd_nothing")
	assert.Zero(t, r.Odd)
	m := r.Imps[0]
	assert.Equal(t, Banner{Present: true, W: 300, H: 250}, m.Banner)
	m.Banner = Banner{}
	assert.Equal(t, Imp{ID: "1"}, m)
	r.Imps = nil
	want := &Request{ID: "nothing", Regs: Regs{Present: true}, Source: Source{Present: true}, Oddities: Oddities{OddAt: -1}}
	assert.Equal(t, dump(want), dump(r))
}

func TestOddTypes(t *testing.T) {
	r := file(t, "odd_types")
	assert.Empty(t, r.ID)
	require.Len(t, r.Imps, 1, "what is no object is no imp")
	m := &r.Imps[0]
	assert.False(t, m.Banner.Present || m.Video.Present)
	assert.Equal(t, Price{Odd: true}, m.BidFloor)
	assert.Equal(t, Absent, m.Secure)
	assert.False(t, m.Instl)
	assert.Zero(t, m.Exp)
	assert.Zero(t, m.Multiplier)
	assert.True(t, m.Native.Present)
	assert.Empty(t, m.Native.Request)
	assert.False(t, r.Site.Present || r.App.Present || r.Device.Geo.Present)
	assert.True(t, r.Device.Present)
	assert.Zero(t, r.Device.W)
	assert.Empty(t, r.User.EIDs)
	assert.Equal(t, []Data{{ID: "one", Segments: []Segment{{ID: "lone"}}}}, r.User.Data)
	assert.Equal(t, Absent, r.Regs.GDPR)
	assert.Empty(t, r.Regs.GPPSID)
	assert.Zero(t, r.TMax)
	assert.Equal(t, OddNumber|OddFlag|OddPrice|OddString|OddObject, r.Odd&^OddList)
	assert.EqualValues(t, 6, r.OddAt, "the id")
}

func TestLoneObjects(t *testing.T) {
	r := file(t, "odd_lone_objects")
	require.Len(t, r.Imps, 1)
	assert.Equal(t, []Format{{W: 300, H: 250}}, r.Imps[0].Banner.Formats)
	assert.Equal(t, []Deal{{ID: "d", BidFloor: Price{Micro: 2_000_000, Set: true}}}, r.Imps[0].PMP.Deals)
	assert.Equal(t, []EID{{Source: "s", UIDs: []UID{{ID: "u"}}}}, r.User.EIDs)
	assert.Zero(t, r.Odd)
}

func TestFloors(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Price
	}{
		{"whole", "2", Price{2_000_000, true, false}},
		{"zero", "0", Price{0, true, false}},
		{"cents", "0.01", Price{10_000, true, false}},
		{"one micro", "0.000001", Price{1, true, false}},
		{"below a micro goes up", "0.0000001", Price{1, true, false}},
		{"seven digits go up", "12.3456781", Price{12_345_679, true, false}},
		{"trailing zeros do not", "12.345678000", Price{12_345_678, true, false}},
		{"a float's dust", "0.30000000000000004", Price{300_001, true, false}},
		{"exponent", "1e-2", Price{10_000, true, false}},
		{"capital exponent", "15E+1", Price{150_000_000, true, false}},
		{"tiny", "1e-300", Price{1, true, false}},
		{"string", `"0.5"`, Price{500_000, true, false}},
		{"spaced string", `" 0.5 "`, Price{500_000, true, false}},
		{"no digit before the point", `".5"`, Price{500_000, true, false}},
		{"negative", "-1", Price{0, true, true}},
		{"negative zero", "-0.0", Price{0, true, false}},
		{"too large", "1e300", Price{MaxPrice, true, true}},
		{"many digits", "99999999999999999999999999", Price{MaxPrice, true, true}},
		{"largest", "1000000000", Price{MaxPrice, true, false}},
		{"just above it", "1000000000.000001", Price{MaxPrice, true, true}},
		{"null", "null", Price{}},
		{"empty", `""`, Price{}},
		{"NaN", "NaN", Price{Odd: true}},
		{"word", `"cheap"`, Price{Odd: true}},
		{"comma", `"0,5"`, Price{Odd: true}},
		{"bool", "true", Price{Odd: true}},
		{"list", "[1]", Price{Odd: true}},
		{"point only", `"."`, Price{Odd: true}},
		{"exponent without digits", `"1e"`, Price{Odd: true}},
		{"two points", `"1.2.3"`, Price{Odd: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, end := range []string{"", " ", `,"exp":1`} {
				assert.Equal(t, c.want, oneImp(t, `"bidfloor":`+c.text+end).BidFloor)
			}
		})
	}
}

func TestIntegers(t *testing.T) {
	for _, c := range []struct {
		text string
		want Int
	}{
		{"1", set(1)}, {"0", set(0)}, {"-2", set(-2)}, {"999999999", set(999_999_999)}, {"2147483647", set(2147483647)},
		{"2147483648", Int{}}, {"-2147483647", set(-2147483647)}, {"1e400", Int{}}, {"1.5", Int{}}, {"160.0", set(160)},
		{"1.6e2", set(160)}, {`"160"`, set(160)}, {`"160.0"`, set(160)}, {`"-1"`, set(-1)}, {"true", set(1)}, {"false", set(0)},
		{"007", set(7)}, {"null", Int{}}, {`""`, Int{}}, {"{}", Int{}}, {`"x"`, Int{}}, {"NaN", Int{}}, {"Infinity", Int{}},
		{`"\u0031"`, Int{}}, {"12345678901234567890", Int{}}, {"1e-1", Int{}}, {"100e-2", set(1)},
	} {
		t.Run(c.text, func(t *testing.T) {
			assert.Equal(t, c.want, parse(t, `{"at":`+c.text+`}`).At)
			assert.Equal(t, c.want, parse(t, `{"at":`+c.text+` , "x":1}`).At)
		})
	}
}

func TestDuplicates(t *testing.T) {
	r := parse(t, `{"id":"a","id":"b","id":null,"imp":[{"id":"1"},{"id":"2"}],"imp":[{"id":"3"}],"tmax":5,"tmax":"x",
		"site":{"id":"s","page":"p"},"site":{"page":"q"},"bcat":["A"],"bcat":["B","C"]}`)
	assert.Equal(t, "b", r.ID, "null does not count")
	require.Len(t, r.Imps, 1)
	assert.Equal(t, "3", r.Imps[0].ID)
	assert.EqualValues(t, 5, r.TMax, "x is no number")
	assert.Equal(t, "s", r.Site.ID)
	assert.Equal(t, "q", r.Site.Page)
	assert.Equal(t, []string{"B", "C"}, r.BCat)
}

// TestPlacements has every order of what 2.6 and 2.5 put into different places.
func TestPlacements(t *testing.T) {
	for _, c := range []struct{ name, body string }{
		{"2.6", `{"regs":{"coppa":1,"gdpr":1,"us_privacy":"U","gpp":"G","gpp_sid":[2],"dsa":{"dsarequired":3}},
			"user":{"consent":"C","eids":[{"source":"e"}]},"source":{"schain":{"ver":"1.0"}},"imp":[{"rwdd":1}]}`},
		{"2.5", `{"regs":{"coppa":1,"ext":{"gdpr":1,"us_privacy":"U","gpp":"G","gpp_sid":[2],"dsa":{"dsarequired":3}}},
			"user":{"ext":{"consent":"C","eids":[{"source":"e"}]}},"source":{"ext":{"schain":{"ver":"1.0"}}},"imp":[{"ext":{"rewarded":1}}]}`},
		{"both, ext first", `{"regs":{"ext":{"coppa":0,"gdpr":0,"us_privacy":"x","gpp":"x","gpp_sid":[9],"dsa":{"dsarequired":1}},
			"coppa":1,"gdpr":1,"us_privacy":"U","gpp":"G","gpp_sid":[2],"dsa":{"dsarequired":3}},
			"user":{"ext":{"consent":"x","eids":[{"source":"x"}]},"consent":"C","eids":[{"source":"e"}]},
			"source":{"ext":{"schain":{"ver":"x"}},"schain":{"ver":"1.0"}},"imp":[{"ext":{"rewarded":0},"rwdd":1}]}`},
		{"both, ext last", `{"regs":{"coppa":1,"gdpr":1,"us_privacy":"U","gpp":"G","gpp_sid":[2],"dsa":{"dsarequired":3},
			"ext":{"coppa":0,"gdpr":0,"us_privacy":"x","gpp":"x","gpp_sid":[9],"dsa":{"dsarequired":1}}},
			"user":{"consent":"C","eids":[{"source":"e"}],"ext":{"consent":"x","eids":[{"source":"x"}]}},
			"source":{"schain":{"ver":"1.0"},"ext":{"schain":{"ver":"x"}}},"imp":[{"rwdd":1,"ext":{"rewarded":0}}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := parse(t, c.body)
			assert.Equal(t, Regs{Present: true, COPPA: Yes, GDPR: Yes, USPrivacy: "U", GPP: "G", GPPSID: []int32{2},
				DSA: DSA{Present: true, Required: set(3)}}, r.Regs)
			assert.Equal(t, User{Present: true, Consent: "C", EIDs: []EID{{Source: "e"}}}, r.User)
			assert.Equal(t, SChain{Present: true, Ver: "1.0"}, r.Source.SChain)
			assert.True(t, r.Imps[0].Rewarded)
		})
	}
}

func TestRewardedForms(t *testing.T) {
	r := file(t, "rewarded_25")
	for i, m := range r.Imps {
		assert.Equal(t, i < 5, m.Rewarded, "imp %s", m.ID)
	}
}

func TestExtensionsAndQuantities(t *testing.T) {
	gp := file(t, "gpid")
	assert.Equal(t, "/1/a", gp.Imps[0].GPID)
	assert.Equal(t, "/1/c", gp.Imps[1].GPID)
	screen := file(t, "dooh")
	assert.EqualValues(t, 14_200_000, screen.Imps[0].Multiplier)
	assert.EqualValues(t, -33_868_800, screen.Device.Geo.LatE6)
	dsa := file(t, "both_placements").Regs.DSA
	assert.Equal(t, DSA{Present: true, Required: set(3), PubRender: set(0), DataToPub: set(2)}, dsa)
	assert.EqualValues(t, 7, file(t, "site_full").Site.Content.Data[0].SegTax)
	assert.Equal(t, []int32{3}, file(t, "video_midroll").Imps[0].Video.Protocols, "the deprecated protocol")
	site := parse(t, `{"site":{"keywords":["a","b"]}}`).Site
	assert.Equal(t, []string{"a", "b"}, site.KwArray, "a list in place of the string")
	far := parse(t, `{"device":{"geo":{"lat":91,"lon":0}}}`)
	assert.False(t, far.Device.Geo.HasLatLon)
	assert.Equal(t, OddNumber, far.Odd)
}

func TestStrings(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		odd              Odd
	}{
		{"plain", `"abc"`, "abc", 0},
		{"empty", `""`, "", 0},
		{"simple escapes", `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t", 0},
		{"unicode", `"\u017c\u00f3\u0142w"`, "żółw", 0},
		{"pair", `"\ud83e\udd8a!"`, "🦊!", 0},
		{"lone high", `"\ud83ex"`, "\uFFFDx", 0},
		{"lone low", `"\udd8a"`, "\uFFFD", 0},
		{"high and no low", `"\ud83e\u0041"`, "\uFFFDA", 0},
		{"upper case hex", `"\u00E9"`, "é", 0},
		{"bad hex", `"\u00zz"`, "\uFFFD00zz", OddString},
		{"short hex", `"\u12"`, "\uFFFD12", OddString},
		{"unknown escape", `"\q"`, "q", OddString},
		{"control character", "\"a\x01b\"", "a\x01b", 0},
		{"not UTF-8", "\"a\xffb\"", "a\xffb", 0},
		{"number", `17.50`, "17.50", 0},
		{"true", `true`, "", OddString},
		{"object", `{"a":1}`, "", OddString},
		{"null", `null`, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, pad := range []string{"", "                  "} {
				r := parse(t, `{"id":`+c.text+pad+`}`)
				assert.Equal(t, c.want, r.ID)
				assert.Equal(t, c.odd, r.Odd)
			}
		})
	}
}

func TestNextKeyword(t *testing.T) {
	var got []string
	for k, rest := NextKeyword(" a,, b c ,"); k != ""; k, rest = NextKeyword(rest) {
		got = append(got, k)
	}
	assert.Equal(t, []string{"a", "b c"}, got)
}

func TestOr(t *testing.T) {
	assert.EqualValues(t, 4, Int{}.Or(4))
	assert.EqualValues(t, 0, set(0).Or(4))
	assert.True(t, Absent.Or(true))
	assert.False(t, No.Or(true))
	assert.True(t, Yes.Or(false))
}
