package openrtb

// Parse reads one bid request, after a Reset. The view refers into body, which must stay unchanged until the next Reset
// or Parse. The error is a *SyntaxError; the view is then incomplete.
func (r *Request) Parse(body []byte) error {
	r.Reset()
	r.begin(body, &r.Oddities)
	i := 0
	if len(body) >= 3 && body[0] == 0xEF && body[1] == 0xBB && body[2] == 0xBF {
		i = 3
	}
	i = r.space(i)
	switch {
	case i == len(body):
		r.fail(i, "empty body")
	case body[i] != '{':
		r.fail(i, "no object")
	default:
		if i = r.space(r.request(i)); i < len(body) {
			r.fail(i, "text after the object")
		}
	}
	return r.failed()
}

// Reset drops all references into the body and makes the view empty. It keeps memory for the next request.
func (r *Request) Reset() {
	r.ID, r.Test, r.At, r.TMax, r.AllImps, r.CatTax = "", false, Int{}, 0, false, 0
	r.WSeat, r.BSeat, r.Cur, r.WLang, r.WLangB = nil, nil, nil, nil, nil
	r.ACat, r.BCat, r.BAdv, r.BApp = nil, nil, nil, nil
	r.Oddities = Oddities{OddAt: -1}
	for i := range r.Imps {
		r.Imps[i].reset()
	}
	r.Imps = r.Imps[:0]
	if r.Site.Present {
		r.Site = Site{}
	}
	if r.App.Present {
		r.App = App{}
	}
	if r.DOOH.Present {
		r.DOOH = DOOH{}
	}
	if r.Device.Present {
		r.Device = Device{}
	}
	if r.User.Present {
		r.User = User{}
	}
	if r.Regs.Present {
		r.Regs = Regs{}
	}
	if r.Source.Present {
		r.Source = Source{}
	}
	r.scanner.release()
	r.slabs.release()
}

// reset makes an imp zero; the media that it did not have are zero already.
func (m *Imp) reset() {
	if m.Banner.Present {
		m.Banner = Banner{}
	}
	if m.Video.Present {
		m.Video = Video{}
	}
	if m.Audio.Present {
		m.Audio = Audio{}
	}
	m.Native, m.PMP = Native{}, PMP{}
	m.ID, m.TagID, m.BidFloorCur, m.GPID = "", "", "", ""
	m.Instl, m.Rewarded, m.Secure, m.ClickBrowser = false, false, Absent, Absent
	m.SSAI, m.Exp, m.Multiplier, m.BidFloor, m.Metrics = 0, 0, 0, Price{}, nil
}

// request reads the object at i (§ 3.2.1).
func (r *Request) request(i int) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &r.ID)
		case "imp":
			i = r.imps(i)
		case "site":
			i = r.site(i, &r.Site)
		case "app":
			i = r.app(i, &r.App)
		case "dooh":
			i = r.dooh(i, &r.DOOH)
		case "device":
			i = r.device(i, &r.Device)
		case "user":
			i = r.user(i, &r.User)
		case "regs":
			i = r.regs(i, &r.Regs)
		case "source":
			i = r.source(i, &r.Source)
		case "test":
			i = r.yes(i, &r.Test)
		case "at":
			i = r.integer(i, &r.At)
		case "tmax":
			i = r.int32(i, &r.TMax)
		case "allimps":
			i = r.yes(i, &r.AllImps)
		case "cattax":
			i = r.int32(i, &r.CatTax)
		case "wseat":
			i = r.strings(i, &r.WSeat)
		case "bseat":
			i = r.strings(i, &r.BSeat)
		case "cur":
			i = r.strings(i, &r.Cur)
		case "wlang":
			i = r.strings(i, &r.WLang)
		case "wlangb":
			i = r.strings(i, &r.WLangB)
		case "acat":
			i = r.strings(i, &r.ACat)
		case "bcat":
			i = r.strings(i, &r.BCat)
		case "badv":
			i = r.strings(i, &r.BAdv)
		case "bapp":
			i = r.strings(i, &r.BApp)
		default:
			i = r.skip(i)
		}
	}
	return i
}
