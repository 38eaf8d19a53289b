package openrtb

// banner reads the object at i (§ 3.2.6).
func (r *Request) banner(i int, m *Banner) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "w":
			i = r.int32(i, &m.W)
		case "h":
			i = r.int32(i, &m.H)
		case "format":
			i = objects(&r.scanner, i, &m.Formats, &r.formats, maxFormats, r.format)
		case "id":
			i = r.str(i, &m.ID)
		case "pos":
			i = r.integer(i, &m.Pos)
		case "topframe":
			i = r.flag(i, &m.TopFrame)
		case "vcm":
			i = r.flag(i, &m.VCM)
		case "btype":
			i = r.int32s(i, &m.BType)
		case "battr":
			i = r.int32s(i, &m.BAttr)
		case "expdir":
			i = r.int32s(i, &m.ExpDir)
		case "api":
			i = r.int32s(i, &m.API)
		case "mimes":
			i = r.strings(i, &m.MIMEs)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// format reads the object at i (§ 3.2.10).
func (r *Request) format(i int, m *Format) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "w":
			i = r.int32(i, &m.W)
		case "h":
			i = r.int32(i, &m.H)
		case "wratio":
			i = r.int32(i, &m.WRatio)
		case "hratio":
			i = r.int32(i, &m.HRatio)
		case "wmin":
			i = r.int32(i, &m.WMin)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// video reads the object at i (§ 3.2.7).
func (r *Request) video(i int, m *Video, rewarded *bool) int {
	var protocol Int
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "mimes":
			i = r.strings(i, &m.MIMEs)
		case "protocols":
			i = r.int32s(i, &m.Protocols)
		case "protocol":
			i = r.integer(i, &protocol)
		case "w":
			i = r.int32(i, &m.W)
		case "h":
			i = r.int32(i, &m.H)
		case "minduration":
			i = r.int32(i, &m.MinDuration)
		case "maxduration":
			i = r.int32(i, &m.MaxDuration)
		case "rqddurs":
			i = r.int32s(i, &m.RqdDurs)
		case "startdelay":
			i = r.integer(i, &m.StartDelay)
		case "skip":
			i = r.flag(i, &m.Skip)
		case "skipmin":
			i = r.int32(i, &m.SkipMin)
		case "skipafter":
			i = r.int32(i, &m.SkipAfter)
		case "boxingallowed":
			i = r.flag(i, &m.BoxingAllowed)
		case "plcmt":
			i = r.int32(i, &m.Plcmt)
		case "placement":
			i = r.int32(i, &m.Placement)
		case "linearity":
			i = r.int32(i, &m.Linearity)
		case "api":
			i = r.int32s(i, &m.API)
		case "battr":
			i = r.int32s(i, &m.BAttr)
		case "pos":
			i = r.integer(i, &m.Pos)
		case "ext":
			i = r.videoExt(i, rewarded)
		default:
			i = r.videoMore(k, i, m)
		}
	}
	if len(m.Protocols) == 0 && protocol.V > 0 {
		start := len(r.ints)
		r.ints = append(r.ints, protocol.V)
		part(&m.Protocols, r.ints, start)
	}
	return i
}

// videoMore reads the value of a video's rarer keys.
func (r *Request) videoMore(k string, i int, m *Video) int {
	switch k {
	case "playbackmethod":
		return r.int32s(i, &m.PlaybackMethod)
	case "delivery":
		return r.int32s(i, &m.Delivery)
	case "minbitrate":
		return r.int32(i, &m.MinBitrate)
	case "maxbitrate":
		return r.int32(i, &m.MaxBitrate)
	case "maxextended":
		return r.integer(i, &m.MaxExtended)
	case "companionad":
		return objects(&r.scanner, i, &m.Companions, &r.companions, maxCompanions, r.banner)
	case "companiontype":
		return r.int32s(i, &m.CompanionType)
	case "podid":
		return r.str(i, &m.PodID)
	case "podseq":
		return r.int32(i, &m.PodSeq)
	case "poddur":
		return r.int32(i, &m.PodDur)
	case "maxseq":
		return r.int32(i, &m.MaxSeq)
	case "slotinpod":
		return r.int32(i, &m.SlotInPod)
	case "sequence":
		return r.int32(i, &m.Sequence)
	case "poddedupe":
		return r.int32s(i, &m.PodDedupe)
	case "mincpmpersec":
		return r.price(i, &m.MinCPMPerSec)
	case "durfloors":
		return objects(&r.scanner, i, &m.DurFloors, &r.durFloors, maxDurFloors, r.durFloor)
	}
	return r.skip(i)
}

// videoExt reads the forms in which a video said, before 2.6, that it is rewarded.
func (r *Request) videoExt(i int, rewarded *bool) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "rewarded", "is_rewarded_inventory":
			i = r.rewarded(i, rewarded)
		case "videotype":
			var v string
			i = r.str(i, &v)
			*rewarded = *rewarded || v == "rewarded"
		default:
			i = r.skip(i)
		}
	}
	return i
}

// audio reads the object at i (§ 3.2.8).
func (r *Request) audio(i int, m *Audio) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "mimes":
			i = r.strings(i, &m.MIMEs)
		case "protocols":
			i = r.int32s(i, &m.Protocols)
		case "minduration":
			i = r.int32(i, &m.MinDuration)
		case "maxduration":
			i = r.int32(i, &m.MaxDuration)
		case "rqddurs":
			i = r.int32s(i, &m.RqdDurs)
		case "startdelay":
			i = r.integer(i, &m.StartDelay)
		case "api":
			i = r.int32s(i, &m.API)
		case "battr":
			i = r.int32s(i, &m.BAttr)
		case "delivery":
			i = r.int32s(i, &m.Delivery)
		case "stitched":
			i = r.flag(i, &m.Stitched)
		case "feed":
			i = r.int32(i, &m.Feed)
		case "nvol":
			i = r.integer(i, &m.NVol)
		default:
			i = r.audioMore(k, i, m)
		}
	}
	return i
}

// audioMore reads the value of an audio's rarer keys.
func (r *Request) audioMore(k string, i int, m *Audio) int {
	switch k {
	case "minbitrate":
		return r.int32(i, &m.MinBitrate)
	case "maxbitrate":
		return r.int32(i, &m.MaxBitrate)
	case "maxextended":
		return r.integer(i, &m.MaxExtended)
	case "companionad":
		return objects(&r.scanner, i, &m.Companions, &r.companions, maxCompanions, r.banner)
	case "companiontype":
		return r.int32s(i, &m.CompanionType)
	case "podid":
		return r.str(i, &m.PodID)
	case "podseq":
		return r.int32(i, &m.PodSeq)
	case "poddur":
		return r.int32(i, &m.PodDur)
	case "maxseq":
		return r.int32(i, &m.MaxSeq)
	case "slotinpod":
		return r.int32(i, &m.SlotInPod)
	case "mincpmpersec":
		return r.price(i, &m.MinCPMPerSec)
	case "durfloors":
		return objects(&r.scanner, i, &m.DurFloors, &r.durFloors, maxDurFloors, r.durFloor)
	}
	return r.skip(i)
}

// native reads the object at i (§ 3.2.9) and leaves its request unread.
func (r *Request) native(i int, m *Native) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "request":
			i = r.nativeRequest(i, m)
		case "ver":
			i = r.str(i, &m.Ver)
		case "api":
			i = r.int32s(i, &m.API)
		case "battr":
			i = r.int32s(i, &m.BAttr)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// nativeRequest keeps the string at i with its escapes, or the object that stands in its place.
func (r *Request) nativeRequest(i int, m *Native) int {
	b := r.b
	if i >= len(b) || b[i] != '"' && b[i] != '{' {
		return r.other(i, OddString)
	}
	j := r.skip(i)
	switch {
	case r.errMsg != "":
	case b[i] == '"':
		m.Request, m.Escaped = r.view(i+1, j-1), true
	case !r.nothing(i, j, OddObject):
		m.Request, m.Escaped = r.view(i, j), false
	}
	return j
}
