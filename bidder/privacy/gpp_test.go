package privacy

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// usCase describes a section of the United States by its fields' places, as
// the sections' specifications list them; -1 for a field that is not there.
type usCase struct {
	name               string
	id, version        int
	fields             int // of two bits
	notices, optOuts   []int
	children           []int
	personal, provider int
	sensitive          int // the place of some sensitive field
}

var usCases = []usCase{
	{"national 1", 7, 1, 27, []int{0, 1, 2, 3}, []int{6, 7, 8}, []int{21, 22}, 23, 26, 9},
	{"national 2", 7, 2, 32, []int{0, 1, 2, 3}, []int{6, 7, 8}, []int{25, 26, 27}, 28, 31, 24},
	{"California", 8, 1, 20, []int{0, 1}, []int{3, 4}, []int{14, 15}, 16, 19, 2},
	{"Virginia", 9, 1, 17, []int{0, 1, 2}, []int{3, 4}, []int{13}, -1, 16, 12},
	{"Colorado", 10, 1, 16, []int{0, 1, 2}, []int{3, 4}, []int{12}, -1, 15, 11},
	{"Utah", 11, 1, 18, []int{0, 1, 2}, []int{4, 5}, []int{14}, -1, 17, 3},
	{"Connecticut", 12, 1, 19, []int{0, 1, 2}, []int{3, 4}, []int{13, 14, 15}, -1, 18, 12},
	{"Florida", 13, 1, 20, []int{0, 1, 2}, []int{3, 4}, []int{13, 14, 15}, 16, 19, 12},
	{"Montana", 14, 1, 20, []int{0, 1, 2}, []int{3, 4}, []int{13, 14, 15}, 16, 19, 12},
	{"Oregon", 15, 1, 23, []int{0, 1, 2}, []int{3, 4}, []int{16, 17, 18}, 19, 22, 15},
	{"Texas", 16, 1, 18, []int{0, 1, 2}, []int{3, 4}, []int{13}, 14, 17, 12},
	{"Delaware", 17, 1, 23, []int{0, 1, 2}, []int{3, 4}, []int{14, 15, 16, 17, 18}, 19, 22, 13},
	{"Iowa", 18, 1, 18, []int{0, 1, 2}, []int{4, 5}, []int{14}, -1, 17, 13},
	{"Nebraska", 19, 1, 18, []int{0, 1, 2}, []int{3, 4}, []int{13}, 14, 17, 12},
	{"New Hampshire", 20, 1, 20, []int{0, 1, 2}, []int{3, 4}, []int{13, 14, 15}, 16, 19, 12},
	{"New Jersey", 21, 1, 24, []int{0, 1, 2}, []int{3, 4}, []int{15, 16, 17, 18, 19}, 20, 23, 14},
	{"Tennessee", 22, 1, 18, []int{0, 1, 2}, []int{3, 4}, []int{13}, 14, 17, 12},
}

// allowing is a section that allows everything.
func (u *usCase) allowing() []int {
	f := make([]int, u.fields)
	for _, i := range u.notices {
		f[i] = 1
	}
	for _, i := range u.optOuts {
		f[i] = 2
	}
	f[u.provider] = 2
	return f
}

func TestUSSections(t *testing.T) {
	for _, u := range usCases {
		t.Run(u.name, func(t *testing.T) {
			with := func(place, value int) Reason {
				f := u.allowing()
				f[place] = value
				return usSection(uint32(u.id), usText(u.version, f...))
			}
			assert.Equal(t, ReasonNone, with(u.sensitive, 0))
			for v := range 4 {
				assert.Equal(t, ReasonNone, with(u.sensitive, v))
			}
			for _, p := range u.optOuts {
				assert.Equal(t, ReasonGPPOptOut, with(p, 1), "opt-out at %d", p)
				assert.Equal(t, ReasonGPPSectionUnreadable, with(p, 3))
				assert.Equal(t, ReasonNone, with(p, 0), "another was offered")
			}
			for _, p := range u.notices {
				assert.Equal(t, ReasonGPPNotice, with(p, 2), "notice at %d", p)
				assert.Equal(t, ReasonNone, with(p, 0))
			}
			for _, p := range u.children {
				for v := 1; v <= 3; v++ {
					assert.Equal(t, ReasonGPPChild, with(p, v), "child at %d", p)
				}
			}
			if u.personal >= 0 {
				assert.Equal(t, ReasonGPPNoPersonalConsent, with(u.personal, 1))
				assert.Equal(t, ReasonNone, with(u.personal, 2))
			}
			assert.Equal(t, ReasonGPPServiceProvider, with(u.provider, 1))
			assert.Equal(t, ReasonGPPNotice, usSection(uint32(u.id), usText(u.version, make([]int, u.fields)...)), "nothing offered")
			assert.Equal(t, ReasonGPPSectionUnknown, usSection(uint32(u.id), usText(3, u.allowing()...)))

			whole := usText(u.version, u.allowing()...)
			for n := range len(whole) - 1 {
				assert.Equal(t, ReasonGPPSectionUnreadable, usSection(uint32(u.id), whole[:n]), "cut at %d", n)
			}
			assert.Equal(t, ReasonNone, usSection(uint32(u.id), whole+"AAA"), "padded")
			assert.Equal(t, ReasonNone, usSection(uint32(u.id), whole+".QA"))
			assert.Equal(t, ReasonGPPGlobalPrivacyCtrl, usSection(uint32(u.id), whole+".YA"))
			assert.Equal(t, ReasonGPPGlobalPrivacyCtrl, usSection(uint32(u.id), whole+".YA.QA"))
			for _, bad := range []string{".", ".AA", ".wA", ".!A", ".QA."} {
				assert.Equal(t, ReasonGPPSectionUnreadable, usSection(uint32(u.id), whole+bad), bad)
			}
		})
	}
}

// TestPublishedGPPStrings reads strings of the GPP's specification, its
// reference implementations and go-gpp.
func TestPublishedGPPStrings(t *testing.T) {
	for _, c := range []struct {
		text string
		ids  []uint32
	}{
		{"DBAA", nil},
		{"DBABMA", []uint32{2}},
		{"DBABM", []uint32{2}},
		{"DBABTA", []uint32{6}},
		{"DBACNYA", []uint32{2, 6}},
		{"DBACNY", []uint32{2, 6}},
		{"DBABjw", []uint32{5, 6}},
		{"DBABBgA", []uint32{8}},
		{"DBABRgA", []uint32{9}},
		{"DBACOeA", []uint32{2, 5, 6}},
		{"DBACOaw", []uint32{2, 5, 6, 7, 8, 9, 10, 11, 12}},
		{"DBABrGA", []uint32{7, 8, 9, 10, 11, 12}},
	} {
		var ids [maxSectionText]uint32
		n, ok := gppSections(c.text, ids[:])
		require.True(t, ok, c.text)
		assert.Equal(t, c.ids, append([]uint32(nil), ids[:n]...), c.text)
	}
	all := "DBACOaw~CPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAAAA.QAAA.IAAA~CPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAA.YAAAAAAAAAA~1---" +
		"~BAAAAAAAAAA.QA~BAAAAAAA.QA~BAAAAAA~BAAAAAA.QA~BAAAAAAA~BAAAAAAA.QA"
	g := readGPP(all, us)
	assert.Equal(t, ReasonNone, g.why)
	assert.Equal(t, ReasonTCFUnreadable, g.tc.why, "vendor list 0")
	assert.Equal(t, ReasonGPPSectionUnknown, g.section[5])
	assert.Equal(t, ReasonNone, g.section[6])
	for id := 7; id <= 12; id++ {
		assert.Equal(t, ReasonGPPNotice, g.section[id], "all defaults: nothing was offered")
	}
}

func TestGPPStringsThatAreNone(t *testing.T) {
	var far row // one entry, a range from 1 to 65535: go-gpp would not end
	far.put(6, 3)
	far.put(6, 1)
	far.put(12, 1)
	far.put(1, 1)
	far.fibonacci(1)
	far.fibonacci(65534)
	var many row // 4,095 entries that are not there
	many.put(6, 3)
	many.put(6, 1)
	many.put(12, 4095)
	for name, s := range map[string]string{
		"header alone, a section promised": "DBABMA",
		"a section too few":                "DBACNYA~1YNN",
		"a section too many":               "DBABTA~1YNN~1YNN",
		"empty header":                     "~1YNN",
		"TC string":                        full().text(),
		"header version 2":                 "DCABTA~1YNN",
		"not base64":                       "DB!BTA~1YNN",
		"cut header":                       "DBAB~1YNN",
		"far range":                        far.text() + "~1YNN",
		"many entries":                     many.text() + "~1YNN",
		"too long":                         "DBABTA~" + string(make([]byte, MaxString)),
	} {
		assert.Equal(t, ReasonGPPUnreadable, readGPP(s, us).why, name)
	}
}

func TestGPPHeaderRoundTrip(t *testing.T) {
	for _, ids := range [][]int{{1}, {2, 6}, {5, 6, 7}, {2, 8, 21, 22}, {31, 32, 99, 65000}, {7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22}} {
		var sections []section
		for _, id := range ids {
			sections = append(sections, section{id, "B"})
		}
		text := gppText(sections...)
		var got [maxSectionText]uint32
		n, ok := gppSections(text[:slices.Index([]byte(text), '~')], got[:])
		require.True(t, ok, "%v", ids)
		for i := range ids {
			assert.EqualValues(t, ids[i], got[i])
		}
		assert.Len(t, ids, n)
	}
}
