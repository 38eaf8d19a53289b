package openrtb

// device reads the object at i (§ 3.2.18).
func (r *Request) device(i int, m *Device) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "ua":
			i = r.str(i, &m.UA)
		case "ip":
			i = r.str(i, &m.IP)
		case "ipv6":
			i = r.str(i, &m.IPv6)
		case "ifa":
			i = r.str(i, &m.IFA)
		case "geo":
			i = r.geo(i, &m.Geo)
		case "sua":
			i = r.sua(i, &m.SUA)
		case "os":
			i = r.str(i, &m.OS)
		case "osv":
			i = r.str(i, &m.OSV)
		case "make":
			i = r.str(i, &m.Make)
		case "model":
			i = r.str(i, &m.Model)
		case "devicetype":
			i = r.int32(i, &m.DeviceType)
		case "connectiontype":
			i = r.integer(i, &m.ConnectionType)
		case "lmt":
			i = r.flag(i, &m.Lmt)
		case "dnt":
			i = r.flag(i, &m.DNT)
		case "js":
			i = r.flag(i, &m.JS)
		case "w":
			i = r.int32(i, &m.W)
		case "h":
			i = r.int32(i, &m.H)
		case "language":
			i = r.str(i, &m.Language)
		case "langb":
			i = r.str(i, &m.LangB)
		case "carrier":
			i = r.str(i, &m.Carrier)
		case "mccmnc":
			i = r.str(i, &m.MCCMNC)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// sua reads the object at i (§ 3.2.29).
func (r *Request) sua(i int, m *UserAgent) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "browsers":
			i = objects(&r.scanner, i, &m.Browsers, &r.brands, maxBrands, r.brand)
		case "platform":
			i = r.platform(i, &m.Platform)
		case "mobile":
			i = r.flag(i, &m.Mobile)
		case "model":
			i = r.str(i, &m.Model)
		case "architecture":
			i = r.str(i, &m.Architecture)
		case "bitness":
			i = r.str(i, &m.Bitness)
		case "source":
			i = r.int32(i, &m.Source)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// platform reads the object at i, or the bare name that some send in its place.
func (r *Request) platform(i int, m *BrandVersion) int {
	if i < len(r.b) && r.b[i] == '"' {
		return r.str(i, &m.Brand)
	}
	return r.brand(i, m)
}

// brand reads the object at i (§ 3.2.30).
func (r *Request) brand(i int, m *BrandVersion) int {
	k, i, ok := r.open(i)
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "brand":
			i = r.str(i, &m.Brand)
		case "version":
			i = r.strings(i, &m.Version)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// geo reads the object at i (§ 3.2.19).
func (r *Request) geo(i int, m *Geo) int {
	var lat, lon int32
	var hasLat, hasLon bool
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "lat":
			i = r.degrees(i, 90, &lat, &hasLat)
		case "lon":
			i = r.degrees(i, 180, &lon, &hasLon)
		case "country":
			i = r.str(i, &m.Country)
		case "region":
			i = r.str(i, &m.Region)
		case "city":
			i = r.str(i, &m.City)
		case "zip":
			i = r.str(i, &m.Zip)
		case "metro":
			i = r.str(i, &m.Metro)
		case "type":
			i = r.int32(i, &m.Type)
		case "accuracy":
			i = r.int32(i, &m.Accuracy)
		case "utcoffset":
			i = r.integer(i, &m.UTCOffset)
		default:
			i = r.skip(i)
		}
	}
	if hasLat && hasLon {
		m.LatE6, m.LonE6, m.HasLatLon = lat, lon, true
	}
	return i
}

// degrees reads a latitude or longitude at i into v, in micro-degrees.
func (r *Request) degrees(i int, limit int64, v *int32, has *bool) int {
	var e6 int64
	i, ok := r.micros(i, &e6, limit*1_000_000)
	if ok {
		*v, *has = int32(e6), true
	}
	return i
}
