package world

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/segments"
)

// meanShops is at how many shops a person is known, on average.
const meanShops = 2.5

const dayS = 86_400

// user is a person: two thirds browse the web, the others use apps.
type user struct {
	index int
	uid   string // our cookie's id; empty for an app's user
	ifa   string
	shops []int
}

// person draws a user. Everybody is known at one shop at least.
func (w *World) person(i int) user {
	d := w.draw(ofUser, i)
	u := user{index: i}
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], d.Uint64()|1)
	binary.LittleEndian.PutUint64(id[8:], d.Uint64())
	if (i%3+3)%3 == 2 {
		u.ifa = fmt.Sprintf("%X-%X-%X-%X-%X", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	} else {
		u.uid = fmt.Sprintf("%x", id)
	}
	n := 1
	for n < 12 && d.chance(1-1/meanShops) {
		n++
	}
	for range min(n, w.shops) {
		if s := 1 + d.popular(w.shops, 1.2); !slices.Contains(u.shops, s) {
			u.shops = append(u.shops, s)
		}
	}
	return u
}

// key is how the profile store knows the person.
func (u *user) key() segments.UserKey {
	if u.ifa != "" {
		return segments.UserFromIFA(u.ifa)
	}
	k, _ := segments.UserFromUID(u.uid) // it is 32 hex digits
	return k
}

// Profiles calls f for every profile until there are Config.Profiles of them,
// or f returns an error, which is returned.
func (w *World) Profiles(f func(segments.UserKey, uint32, *segments.Profile) error) error {
	left := w.cfg.Profiles
	for i := 0; left > 0; i++ {
		u := w.person(i)
		key, d := u.key(), w.draw(ofUser, -1-i)
		for _, shop := range u.shops {
			if left--; left < 0 {
				break
			}
			p := w.profile(d, shop)
			if err := f(key, uint32(shop), &p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *World) profile(d *drawer, shop int) (p segments.Profile) {
	now := uint32(w.cfg.NowMS / 1000)
	ago := func() uint32 { return now - uint32(d.Float64()*d.Float64()*45*dayS) }
	p.First, p.Last, p.Visits = now-60*dayS, ago(), uint32(1+d.IntN(6))
	last := p.Last
	before := func() uint32 { last -= uint32(d.IntN(dayS)); return last }
	stock := w.productsOf(shop)
	for i := range min(d.IntN(segments.RecentProducts), stock) {
		p.Products[i], p.ProductAt[i], p.ProductCount[i] = segments.ProductHash(productID(shop, d.IntN(stock))), before(), 1
		p.Views++
	}
	if p.Views > 0 {
		p.LastView, last = p.ProductAt[0], p.Last
		for i := range 1 + d.IntN(3) {
			p.Categories[i], p.CategoryAt[i], p.CategoryCount[i] = segments.CategoryHash(category(shop, d.IntN(6)+i*6)), before(), 1
		}
	}
	if d.chance(0.25) {
		h, _ := segments.NextWord(w.word(d.popular(w.words, 2)))
		p.LastSearch, p.Terms[0], p.TermAt[0] = p.Last, segments.TermHash(h), p.Last
	}
	if d.chance(0.15) && p.Views > 0 {
		price := money.Nano(10+d.IntN(300)) * money.NanoUnit
		p.LastCart, p.Cart[0], p.CartPrice[0], p.CartQty[0], p.CartValue = p.Last, p.Products[0], price, 1, price
	}
	if d.chance(0.1) {
		p.LastPurchase, p.Orders, p.Revenue = ago(), uint32(1+d.IntN(3)), money.Nano(20+d.IntN(400))*money.NanoUnit
		if stock > 0 {
			p.Purchased[0] = segments.ProductHash(productID(shop, d.IntN(stock)))
		}
	}
	return p
}
