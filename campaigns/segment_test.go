package campaigns

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
)

func ruleSegment(id uint32, name, expr string) *Segment {
	return &Segment{ID: id, ShopID: 7, Version: 1, Name: name, Source: SegmentRule, Expression: expr}
}

func testUser(n byte) (u segments.UserKey) {
	u[0], u[15] = n, 1
	return u
}

func audience(segment uint32, atS uint32, users ...segments.UserKey) []*AudienceBucket {
	byBucket := map[int][]byte{}
	for _, u := range users {
		b := rules.AudienceBucket(u)
		byBucket[b] = rules.AppendMember(byBucket[b], u, atS)
	}
	var out []*AudienceBucket
	for b, m := range byBucket {
		out = append(out, &AudienceBucket{ShopID: 7, SegmentID: segment, Bucket: b, Members: rules.SortMembers(m)})
	}
	return out
}

func targeted(id uint32, targeting string) *Campaign {
	return &Campaign{
		ID: id, ShopID: 7, Status: StatusActive, Targeting: targeting, Bid: Bid{CPM: 10 * money.CPMUnit, MaxCPM: 20 * money.CPMUnit},
		Creatives: []Creative{{ID: 1, Media: MediaBanner}},
	}
}

func matchedIDs(s *Snapshot, f *Facts, m *Matcher) []uint32 {
	out := []uint32{}
	for _, i := range s.Match(f, m) {
		out = append(out, s.Campaigns[i].ID)
	}
	return out
}

const testNow = 1_773_144_000_000

func TestSegmentsMatch(t *testing.T) {
	in := Input{
		Shops: []*Shop{testShop(7), testShop(8)},
		Segments: []*Segment{
			ruleSegment(1, "Viewers", "viewed within 7d"), ruleSegment(2, "Buyers", "is_buyer"),
			{ID: 3, ShopID: 7, Name: "CRM list", Source: SegmentImport},
		},
		Audiences: audience(3, testNow/1000, testUser(2), testUser(3)),
		Campaigns: []*Campaign{
			targeted(1, `segment "viewers"`), targeted(2, `known and not segment "Buyers"`),
			targeted(3, `in segment "crm list" and not segment in ("Buyers", "viewers")`), targeted(4, `segment "CRM LIST"`),
		},
	}
	s, problems := Compile(in)
	require.Empty(t, problems)
	store, err := segments.NewStore(segments.Config{})
	require.NoError(t, err)
	engine, err := rules.New(rules.Config{}, store, nil)
	require.NoError(t, err)
	put := func(n byte, p segments.Profile) { store.Put(testUser(n), 7, &p) }
	put(1, segments.Profile{Activity: segments.Activity{Last: testNow / 1000, LastView: testNow / 1000}})
	buy(store, 2, 1, 1)
	m := NewMatcher()
	for _, c := range []struct {
		name   string
		user   byte
		barred bool
		want   []uint32
	}{
		{"a viewer", 1, false, []uint32{1, 2}},
		{"a buyer on the list", 2, false, []uint32{4}},
		{"on the list, without a profile", 3, false, []uint32{3, 4}},
		{"on the list, and forgotten since", 3, true, []uint32{}},
		{"unknown", 4, false, []uint32{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &Facts{NowMS: testNow, User: testUser(c.user)}
			f.Profiles = store.Lookup(f.User, nil)
			if c.barred {
				f.Barred = func(segments.UserKey, uint32, uint32) bool { return true }
			} else {
				engine.SetNow(testNow)
				engine.Install(7, s.Shop(7).Segments.Set)
				for !engine.Backfill(testNow, 1000) {
				}
				f.Members = engine.Lookup(f.User, nil)
			}
			assert.ElementsMatch(t, c.want, matchedIDs(s, f, m))
		})
	}
}

func TestSegmentsThatAreMissing(t *testing.T) {
	in := Input{
		Shops:    []*Shop{testShop(7), testShop(8)},
		Segments: []*Segment{ruleSegment(1, "Viewers", "viewed"), ruleSegment(2, "VIEWERS", "known"), ruleSegment(3, "broken", "cart_value > 5 EUR")},
		Campaigns: []*Campaign{
			targeted(1, `known and not segment "nobody"`), targeted(2, `segment "viewers"`), targeted(3, `segment "broken"`),
			{ID: 4, ShopID: 8, Status: StatusActive, Targeting: `segment "viewers"`, Bid: Bid{CPM: 1}, Creatives: []Creative{{Media: MediaBanner}}},
		},
	}
	s, problems := Compile(in)
	require.Len(t, s.Campaigns, 1, "an exclusion that is not there must not let everybody in")
	assert.EqualValues(t, 2, s.Campaigns[0].ID)
	keys := map[string]string{}
	for _, p := range problems {
		keys[p.Key] = p.Err.Error()
	}
	assert.Contains(t, keys["campaign/1"], `the shop has no segment "nobody"`)
	assert.Contains(t, keys["campaign/1"], "column 23")
	assert.Contains(t, keys["campaign/4"], "no segment", "a segment of shop 7 is none of shop 8")
	assert.Contains(t, keys["segment/2"], "another segment")
	assert.Contains(t, keys["segment/3"], "currency is PLN")
}

func TestSegmentRuleErrors(t *testing.T) {
	for _, c := range []struct {
		expr string
		pos  int
		msg  string
	}{
		{"", 0, "empty"},
		{`viewed and domain = "x.pl"`, 11, "not about the shop's visitor"},
		{`known and segment "vip"`, 10, "cannot name a segment"},
		{`vistied within 3d`, 0, "not a predicate"},
		{`cart_value > 3 EUR`, 15, "currency is PLN"},
	} {
		var se *SyntaxError
		require.ErrorAs(t, CheckSegmentRule(c.expr, testShop(7)), &se, c.expr)
		assert.Equal(t, c.pos, se.Pos, c.expr)
		assert.Contains(t, se.Msg, c.msg)
	}
	own := SegmentTemplatesIn("pl", money.MustCurrency("PLN"))
	for i, tpl := range SegmentTemplates(money.MustCurrency("PLN")) {
		require.Equal(t, tpl.Expression, own[i].Expression)
		require.NotEqual(t, tpl.Name, own[i].Name, "a name in Polish")
		require.NotEqual(t, tpl.Description, own[i].Description)
		assert.NoError(t, CheckSegmentRule(tpl.Expression, testShop(7)), tpl.Template)
	}
	has := func(key string) bool { return key == "vip" }
	assert.NoError(t, CheckTargetingNamed(`segment "VIP"`, testShop(7), has))
	assert.ErrorContains(t, CheckTargetingNamed(`known or segment "nope"`, testShop(7), has), `column 18: the shop has no segment "nope"`)
	assert.Equal(t, []string{"a b", "c"}, SegmentNames(`segment "A  B" and not segment in ("c", "a b") and known`))
	bad := Segment{Name: "!", Source: "magic", ValueBPS: -1, MaxBPS: 5, TTLDays: -3}
	err := bad.Check(testShop(7))
	for _, want := range []string{"names nothing", "value_bps", "max_bps", "ttl_days", "rule or import"} {
		assert.ErrorContains(t, err, want)
	}
}

func TestSegmentsChangeThePrice(t *testing.T) {
	segs := []*Segment{ruleSegment(1, "Known", "known"), ruleSegment(2, "Dear", "is_buyer"), ruleSegment(3, "Cheap", "views > 100")}
	segs[0].ValueBPS, segs[1].ValueBPS, segs[1].MaxBPS, segs[2].ValueBPS = 15_000, 20_000, 12_500, 5_000
	s, problems := Compile(Input{Shops: []*Shop{testShop(7)}, Segments: segs, Campaigns: []*Campaign{targeted(1, "")}})
	require.Empty(t, problems)
	m := NewMatcher()
	for _, c := range []struct {
		name string
		p    *segments.Profile
		want money.CPM
	}{
		{"nobody", nil, 10 * money.CPMUnit},
		{"known", &segments.Profile{}, 15 * money.CPMUnit},
		{"a buyer: 10 × 1.5 × 2, bounded by 20 × 1.25", &segments.Profile{Shopping: segments.Shopping{Orders: 1}}, 25 * money.CPMUnit},
		{"many views: 10 × 1.5 × 0.5", &segments.Profile{Activity: segments.Activity{Views: 101}}, 7_500_000},
	} {
		f := &Facts{NowMS: testNow}
		if c.p != nil {
			f.User, f.Profiles = testUser(1), []segments.ShopProfile{{Shop: 7, Profile: *c.p}}
		}
		require.Len(t, s.Match(f, m), 1, c.name)
		assert.Equal(t, c.want, s.BidCPM(0, m), c.name)
	}
	boosts := s.ExplainBoosts(0, m)
	assert.Equal(t, []BoostResult{{Boost{`segment "Known"`, 15_000}, true}, {Boost{`segment "Cheap"`, 5_000}, true}}, boosts)
}

// What did not change its meaning keeps its rule, and nobody is worked out
// again; what did has another.
func TestSegmentsKeepTheirRules(t *testing.T) {
	c := NewCompiler()
	docs := NewDocs()
	apply := func(r *Record) *CompiledSegments {
		_, err := docs.Apply(r)
		require.NoError(t, err)
		s, problems := c.Compile(docs.Input())
		require.Empty(t, problems)
		return s.Shop(7).Segments
	}
	seg := func(version int64, id uint32, name, expr string, value int64) *Record {
		s := ruleSegment(id, name, expr)
		s.ValueBPS = value
		return &Record{Key: fmt.Sprint("segment/", id), Version: version, Segment: s}
	}
	_, err := docs.Apply(&Record{Key: "shop/7", Version: 1, Shop: testShop(7)})
	require.NoError(t, err)
	one := apply(seg(2, 1, "A", "known", 0))
	assert.Same(t, one.Set, apply(seg(3, 1, "A", "known", 20_000)).Set, "a price is no meaning")
	two := apply(seg(4, 2, "B", "is_buyer", 0))
	assert.Same(t, one.Set.Rule(0), two.Set.Rule(0))
	three := apply(seg(5, 1, "A", "viewed", 0))
	assert.NotSame(t, two.Set.Rule(0), three.Set.Rule(0))
	four := apply(&Record{Key: "segment/1", Version: 6, Deleted: true})
	assert.Nil(t, four.Set.Rule(0))
	assert.Same(t, two.Set.Rule(1), four.Set.Rule(1))
	five := apply(seg(7, 9, "C", "visited", 0))
	assert.EqualValues(t, 9, five.Set.Rule(0).ID, "a free place is taken")
	lists := audience(9, 5, testUser(1))
	_, err = docs.Apply(&Record{Key: fmt.Sprintf("audience/9/%d", lists[0].Bucket), Version: 8, Audience: lists[0]})
	require.NoError(t, err)
	assert.ErrorContains(t, func() error {
		_, err := docs.Apply(&Record{Key: "audience/9/1", Version: 9, Audience: &AudienceBucket{SegmentID: 9, Bucket: 1, Members: []byte{1}}})
		return err
	}(), "20")
}

// Whatever the engine has worked out by now, a campaign that names a segment
// matches as one that holds the rule itself.
func TestSegmentsAsTheirRuleFromScratch(t *testing.T) {
	exprs := []string{"known", "viewed within 1d", "not purchased within 2d", "abandoned within 3d", "orders > 1 or viewed within 1h", "days_since_purchase >= 2"}
	in := Input{Shops: []*Shop{testShop(7)}}
	for i, e := range exprs {
		id := uint32(i + 1)
		in.Segments = append(in.Segments, ruleSegment(id, fmt.Sprint("s", id), e))
		in.Campaigns = append(in.Campaigns, targeted(id, fmt.Sprintf("segment \"s%d\"", id)), targeted(id+100, "known and ("+e+")"),
			targeted(id+200, fmt.Sprintf("known and not segment \"s%d\"", id)), targeted(id+300, "known and not ("+e+")"))
	}
	s, problems := Compile(in)
	require.Empty(t, problems)
	m := NewMatcher()
	rapid.Check(t, func(t *rapid.T) {
		store, _ := segments.NewStore(segments.Config{})
		engine, _ := rules.New(rules.Config{}, store, nil)
		now := int64(testNow)
		engine.SetNow(now)
		at := func(what string) uint32 {
			return uint32(now/1000 - rapid.SampledFrom([]int64{0, 1799, 1800, 3600, 86_400, 172_800, 300_000}).Draw(t, what))
		}
		p := segments.Profile{
			Activity: segments.Activity{Last: at("last"), LastView: at("view")},
			Shopping: segments.Shopping{LastCart: at("cart")},
		}
		p.Cart[0] = rapid.Uint64Range(0, 1).Draw(t, "line")
		if rapid.Bool().Draw(t, "installed") {
			engine.Install(7, s.Shop(7).Segments.Set)
		}
		store.Put(testUser(1), 7, &p)
		buy(store, 1, rapid.IntRange(0, 3).Draw(t, "orders"), at("purchase"))
		now += 1000 * rapid.SampledFrom([]int64{0, 1, 1800, 86_400, 200_000}).Draw(t, "pass")
		if rapid.Bool().Draw(t, "ticked") {
			engine.Tick(now, 100)
		}
		f := &Facts{NowMS: now, User: testUser(1), Profiles: store.Lookup(testUser(1), nil), Members: engine.Lookup(testUser(1), nil)}
		got := map[uint32]bool{}
		for _, id := range matchedIDs(s, f, m) {
			got[id] = true
		}
		for i, e := range exprs {
			id := uint32(i + 1)
			if got[id] != got[id+100] || got[id+200] != got[id+300] || got[id] == got[id+200] {
				t.Fatalf("%q: segment %v, rule %v; not segment %v, not rule %v", e, got[id], got[id+100], got[id+200], got[id+300])
			}
		}
	})
}

func TestSegmentMatchAllocatesNothing(t *testing.T) {
	in := Input{Shops: []*Shop{testShop(7)}}
	for i := uint32(1); i <= 200; i++ {
		seg := ruleSegment(i, fmt.Sprint("s", i), fmt.Sprintf("viewed within %dd", i))
		seg.ValueBPS = 10_001
		in.Segments = append(in.Segments, seg)
		in.Campaigns = append(in.Campaigns, targeted(i, fmt.Sprintf("segment \"s%d\"", i)))
	}
	s, problems := Compile(in)
	require.Empty(t, problems)
	store, _ := segments.NewStore(segments.Config{})
	engine, _ := rules.New(rules.Config{}, store, nil)
	engine.SetNow(testNow)
	engine.Install(7, s.Shop(7).Segments.Set)
	p := segments.Profile{Activity: segments.Activity{LastView: testNow/1000 - 100*86_400}}
	store.Put(testUser(1), 7, &p)
	m := NewMatcher()
	f := &Facts{}
	run := func() {
		f.Reset()
		f.NowMS, f.User = testNow, testUser(1)
		f.Profiles = store.Lookup(f.User, f.Profiles)
		f.Members = engine.Lookup(f.User, f.Members)
		if n := len(s.Match(f, m)); n != 101 {
			panic(fmt.Sprint("101 campaigns match, not ", n))
		}
		if s.BidCPM(0, m) <= 10*money.CPMUnit {
			panic("the price was not multiplied")
		}
	}
	run()
	assert.Zero(t, testing.AllocsPerRun(100, run))
}

func BenchmarkMatchSegments(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := Input{Shops: []*Shop{testShop(7)}}
			for i := uint32(1); i <= uint32(n); i++ {
				in.Segments = append(in.Segments, ruleSegment(i, fmt.Sprint("s", i), fmt.Sprintf("viewed within %dd and views > %d", i, i%7)))
				in.Campaigns = append(in.Campaigns, targeted(i, fmt.Sprintf("segment \"s%d\"", i)))
			}
			s, problems := Compile(in)
			require.Empty(b, problems)
			store, _ := segments.NewStore(segments.Config{})
			engine, _ := rules.New(rules.Config{}, store, nil)
			engine.SetNow(testNow)
			engine.Install(7, s.Shop(7).Segments.Set)
			p := segments.Profile{Activity: segments.Activity{Views: 9, LastView: uint32(testNow/1000 - int64(n-5)*86_400)}}
			store.Put(testUser(1), 7, &p)
			m := NewMatcher()
			f := &Facts{NowMS: testNow, User: testUser(1), Profiles: store.Lookup(testUser(1), nil)}
			b.ReportAllocs()
			for b.Loop() {
				f.Members = engine.Lookup(f.User, f.Members[:0])
				if len(s.Match(f, m)) != 6 {
					b.Fatal("6 campaigns match")
				}
			}
		})
	}
}

// buy has a user buy n times at a moment, in seconds.
func buy(store *segments.Store, user byte, n int, at uint32) {
	for i := range n {
		name := fmt.Sprintf("order-%d", i)
		store.Apply(&events.ShopEvent{
			EventID: events.NamedID(7, "order", name), Type: events.ShopPurchase, TimeMS: int64(at) * 1000, ShopID: 7,
			UID: events.ID(testUser(user)), OrderID: name, Value: money.NanoUnit,
		})
	}
}

// Floors refuse by the most that a campaign can bid: boosts and segments
// never lead beyond it, whoever the user is.
func TestNothingIsDearerThanTheTop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bps := func(what string) int64 {
			return rapid.SampledFrom([]int64{0, 5_000, 10_001, 15_000, 33_333}).Draw(t, what)
		}
		var segs []*Segment
		for id := range uint32(3) {
			seg := ruleSegment(id+1, fmt.Sprintf("s%d", id+1), []string{"known", "is_buyer", "views >= 2"}[id])
			seg.ValueBPS, seg.MaxBPS = bps("value"), max(bps("max"), 10_000)
			segs = append(segs, seg)
		}
		c := targeted(1, "")
		c.Bid = Bid{CPM: money.CPM(rapid.Int64Range(1, 50*int64(money.CPMUnit)).Draw(t, "cpm"))}
		for i := range rapid.IntRange(0, 3).Draw(t, "boosts") {
			c.Bid.Boosts = append(c.Bid.Boosts, Boost{When: []string{"known", "views >= 1", "not is_buyer"}[i], BPS: bps("boost") + 1})
		}
		if rapid.Bool().Draw(t, "bounded") {
			c.Bid.MaxCPM = c.Bid.CPM + money.CPM(rapid.Int64Range(0, 50*int64(money.CPMUnit)).Draw(t, "above"))
		}
		s, problems := Compile(Input{Shops: []*Shop{testShop(7)}, Segments: segs, Campaigns: []*Campaign{c}})
		if len(problems) > 0 || len(s.Campaigns) == 0 {
			return
		}
		store, _ := segments.NewStore(segments.Config{})
		store.Put(testUser(1), 7, &segments.Profile{Activity: segments.Activity{Last: testNow / 1000, Views: rapid.Uint32Range(0, 3).Draw(t, "views")}})
		buy(store, 1, rapid.IntRange(0, 1).Draw(t, "orders"), testNow/1000)
		m, f := NewMatcher(), &Facts{NowMS: testNow, User: testUser(1), Profiles: store.Lookup(testUser(1), nil)}
		require.Equal(t, []int32{0}, s.Match(f, m))
		top, _ := s.TopCPM(0)
		if got := s.BidCPM(0, m); got > top {
			t.Fatalf("bids %v, its top is %v", got, top)
		}
	})
}
