package openrtb

// site reads the object at i (§ 3.2.13).
func (r *Request) site(i int, m *Site) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "page":
			i = r.str(i, &m.Page)
		case "domain":
			i = r.str(i, &m.Domain)
		case "name":
			i = r.str(i, &m.Name)
		case "ref":
			i = r.str(i, &m.Ref)
		case "search":
			i = r.str(i, &m.Search)
		case "inventorypartnerdomain":
			i = r.str(i, &m.PartnerDomain)
		case "mobile":
			i = r.flag(i, &m.Mobile)
		case "privacypolicy":
			i = r.flag(i, &m.PrivacyPolicy)
		case "cat":
			i = r.strings(i, &m.Cat)
		case "sectioncat":
			i = r.strings(i, &m.SectionCat)
		case "pagecat":
			i = r.strings(i, &m.PageCat)
		case "cattax":
			i = r.int32(i, &m.CatTax)
		case "keywords":
			i = r.keywords(i, &m.Keywords, &m.KwArray)
		case "kwarray":
			i = r.strings(i, &m.KwArray)
		case "publisher":
			i = r.publisher(i, &m.Publisher)
		case "content":
			i = r.content(i, &m.Content)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// app reads the object at i (§ 3.2.14).
func (r *Request) app(i int, m *App) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "bundle":
			i = r.str(i, &m.Bundle)
		case "name":
			i = r.str(i, &m.Name)
		case "domain":
			i = r.str(i, &m.Domain)
		case "storeurl":
			i = r.str(i, &m.StoreURL)
		case "ver":
			i = r.str(i, &m.Ver)
		case "inventorypartnerdomain":
			i = r.str(i, &m.PartnerDomain)
		case "paid":
			i = r.flag(i, &m.Paid)
		case "privacypolicy":
			i = r.flag(i, &m.PrivacyPolicy)
		case "cat":
			i = r.strings(i, &m.Cat)
		case "sectioncat":
			i = r.strings(i, &m.SectionCat)
		case "pagecat":
			i = r.strings(i, &m.PageCat)
		case "cattax":
			i = r.int32(i, &m.CatTax)
		case "keywords":
			i = r.keywords(i, &m.Keywords, &m.KwArray)
		case "kwarray":
			i = r.strings(i, &m.KwArray)
		case "publisher":
			i = r.publisher(i, &m.Publisher)
		case "content":
			i = r.content(i, &m.Content)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// dooh reads the object at i (§ 3.2.37).
func (r *Request) dooh(i int, m *DOOH) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "name":
			i = r.str(i, &m.Name)
		case "domain":
			i = r.str(i, &m.Domain)
		case "venuetype":
			i = r.strings(i, &m.VenueType)
		case "venuetypetax":
			i = r.integer(i, &m.VenueTypeTax)
		case "keywords":
			i = r.keywords(i, &m.Keywords, &m.KwArray)
		case "kwarray":
			i = r.strings(i, &m.KwArray)
		case "publisher":
			i = r.publisher(i, &m.Publisher)
		case "content":
			i = r.content(i, &m.Content)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// publisher reads the object at i (§ 3.2.15).
func (r *Request) publisher(i int, m *Publisher) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "name":
			i = r.str(i, &m.Name)
		case "domain":
			i = r.str(i, &m.Domain)
		case "cat":
			i = r.strings(i, &m.Cat)
		case "cattax":
			i = r.int32(i, &m.CatTax)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// content reads the object at i (§ 3.2.16).
func (r *Request) content(i int, m *Content) int {
	k, i, ok := r.open(i)
	m.Present = m.Present || ok
	for ; ok; k, i, ok = r.next(i) {
		switch k {
		case "id":
			i = r.str(i, &m.ID)
		case "title":
			i = r.str(i, &m.Title)
		case "series":
			i = r.str(i, &m.Series)
		case "season":
			i = r.str(i, &m.Season)
		case "genre":
			i = r.str(i, &m.Genre)
		case "url":
			i = r.str(i, &m.URL)
		case "contentrating":
			i = r.str(i, &m.ContentRating)
		case "language":
			i = r.str(i, &m.Language)
		case "langb":
			i = r.str(i, &m.LangB)
		case "livestream":
			i = r.flag(i, &m.LiveStream)
		case "context":
			i = r.int32(i, &m.Context)
		case "qagmediarating":
			i = r.int32(i, &m.QAGRating)
		case "len":
			i = r.int32(i, &m.Len)
		case "cat":
			i = r.strings(i, &m.Cat)
		case "cattax":
			i = r.int32(i, &m.CatTax)
		case "keywords":
			i = r.keywords(i, &m.Keywords, &m.KwArray)
		case "kwarray":
			i = r.strings(i, &m.KwArray)
		case "data":
			i = objects(&r.scanner, i, &m.Data, &r.data, maxData, r.dataObject)
		default:
			i = r.skip(i)
		}
	}
	return i
}

// keywords reads a comma-separated string, or the list that some send in its place.
func (r *Request) keywords(i int, list *string, words *[]string) int {
	if i < len(r.b) && r.b[i] == '[' {
		return r.strings(i, words)
	}
	return r.str(i, list)
}
