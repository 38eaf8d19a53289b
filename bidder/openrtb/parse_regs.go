package openrtb

// regs reads the object at i (§ 3.2.3).
func (r *Request) regs(i int, m *Regs) int {
	var ext Regs // what stood in regs.ext
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "coppa":
			i = r.flag(i, &m.COPPA)
		case "gdpr":
			i = r.flag(i, &m.GDPR)
		case "us_privacy":
			i = r.str(i, &m.USPrivacy)
		case "gpp":
			i = r.str(i, &m.GPP)
		case "gpp_sid":
			i = r.int32s(i, &m.GPPSID)
		case "gpc":
			i = r.flag(i, &m.GPC)
		case "dsa":
			i = r.dsa(i, &m.DSA)
		case "ext":
			i = r.regsExt(i, &ext)
		default:
			i = r.skip(i)
		}
	}
	m.fill(&ext)
	return i
}

// regsExt reads the object at i (2.5 and extensions: regs.ext).
func (r *Request) regsExt(i int, m *Regs) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "gdpr":
			i = r.flag(i, &m.GDPR)
		case "us_privacy":
			i = r.str(i, &m.USPrivacy)
		case "dsa":
			i = r.dsa(i, &m.DSA)
		case "gpp":
			i = r.str(i, &m.GPP)
		case "gpp_sid":
			i = r.int32s(i, &m.GPPSID)
		case "coppa":
			i = r.flag(i, &m.COPPA)
		case "gpc":
			i = r.flag(i, &m.GPC)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// fill takes from ext what regs themselves did not say.
func (m *Regs) fill(ext *Regs) {
	if m.COPPA == Absent {
		m.COPPA = ext.COPPA
	}
	if m.GDPR == Absent {
		m.GDPR = ext.GDPR
	}
	if m.GPC == Absent {
		m.GPC = ext.GPC
	}
	if m.USPrivacy == "" {
		m.USPrivacy = ext.USPrivacy
	}
	if m.GPP == "" {
		m.GPP = ext.GPP
	}
	if len(m.GPPSID) == 0 {
		m.GPPSID = ext.GPPSID
	}
	if !m.DSA.Present {
		m.DSA = ext.DSA
	}
}

// dsa reads the object at i (regs.ext.dsa).
func (r *Request) dsa(i int, m *DSA) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "dsarequired":
			i = r.integer(i, &m.Required)
		case "pubrender":
			i = r.integer(i, &m.PubRender)
		case "datatopub":
			i = r.integer(i, &m.DataToPub)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// source reads the object at i (§ 3.2.2).
func (r *Request) source(i int, m *Source) int {
	var ext SChain // where 2.5 had it
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "fd":
			i = r.flag(i, &m.FD)
		case "tid":
			i = r.str(i, &m.TID)
		case "pchain":
			i = r.str(i, &m.PChain)
		case "schain":
			i = r.schain(i, &m.SChain)
		case "ext":
			i = r.only(i, "schain", func(i int) int { return r.schain(i, &ext) })
		default:
			i = r.skip(i)
		}
	}
	if !m.SChain.Present {
		m.SChain = ext
	}
	return i
}

// schain reads the object at i (§ 3.2.25).
func (r *Request) schain(i int, m *SChain) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "complete":
			i = r.flag(i, &m.Complete)
		case "ver":
			i = r.str(i, &m.Ver)
		case "nodes":
			i = objects(&r.scanner, i, &m.Nodes, &r.nodes, maxNodes, r.schainNode)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// schainNode reads the object at i (§ 3.2.26).
func (r *Request) schainNode(i int, m *SChainNode) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "asi":
			i = r.str(i, &m.ASI)
		case "sid":
			i = r.str(i, &m.SID)
		case "rid":
			i = r.str(i, &m.RID)
		case "hp":
			i = r.flag(i, &m.HP)
		case "name":
			i = r.str(i, &m.Name)
		case "domain":
			i = r.str(i, &m.Domain)
		default:
			i = r.skip(i)
		}
	}
	return i
}
