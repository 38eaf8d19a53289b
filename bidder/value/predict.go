package value

import "math"

// Score holds what is summed once for an impression and serves all its
// candidates. It is reused from bid to bid; the zero value is ready.
type Score struct {
	model     *Model
	placement []Feature
	global    [NumTargets]float64
	shop      *Shop // of the latest candidate
	shopID    uint32
	sum       [NumTargets]float64
}

// Reset begins an impression. placement are its features; they are kept by
// reference until the next Reset and must hold placement fields only.
func (s *Score) Reset(m *Model, placement []Feature) {
	s.model, s.placement, s.shop, s.shopID = m, placement, nil, 0
	for t := range s.global {
		s.global[t] = 0
		if m != nil {
			s.global[t] = m.Global[t].Prior + m.Global[t].Table.Sum(placement)
		}
	}
	s.sum = s.global
}

// Predict says how likely a target is for a candidate: its shop, campaign
// and features. ok is false where no model was learned: then nothing is
// known, rather than one half. Candidates of one shop in a row share the sum
// over the placement.
func (s *Score) Predict(t Target, shop, campaign uint32, features []Feature) (p float64, ok bool) {
	if s.model == nil || len(s.model.Global[t].Table) == 0 {
		return 0, false
	}
	if shop != s.shopID || shop == 0 {
		s.enter(shop)
	}
	x := s.sum[t]
	c := float32(1)
	if s.shop != nil {
		x += s.shop.Table[t].Sum(features)
		c = s.shop.calibration(t, campaign)
	}
	return probability(t, x, float64(c)), true
}

// Shop is what a shop's own events taught; nil where that is nothing.
func (s *Score) Shop(shop uint32) *Shop {
	if s.model == nil {
		return nil
	}
	if shop != s.shopID {
		s.enter(shop)
	}
	return s.shop
}

// Chance is Predict for a caller who knows what the model has of the shop
// (nil: nothing) and of the campaign, and so needs no look-up.
func (s *Score) Chance(t Target, shopID uint32, shop *Shop, calibration float32, features []Feature) (p float64, ok bool) {
	if s.model == nil || len(s.model.Global[t].Table) == 0 {
		return 0, false
	}
	if shopID != s.shopID || shopID == 0 {
		s.enterShop(shopID, shop)
	}
	x := s.sum[t]
	if shop != nil {
		x += shop.Table[t].Sum(features)
	}
	return probability(t, x, float64(calibration)), true
}

// Chances are Chance of every target at once, or its prior where nothing is
// known: the look-ups and the powers of the targets do not wait for each other.
func (s *Score) Chances(shopID uint32, shop *Shop, calibration *[NumTargets]float32, features []Feature) (p [NumTargets]float64) {
	if s.model == nil || len(s.model.Global[Click].Table) == 0 || len(s.model.Global[Order].Table) == 0 {
		for t := range p {
			var ok bool
			if p[t], ok = s.Chance(Target(t), shopID, shop, calibration[t], features); !ok {
				p[t] = Prior(Target(t))
			}
		}
		return p
	}
	if shopID != s.shopID || shopID == 0 {
		s.enterShop(shopID, shop)
	}
	click, order := s.sum[Click], s.sum[Order]
	if shop != nil {
		c, o := shop.Table[Click].sums(shop.Table[Order], features)
		click, order = click+c, order+o
	}
	p[Click] = probability(Click, click, float64(calibration[Click]))
	p[Order] = probability(Order, order, float64(calibration[Order]))
	return p
}

// sums are Sum of two tables.
func (t Table) sums(other Table, features []Feature) (x, y float64) {
	if len(t) == 0 || len(t) != len(other) {
		return t.Sum(features), other.Sum(features)
	}
	mask, a, b := uint32(len(t)-1), float32(0), float32(0)
	for _, f := range features {
		i := uint32(f) & mask
		a += t[i]
		b += other[i]
	}
	return float64(a), float64(b)
}

func (s *Score) enter(shop uint32) { s.enterShop(shop, s.model.Shops[shop]) }

func (s *Score) enterShop(id uint32, shop *Shop) {
	s.shopID, s.shop, s.sum = id, shop, s.global
	if s.shop != nil {
		for t := range s.sum {
			s.sum[t] += float64(s.shop.Bias[t]) + s.shop.Table[t].Sum(s.placement)
		}
	}
}

// CalibrationOf is what multiplies the odds of a campaign's predictions.
func (s *Shop) CalibrationOf(t Target, campaign uint32) float32 { return s.calibration(t, campaign) }

func (s *Shop) calibration(t Target, campaign uint32) float32 {
	m := s.Calibration[t]
	if len(m) == 0 {
		return 1
	}
	if c, ok := m[campaign]; ok {
		return c
	}
	if c, ok := m[0]; ok {
		return c
	}
	return 1
}

// probability turns log-odds into a probability. A click is learned when its
// time is over, as what it is. An order may come days after its click; it is
// learned from a stream in which each click is one negative, bit by bit as
// its order would have come, and each order one positive more: the share of
// positives is then b = p/(1+p), and p is the odds themselves (Ktena et al.,
// 'Addressing Delayed Feedback for Continuous Training with Neural Networks in
// CTR prediction', RecSys 2019).
func probability(t Target, logOdds, calibration float64) float64 {
	odds := exp(logOdds) * calibration
	if t == Click {
		odds /= 1 + odds
	}
	switch {
	case odds > maxP:
		return maxP
	case odds > minP:
		return odds
	}
	return minP
}

// exp is e^x with a relative error below 1e-7: weights are float32, and a bid
// asks for it twice a candidate. 2^(x/ln 2) is a power of two, by its bits,
// times a polynomial on half a step around it.
func exp(x float64) float64 {
	if !(x > -700 && x < 700) {
		return math.Exp(x)
	}
	y := x * math.Log2E
	n := int64(y+1024.5) - 1024 // the nearest whole number
	r := (y - float64(n)) * math.Ln2
	r2 := r * r // in pairs, which do not wait for each other
	p := 1 + r + r2*(1.0/2+r*(1.0/6)+r2*(1.0/24+r*(1.0/120)+r2*(1.0/720)))
	return p * math.Float64frombits(uint64(n+1023)<<52)
}
