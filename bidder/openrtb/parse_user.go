package openrtb

// user reads the object at i (§ 3.2.20).
func (r *Request) user(i int, m *User) int {
	var ext User // what 2.5 had in user.ext
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "buyeruid":
			i = r.str(i, &m.BuyerUID)
		case "consent":
			i = r.str(i, &m.Consent)
		case "eids":
			i = objects(&r.scanner, i, &m.EIDs, &r.eids, maxEIDs, r.eid)
		case "data":
			i = objects(&r.scanner, i, &m.Data, &r.data, maxData, r.dataObject)
		case "geo":
			i = r.geo(i, &m.Geo)
		case "yob":
			i = r.int32(i, &m.Yob)
		case "gender":
			i = r.str(i, &m.Gender)
		case "keywords":
			i = r.keywords(i, &m.Keywords, &m.KwArray)
		case "kwarray":
			i = r.strings(i, &m.KwArray)
		case "ext":
			i = r.userExt(i, &ext)
		default:
			i = r.skip(i)
		}
	}
	if m.Consent == "" {
		m.Consent = ext.Consent
	}
	if len(m.EIDs) == 0 {
		m.EIDs = ext.EIDs
	}
	return i
}

// userExt reads the object at i (2.5: user.ext).
func (r *Request) userExt(i int, m *User) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "consent":
			i = r.str(i, &m.Consent)
		case "eids":
			i = objects(&r.scanner, i, &m.EIDs, &r.eids, maxEIDs, r.eid)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// eid reads the object at i (§ 3.2.27).
func (r *Request) eid(i int, m *EID) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "source":
			i = r.str(i, &m.Source)
		case "uids":
			i = objects(&r.scanner, i, &m.UIDs, &r.uids, maxUIDs, r.uid)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// uid reads the object at i (§ 3.2.28).
func (r *Request) uid(i int, m *UID) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "atype":
			i = r.int32(i, &m.AType)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// dataObject reads the object at i (§ 3.2.21).
func (r *Request) dataObject(i int, m *Data) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "name":
			i = r.str(i, &m.Name)
		case "segment":
			i = objects(&r.scanner, i, &m.Segments, &r.segments, maxSegments, r.segment)
		case "ext":
			i = r.only(i, "segtax", func(i int) int { return r.int32(i, &m.SegTax) })
		default:
			i = r.skip(i)
		}
	}
	return i
}

// segment reads the object at i (§ 3.2.22).
func (r *Request) segment(i int, m *Segment) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "name":
			i = r.str(i, &m.Name)
		case "value":
			i = r.str(i, &m.Value)
		default:
			i = r.skip(i)
		}
	}
	return i
}
