package rules

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

const noonS = 1_773_144_000

func user(n int) (u segments.UserKey) {
	binary.LittleEndian.PutUint64(u[:], uint64(n+1)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(u[8:], uint64(n+1))
	return u
}

func ask(op segments.Op, within uint32) *Node {
	return &Node{Pred: segments.Predicate{Op: op, Within: within}}
}

func audienceOf(atS uint32, users ...int) *Audience {
	var b [AudienceBuckets][]byte
	for _, n := range users {
		i := AudienceBucket(user(n))
		b[i] = AppendMember(b[i], user(n), atS)
	}
	for i := range b {
		b[i] = SortMembers(b[i])
	}
	return NewAudience(b)
}

// model is an engine, its store, and what the test knows of both.
type model struct {
	store  *segments.Store
	e      *Engine
	nowS   int64
	rules  map[uint32][]*Rule // by shop and slot
	barred map[segments.UserKey]bool
	events uint32
	nextID uint32
	feeds  map[uint32]*segments.Margins // by shop
}

const shops, people = 2, 6

func newModel(t require.TestingT) *model {
	m := &model{nowS: noonS, rules: map[uint32][]*Rule{}, barred: map[segments.UserKey]bool{}, feeds: map[uint32]*segments.Margins{}}
	store, err := segments.NewStore(segments.Config{Shards: 1, MaxProfiles: 10, MaxOptOuts: 100, TTLMS: 5 * 86_400_000})
	require.NoError(t, err)
	m.start(t, store)
	return m
}

func (m *model) start(t require.TestingT, store *segments.Store) {
	var err error
	m.store = store
	m.e, err = New(Config{Shards: 2, MaxEntries: 1000}, store, func(u segments.UserKey, _ uint32) bool { return m.barred[u] })
	require.NoError(t, err)
	m.e.SetNow(m.nowS * 1000)
	for shop, r := range m.rules {
		m.e.Install(shop, NewSetWith(shop, r, m.feeds[shop]))
	}
}

// scratch evaluates a rule without the engine.
func (m *model) scratch(r *Rule, u segments.UserKey, shop uint32) bool {
	var p segments.Profile
	lent := &p
	if !m.store.LookupShop(u, shop, &p) {
		lent = nil
	}
	in, _ := r.Holds(u, lent, m.feeds[shop], m.nowS*1000)
	return in && (r.Audience() == nil || !m.barred[u] && !m.store.OptedOut(u, shop))
}

// check compares what the engine says it knows with evaluating from scratch;
// settled, it must know everything, and the sizes are exact.
func (m *model) check(t *rapid.T, settled bool) {
	want := map[uint32]int64{}
	for n := range people {
		u := user(n)
		found := m.e.Lookup(u, nil)
		for shop, rules := range m.rules {
			var mem *Member
			for i := range found {
				if found[i].Shop == shop {
					mem = &found[i]
				}
			}
			for slot, r := range rules {
				if r == nil {
					continue
				}
				in := m.scratch(r, u, shop)
				if in {
					want[r.ID]++
				}
				if mem == nil {
					if settled && in {
						t.Fatalf("user %d is in segment %d of shop %d, and the engine does not know the user", n, r.ID, shop)
					}
					continue
				}
				got, known := mem.Has(slot, r, m.nowS*1000)
				if known && got != in || settled && !known {
					t.Fatalf("user %d in segment %d of shop %d: %v (known %v), from scratch %v", n, r.ID, shop, got, known, in)
				}
			}
		}
	}
	if !settled {
		return
	}
	for shop := range m.rules {
		for _, s := range m.e.Sizes(shop) {
			if !s.Ready || s.Members != want[s.Segment] {
				t.Fatalf("segment %d has size %+v, from scratch %d", s.Segment, s, want[s.Segment])
			}
		}
	}
}

func drawRule(t *rapid.T, m *model) *Rule {
	m.nextID++
	if rapid.IntRange(0, 3).Draw(t, "import") == 0 {
		users := rapid.SliceOfDistinct(rapid.IntRange(0, people-1), func(n int) int { return n }).Draw(t, "members")
		return NewImport(m.nextID, audienceOf(uint32(m.nowS-rapid.Int64Range(0, 7200).Draw(t, "age")), users...),
			rapid.SampledFrom([]uint32{0, 3600, 86_400}).Draw(t, "ttl"))
	}
	var draw func(depth int) *Node
	draw = func(depth int) *Node {
		if op := rapid.SampledFrom([]Op{Ask, Ask, Not, And, Or}).Draw(t, "op"); depth > 0 && op != Ask {
			n := &Node{Op: op, Kids: []*Node{draw(depth - 1)}}
			if op != Not {
				n.Kids = append(n.Kids, draw(depth-1))
			}
			return n
		}
		return &Node{Pred: segments.Predicate{
			Op:  segments.Op(rapid.IntRange(0, int(segments.OpMargin)).Draw(t, "ask")),
			Cmp: segments.Cmp(rapid.IntRange(0, 5).Draw(t, "cmp")), Value: rapid.Int64Range(0, 3).Draw(t, "value"),
			Within: rapid.SampledFrom([]uint32{0, 60, 3600, 86_400}).Draw(t, "within"),
			Hash:   rapid.SampledFrom([]uint64{segments.ProductHash("a"), segments.ProductHash("a"), uint64(segments.NameHash("lead")), uint64(segments.NameHash("high")), 0}).Draw(t, "hash"),
		}}
	}
	return NewRule(m.nextID, draw(2))
}

func (m *model) event(t *rapid.T) {
	m.events++
	e := events.ShopEvent{
		ShopID: rapid.Uint32Range(1, shops).Draw(t, "shop"), UID: user(rapid.IntRange(0, people-1).Draw(t, "user")),
		Type:   rapid.SampledFrom(events.ShopTypes).Draw(t, "type"),
		TimeMS: (m.nowS - rapid.Int64Range(0, 4000).Draw(t, "late")) * 1000, Product: "a", Category: "c", Query: "q", Quantity: 1, Price: 1, Margin: 2,
		Name: rapid.SampledFrom([]string{"lead", "Lead ", "sign-up"}).Draw(t, "name"),
	}
	if e.Type == events.ShopOptOut && rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		e.Type = events.ShopProductView
	}
	e.ReceivedMS = m.nowS * 1000
	binary.LittleEndian.PutUint32(e.EventID[:], m.events)
	m.store.Apply(&e)
}

// edit makes, changes or deletes a segment of a shop, or the shop's all.
func (m *model) edit(t *rapid.T) {
	shop := rapid.Uint32Range(1, shops).Draw(t, "shop")
	if rapid.IntRange(0, 9).Draw(t, "drop") == 0 {
		delete(m.rules, shop)
		m.e.Install(shop, nil)
		return
	}
	list := append([]*Rule(nil), m.rules[shop]...)
	slot := rapid.SampledFrom([]int{0, 1, 2, 63, 64, 200}).Draw(t, "slot")
	for len(list) <= slot {
		list = append(list, nil)
	}
	list[slot] = nil
	if rapid.IntRange(0, 3).Draw(t, "delete") > 0 {
		list[slot] = drawRule(t, m)
	}
	m.rules[shop] = list
	m.e.Install(shop, NewSetWith(shop, list, m.feeds[shop]))
}

// feed tells other margins of a shop's products: rules that ask for them are
// others from here on.
func (m *model) feed(t *rapid.T) {
	shop := rapid.Uint32Range(1, shops).Draw(t, "shop")
	next := drawMargins(t, m.feeds[shop])
	if next == m.feeds[shop] {
		return
	}
	m.feeds[shop] = next
	list := append([]*Rule(nil), m.rules[shop]...)
	for slot, r := range list {
		if r != nil && r.OfMargins() {
			same := *r
			list[slot] = &same
		}
	}
	if list != nil {
		m.rules[shop] = list
		m.e.Install(shop, NewSetWith(shop, list, next))
	}
}

func drawMargins(t *rapid.T, old *segments.Margins) *segments.Margins {
	p := segments.ProductMargin{
		Product: segments.ProductHash("a"), BPS: rapid.Int64Range(0, 3).Draw(t, "bps"),
		Class: rapid.SampledFrom([]string{"", "high", "High ", "low"}).Draw(t, "class"),
	}
	return segments.NewMargins(old, func(yield func(segments.ProductMargin) bool) { yield(p) })
}

// restart brings the store back from a snapshot, with a new engine.
func (m *model) restart(t *rapid.T) {
	var b bytes.Buffer
	require.NoError(t, m.store.Snapshot(&b, nil))
	store, _, err := segments.Restore(&b, segments.Config{Shards: 1, MaxProfiles: 10, MaxOptOuts: 100, TTLMS: 5 * 86_400_000})
	require.NoError(t, err)
	m.start(t, store)
}

func (m *model) settle() {
	for m.e.Tick(m.nowS*1000, 1000) > 0 {
	}
	for !m.e.Backfill(m.nowS*1000, 1000) {
	}
}

// After any history the bits are what evaluating from scratch gives: what the
// engine says it knows at every moment, everything once it has had its turn.
func TestSegmentsFromScratch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		step := func(f func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) {
				f(t)
				m.check(t, false)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"event":  step(m.event),
			"event2": step(m.event),
			"edit":   step(m.edit),
			"feed":   step(m.feed),
			"time": step(func(t *rapid.T) {
				m.nowS += rapid.SampledFrom([]int64{1, 59, 1800, 3601, 90_000}).Draw(t, "by")
			}),
			"tick":     step(func(t *rapid.T) { m.e.Tick(m.nowS*1000, rapid.IntRange(1, 3).Draw(t, "n")) }),
			"backfill": step(func(t *rapid.T) { m.e.Backfill(m.nowS*1000, rapid.IntRange(1, 40).Draw(t, "n")) }),
			"sweep":    step(func(*rapid.T) { m.store.Sweep(m.nowS*1000, 100) }),
			"restart":  step(m.restart),
			"forget": step(func(t *rapid.T) {
				u := user(rapid.IntRange(0, people-1).Draw(t, "user"))
				m.barred[u] = true
				m.store.Erase(u, m.nowS*1000)
				m.e.Forget(u)
			}),
			"settle": func(t *rapid.T) {
				m.settle()
				m.check(t, true)
			},
		})
		m.settle()
		m.check(t, true)
	})
}

func TestEngineIsBounded(t *testing.T) {
	store, err := segments.NewStore(segments.Config{Shards: 1, MaxProfiles: 100})
	require.NoError(t, err)
	e, err := New(Config{Shards: 1, MaxEntries: 10}, store, nil)
	require.NoError(t, err)
	e.SetNow(noonS * 1000)
	e.Install(1, NewSet(1, []*Rule{NewRule(7, ask(segments.OpKnown, 0))}))
	for n := range 30 {
		store.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(n + 1), TimeMS: noonS * 1000})
	}
	s := e.Stats()
	assert.Equal(t, 10, s.Entries)
	assert.EqualValues(t, 20, s.Dropped)
	assert.Equal(t, []Size{{Segment: 7, Members: 10}}, e.Sizes(1), "not ready: the backfill has not run")
}

func TestNobodyKnowsNothing(t *testing.T) {
	m := newModel(t)
	assert.Empty(t, m.e.Lookup(segments.UserKey{}, nil))
	assert.Empty(t, m.e.Sizes(9))
	assert.Error(t, Config{Shards: 3}.Validate())
	assert.Error(t, Config{Shards: 64, MaxEntries: 10}.Validate())
	share, running := m.e.fill.status()
	assert.Equal(t, 1.0, share)
	assert.False(t, running)
}

func TestAudience(t *testing.T) {
	a := audienceOf(noonS, 3, 1, 2, 3)
	assert.Equal(t, 3, a.Len())
	for n := range 6 {
		at, ok := a.Has(user(n))
		assert.Equal(t, n >= 1 && n <= 3, ok, n)
		assert.Equal(t, ok, at == noonS)
	}
	one := AppendMember(nil, user(1), 1)
	b := AudienceBucket(user(1))
	assert.NoError(t, CheckMembers(b, one))
	assert.Error(t, CheckMembers((b+1)%AudienceBuckets, one))
	assert.Error(t, CheckMembers(b, one[:7]))
	assert.Error(t, CheckMembers(b, append(bytes.Clone(one), one...)))
	twice := SortMembers(AppendMember(AppendMember(nil, user(1), 5), user(1), 9))
	assert.Equal(t, AppendMember(nil, user(1), 9), twice, "the latest import stays")
}

// The lookup of a bid allocates nothing.
func TestLookupAllocatesNothing(t *testing.T) {
	e, _ := filled(t, 100, 20)
	dst := make([]Member, 0, 4)
	r := (*e.shops.Load())[1].set.rules[0]
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		dst = e.Lookup(user(5), dst[:0])
		if in, known := dst[0].Has(0, r, noonS*1000); !in || !known {
			panic("user 5 is not known")
		}
	}))
}

// manyRules are n different rules such as marketers write: a window, and half
// of them a second condition.
func manyRules(n int) []*Rule {
	out := make([]*Rule, n)
	for i := range out {
		root := ask(segments.OpVisited, uint32(86_400*(1+i%90)))
		switch i % 4 {
		case 1:
			root = &Node{Op: And, Kids: []*Node{root, {Pred: segments.Predicate{Op: segments.OpViews, Cmp: segments.GreaterOrEqual, Value: int64(i % 50)}}}}
		case 2:
			root = &Node{Pred: segments.Predicate{Op: segments.OpViewedCategory, Within: uint32(86_400 * (1 + i%30)), Hash: uint64(segments.CategoryHash(fmt.Sprint("category ", i%200)))}}
		case 3:
			root = &Node{Op: And, Kids: []*Node{ask(segments.OpViewed, uint32(3600*(1+i%48))), {Op: Not, Kids: []*Node{ask(segments.OpPurchased, uint32(86_400*(1+i%60)))}}}}
		}
		out[i] = NewRule(uint32(i+1), root)
	}
	return out
}

// filled is an engine with profiles at shop 1 and rules in force.
func filled(t testing.TB, profiles, rules int) (*Engine, *segments.Store) {
	store, err := segments.NewStore(segments.Config{MaxProfiles: 4 * max(profiles, 64), ShopShareBPS: 10_000})
	require.NoError(t, err)
	e, err := New(Config{MaxEntries: 4 * max(profiles, 64)}, store, nil)
	require.NoError(t, err)
	e.SetNow(noonS * 1000)
	for n := range profiles {
		store.Apply(&events.ShopEvent{
			Type: events.ShopProductView, ShopID: 1, UID: user(n + 1), TimeMS: noonS * 1000, Product: "p", Category: fmt.Sprint("category ", n%200),
		})
	}
	e.Install(1, NewSet(1, manyRules(rules)))
	for !e.Backfill(noonS*1000, 1<<20) {
	}
	return e, store
}

func BenchmarkEvent(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n, "-segments"), func(b *testing.B) {
			_, store := filled(b, 1000, n)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				ev := events.ShopEvent{Type: events.ShopProductView, ShopID: 1, UID: user(i%1000 + 1), TimeMS: noonS * 1000, Product: "p", Category: "category 7"}
				if !store.Apply(&ev) {
					b.Fatal("nothing changed")
				}
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n, "-segments"), func(b *testing.B) {
			e, _ := filled(b, 10_000, n)
			r := (*e.shops.Load())[1].set.rules[0]
			dst := make([]Member, 0, 4)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				dst = e.Lookup(user(i%10_000+1), dst[:0])
				if in, known := dst[0].Has(0, r, noonS*1000); !in || !known {
					b.Fatal("a member is not known")
				}
			}
		})
	}
}

func BenchmarkBackfill(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n, "-segments"), func(b *testing.B) {
			const profiles = 10_000
			e, _ := filled(b, profiles, n)
			b.ResetTimer()
			for range b.N {
				e.Install(1, NewSet(1, manyRules(n)))
				for !e.Backfill(noonS*1000, 1<<20) {
				}
			}
			b.ReportMetric(float64(b.N)*profiles/b.Elapsed().Seconds(), "profiles/s")
			b.ReportMetric(float64(e.Stats().Bytes)/profiles, "B/profile")
		})
	}
}

// Bids look up while one goroutine applies, edits and backfills: what they are
// told is of one set, never a bit of another.
func TestLookupsWhileItChanges(t *testing.T) {
	store, err := segments.NewStore(segments.Config{})
	require.NoError(t, err)
	e, err := New(Config{}, store, nil)
	require.NoError(t, err)
	e.SetNow(noonS * 1000)
	yes, no := NewRule(1, ask(segments.OpKnown, 0)), NewRule(2, &Node{Op: Not, Kids: []*Node{ask(segments.OpKnown, 0)}})
	sets := []*Set{NewSet(1, []*Rule{yes, no}), NewSet(1, []*Rule{no, yes})}
	e.Install(1, sets[0])
	for n := range 200 {
		store.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(n), TimeMS: noonS * 1000})
	}
	stop, wrong := make(chan struct{}), make(chan string, 4)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var dst []Member
			for i := g; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				dst = e.Lookup(user(i%200), dst[:0])
				for slot := range 2 {
					for _, r := range []*Rule{yes, no} {
						if in, known := dst[0].Has(slot, r, noonS*1000); known && in != (r == yes) {
							wrong <- fmt.Sprint("slot ", slot, " of rule ", r.ID, " is ", in)
							return
						}
					}
				}
				_ = e.Stats()
			}
		}()
	}
	for i := range 300 {
		e.Install(1, sets[i%2])
		e.Backfill(noonS*1000, 100)
		store.Apply(&events.ShopEvent{Type: events.ShopVisit, ShopID: 1, UID: user(i % 200), TimeMS: noonS * 1000})
	}
	close(stop)
	wg.Wait()
	select {
	case s := <-wrong:
		t.Fatal(s)
	default:
	}
}
