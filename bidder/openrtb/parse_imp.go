package openrtb

// imps reads the list of imps at i. The last list wins when there are two.
func (r *Request) imps(i int) int {
	for n := range r.Imps {
		r.Imps[n].reset()
	}
	r.Imps = r.Imps[:0]
	i, ok, lone := r.list(i)
	for ; ok; i, ok = r.more(i, lone) {
		if i >= len(r.b) || r.b[i] != '{' {
			i = r.other(i, OddObject)
			continue
		}
		m := grow(&r.Imps, MaxImps)
		if m == nil {
			r.Truncated |= TruncatedImps
			i = r.skip(i)
			continue
		}
		i = r.imp(i, m)
	}
	return i
}

// imp reads the object at i (§ 3.2.4).
func (r *Request) imp(i int, m *Imp) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "tagid":
			i = r.str(i, &m.TagID)
		case "banner":
			i = r.banner(i, &m.Banner)
		case "video":
			i = r.video(i, &m.Video, &m.Rewarded)
		case "audio":
			i = r.audio(i, &m.Audio)
		case "native":
			i = r.native(i, &m.Native)
		case "pmp":
			i = r.pmp(i, &m.PMP)
		case "bidfloor":
			i = r.price(i, &m.BidFloor)
		case "bidfloorcur":
			i = r.str(i, &m.BidFloorCur)
		case "instl":
			i = r.yes(i, &m.Instl)
		case "rwdd":
			i = r.rewarded(i, &m.Rewarded)
		case "secure":
			i = r.flag(i, &m.Secure)
		case "clickbrowser":
			i = r.flag(i, &m.ClickBrowser)
		case "ssai":
			i = r.int32(i, &m.SSAI)
		case "exp":
			i = r.int32(i, &m.Exp)
		case "qty":
			i = r.qty(i, &m.Multiplier)
		case "metric":
			i = objects(&r.scanner, i, &m.Metrics, &r.metrics, maxMetrics, r.metric)
		case "ext":
			i = r.impExt(i, m)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// rewarded reads one of the flags that say that an imp is rewarded; any of them is enough.
func (r *Request) rewarded(i int, v *bool) int {
	yes := false
	i = r.yes(i, &yes)
	*v = *v || yes
	return i
}

// impExt reads what was sent in imp.ext before it had a place of its own, and the publisher's name of the placement.
func (r *Request) impExt(i int, m *Imp) int {
	var slot string
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "gpid":
			i = r.str(i, &m.GPID)
		case "rewarded", "is_rewarded_inventory":
			i = r.rewarded(i, &m.Rewarded)
		case "data":
			i = r.only(i, "pbadslot", func(i int) int { return r.str(i, &slot) })
		case "prebid":
			i = r.only(i, "is_rewarded_inventory", func(i int) int { return r.rewarded(i, &m.Rewarded) })
		default:
			i = r.skip(i)
		}
	}
	if m.GPID == "" {
		m.GPID = slot
	}
	return i
}

// only reads one member of the object at i.
func (r *Request) only(i int, name string, read func(i int) int) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		if k == name {
			i = read(i)
		} else {
			i = r.skip(i)
		}
	}
	return i
}

// maxMultiplier bounds qty.multiplier: a million impressions for one bid, in micros.
const maxMultiplier = 1_000_000 * 1_000_000

// qty reads the object at i (§ 3.2.31).
func (r *Request) qty(i int, multiplier *int64) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		if k != "multiplier" {
			i = r.skip(i)
			continue
		}
		at := i
		var v int64
		if i, ok = r.micros(i, &v, maxMultiplier); ok && v > 0 {
			*multiplier = v
		} else if ok {
			r.note(at, OddNumber)
		}
	}
	return i
}

// maxMetric bounds the value of a metric, in micros.
const maxMetric = 1_000_000_000 * 1_000_000

// metric reads the object at i (§ 3.2.5).
func (r *Request) metric(i int, m *Metric) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "type":
			i = r.str(i, &m.Type)
		case "vendor":
			i = r.str(i, &m.Vendor)
		case "value":
			i, _ = r.micros(i, &m.Value, maxMetric)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// pmp reads the object at i (§ 3.2.11).
func (r *Request) pmp(i int, m *PMP) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "private_auction":
			i = r.flag(i, &m.Private)
		case "deals":
			i = objects(&r.scanner, i, &m.Deals, &r.deals, maxDeals, r.deal)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// deal reads the object at i (§ 3.2.12).
func (r *Request) deal(i int, m *Deal) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "bidfloor":
			i = r.price(i, &m.BidFloor)
		case "bidfloorcur":
			i = r.str(i, &m.BidFloorCur)
		case "at":
			i = r.integer(i, &m.At)
		case "guar":
			i = r.flag(i, &m.Guar)
		case "wseat":
			i = r.strings(i, &m.WSeat)
		case "wadomain":
			i = r.strings(i, &m.WADomain)
		case "mincpmpersec":
			i = r.price(i, &m.MinCPMPerSec)
		case "durfloors":
			i = objects(&r.scanner, i, &m.DurFloors, &r.durFloors, maxDurFloors, r.durFloor)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// durFloor reads the object at i (§ 3.2.35).
func (r *Request) durFloor(i int, m *DurFloor) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "mindur":
			i = r.int32(i, &m.MinDur)
		case "maxdur":
			i = r.int32(i, &m.MaxDur)
		case "bidfloor":
			i = r.price(i, &m.BidFloor)
		default:
			i = r.skip(i)
		}
	}
	return i
}
