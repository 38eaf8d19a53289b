package openrtb

import (
	"encoding/json"
	"reflect"

	"github.com/prebid/openrtb/v20/openrtb2"
)

type named struct{ name, want, got string }

func (c checker) all(path string, fields []named) {
	c.t.Helper()
	for _, f := range fields {
		c.str(path+f.name, f.want, f.got)
	}
}

func (c checker) site(w *openrtb2.Site, g *Site) {
	c.t.Helper()
	c.all("site.", []named{
		{"id", w.ID, g.ID}, {"name", w.Name, g.Name}, {"domain", w.Domain, g.Domain}, {"page", w.Page, g.Page}, {"ref", w.Ref, g.Ref},
		{"search", w.Search, g.Search}, {"keywords", w.Keywords, g.Keywords},
		{"inventorypartnerdomain", w.InventoryPartnerDomain, g.PartnerDomain},
	})
	c.int("site.cattax", int64(w.CatTax), g.CatTax)
	c.strs("site.cat", w.Cat, g.Cat)
	c.strs("site.sectioncat", w.SectionCat, g.SectionCat)
	c.strs("site.pagecat", w.PageCat, g.PageCat)
	c.strs("site.kwarray", w.KwArray, g.KwArray)
	c.flag("site.mobile", w.Mobile, g.Mobile)
	c.flag("site.privacypolicy", w.PrivacyPolicy, g.PrivacyPolicy)
	c.publisher(w.Publisher, &g.Publisher)
	c.content(w.Content, &g.Content)
}

func (c checker) app(w *openrtb2.App, g *App) {
	c.t.Helper()
	c.all("app.", []named{
		{"id", w.ID, g.ID}, {"name", w.Name, g.Name}, {"bundle", w.Bundle, g.Bundle}, {"domain", w.Domain, g.Domain},
		{"storeurl", w.StoreURL, g.StoreURL}, {"ver", w.Ver, g.Ver}, {"keywords", w.Keywords, g.Keywords},
		{"inventorypartnerdomain", w.InventoryPartnerDomain, g.PartnerDomain},
	})
	c.int("app.cattax", int64(w.CatTax), g.CatTax)
	c.strs("app.cat", w.Cat, g.Cat)
	c.strs("app.sectioncat", w.SectionCat, g.SectionCat)
	c.strs("app.pagecat", w.PageCat, g.PageCat)
	c.strs("app.kwarray", w.KwArray, g.KwArray)
	c.flag("app.paid", w.Paid, g.Paid)
	c.flag("app.privacypolicy", w.PrivacyPolicy, g.PrivacyPolicy)
	c.publisher(w.Publisher, &g.Publisher)
	c.content(w.Content, &g.Content)
}

func (c checker) publisher(w *openrtb2.Publisher, g *Publisher) {
	c.t.Helper()
	if !presence(c, "publisher", w, g.Present) {
		return
	}
	c.all("publisher.", []named{{"id", w.ID, g.ID}, {"name", w.Name, g.Name}, {"domain", w.Domain, g.Domain}})
	c.strs("publisher.cat", w.Cat, g.Cat)
	c.int("publisher.cattax", int64(w.CatTax), g.CatTax)
}

func (c checker) content(w *openrtb2.Content, g *Content) {
	c.t.Helper()
	if !presence(c, "content", w, g.Present) {
		return
	}
	c.all("content.", []named{
		{"id", w.ID, g.ID}, {"title", w.Title, g.Title}, {"series", w.Series, g.Series}, {"season", w.Season, g.Season},
		{"genre", w.Genre, g.Genre}, {"url", w.URL, g.URL}, {"contentrating", w.ContentRating, g.ContentRating},
		{"language", w.Language, g.Language}, {"langb", w.LangB, g.LangB}, {"keywords", w.Keywords, g.Keywords},
	})
	c.flag("content.livestream", w.LiveStream, g.LiveStream)
	c.int("content.context", int64(w.Context), g.Context)
	c.int("content.qagmediarating", int64(w.QAGMediaRating), g.QAGRating)
	c.int("content.len", w.Len, g.Len)
	c.strs("content.cat", w.Cat, g.Cat)
	c.strs("content.kwarray", w.KwArray, g.KwArray)
	c.data("content.data", w.Data, g.Data)
}

func (c checker) data(path string, want []openrtb2.Data, got []Data) {
	c.t.Helper()
	if len(want) != len(got) {
		c.t.Fatalf("%s: %d, want %d", path, len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		c.all(path, []named{{".id", w.ID, g.ID}, {".name", w.Name, g.Name}})
		var ext struct {
			SegTax int64 `json:"segtax"`
		}
		if json.Unmarshal(w.Ext, &ext) == nil && ext.SegTax != 0 {
			c.int(path+".ext.segtax", ext.SegTax, g.SegTax)
		}
		if len(w.Segment) != len(g.Segments) {
			c.t.Fatalf("%s.segment: %d, want %d", path, len(g.Segments), len(w.Segment))
		}
		for j, s := range w.Segment {
			c.all(path+".segment", []named{{".id", s.ID, g.Segments[j].ID}, {".name", s.Name, g.Segments[j].Name}, {".value", s.Value, g.Segments[j].Value}})
		}
	}
}

func (c checker) device(w *openrtb2.Device, g *Device) {
	c.t.Helper()
	c.all("device.", []named{
		{"ua", w.UA, g.UA}, {"ip", w.IP, g.IP}, {"ipv6", w.IPv6, g.IPv6}, {"ifa", w.IFA, g.IFA}, {"os", w.OS, g.OS}, {"osv", w.OSV, g.OSV},
		{"make", w.Make, g.Make}, {"model", w.Model, g.Model}, {"language", w.Language, g.Language}, {"langb", w.LangB, g.LangB},
		{"carrier", w.Carrier, g.Carrier}, {"mccmnc", w.MCCMNC, g.MCCMNC},
	})
	c.flag("device.lmt", w.Lmt, g.Lmt)
	c.flag("device.dnt", w.DNT, g.DNT)
	c.flag("device.js", w.JS, g.JS)
	c.int("device.devicetype", int64(w.DeviceType), g.DeviceType)
	c.optional("device.connectiontype", wide(w.ConnectionType), g.ConnectionType)
	c.int("device.w", w.W, g.W)
	c.int("device.h", w.H, g.H)
	c.geo(w.Geo, &g.Geo)
	if !presence(c, "device.sua", w.SUA, g.SUA.Present) {
		return
	}
	c.flag("sua.mobile", w.SUA.Mobile, g.SUA.Mobile)
	c.int("sua.source", int64(w.SUA.Source), g.SUA.Source)
	c.all("sua.", []named{{"model", w.SUA.Model, g.SUA.Model}, {"architecture", w.SUA.Architecture, g.SUA.Architecture}, {"bitness", w.SUA.Bitness, g.SUA.Bitness}})
	if w.SUA.Platform != nil {
		c.str("sua.platform.brand", w.SUA.Platform.Brand, g.SUA.Platform.Brand)
		c.strs("sua.platform.version", w.SUA.Platform.Version, g.SUA.Platform.Version)
	}
	if len(w.SUA.Browsers) != len(g.SUA.Browsers) {
		c.t.Fatalf("sua.browsers: %d, want %d", len(g.SUA.Browsers), len(w.SUA.Browsers))
	}
	for i, b := range w.SUA.Browsers {
		c.str("sua.browsers.brand", b.Brand, g.SUA.Browsers[i].Brand)
		c.strs("sua.browsers.version", b.Version, g.SUA.Browsers[i].Version)
	}
}

func (c checker) geo(w *openrtb2.Geo, g *Geo) {
	c.t.Helper()
	if !presence(c, "geo", w, g.Present) {
		return
	}
	c.all("geo.", []named{{"country", w.Country, g.Country}, {"region", w.Region, g.Region}, {"metro", w.Metro, g.Metro}, {"city", w.City, g.City}, {"zip", w.ZIP, g.Zip}})
	c.int("geo.type", int64(w.Type), g.Type)
	c.int("geo.accuracy", w.Accuracy, g.Accuracy)
	c.int("geo.utcoffset", w.UTCOffset, g.UTCOffset.V)
	known := w.Lat != nil && w.Lon != nil && *w.Lat >= -90 && *w.Lat <= 90 && *w.Lon >= -180 && *w.Lon <= 180
	if known != g.HasLatLon {
		c.t.Errorf("geo: lat and lon %t, want %t", g.HasLatLon, known)
	}
	if known {
		c.near("geo.lat", max(*w.Lat, -*w.Lat), max(int64(g.LatE6), -int64(g.LatE6)))
		c.near("geo.lon", max(*w.Lon, -*w.Lon), max(int64(g.LonE6), -int64(g.LonE6)))
	}
}

func (c checker) user(w *openrtb2.User, g *User) {
	c.t.Helper()
	var ext struct {
		Consent string         `json:"consent"`
		EIDs    []openrtb2.EID `json:"eids"`
	}
	if json.Unmarshal(w.Ext, &ext) != nil {
		ext.Consent, ext.EIDs = g.Consent, nil
	}
	if w.Consent == "" {
		w.Consent = ext.Consent
	}
	if len(w.EIDs) == 0 && ext.EIDs != nil {
		w.EIDs = ext.EIDs
	}
	c.all("user.", []named{{"id", w.ID, g.ID}, {"buyeruid", w.BuyerUID, g.BuyerUID}, {"gender", w.Gender, g.Gender}, {"consent", w.Consent, g.Consent}, {"keywords", w.Keywords, g.Keywords}})
	c.int("user.yob", w.Yob, g.Yob)
	c.strs("user.kwarray", w.KwArray, g.KwArray)
	c.geo(w.Geo, &g.Geo)
	c.data("user.data", w.Data, g.Data)
	if len(w.EIDs) == 0 {
		return
	}
	if len(w.EIDs) != len(g.EIDs) {
		c.t.Fatalf("user.eids: %d, want %d", len(g.EIDs), len(w.EIDs))
	}
	for i, e := range w.EIDs {
		c.str("eid.source", e.Source, g.EIDs[i].Source)
		if len(e.UIDs) != len(g.EIDs[i].UIDs) {
			c.t.Fatalf("eid.uids: %d, want %d", len(g.EIDs[i].UIDs), len(e.UIDs))
		}
		for j, u := range e.UIDs {
			c.str("uid.id", u.ID, g.EIDs[i].UIDs[j].ID)
			c.int("uid.atype", int64(u.AType), g.EIDs[i].UIDs[j].AType)
		}
	}
}

func (c checker) regs(w *openrtb2.Regs, g *Regs) {
	c.t.Helper()
	var ext struct {
		GDPR      *int8  `json:"gdpr"`
		USPrivacy string `json:"us_privacy"`
	}
	if json.Unmarshal(w.Ext, &ext) == nil {
		if w.GDPR == nil || *w.GDPR>>1 != 0 {
			w.GDPR = ext.GDPR
		}
		if w.USPrivacy == "" {
			w.USPrivacy = ext.USPrivacy
		}
		c.flag("regs.gdpr", w.GDPR, g.GDPR)
		c.str("regs.us_privacy", w.USPrivacy, g.USPrivacy)
	}
	if w.COPPA == 1 && g.COPPA != Yes {
		c.t.Errorf("regs.coppa: %d", g.COPPA)
	}
	if w.GPP != "" {
		c.str("regs.gpp", w.GPP, g.GPP)
	}
	if len(w.GPPSID) > 0 {
		ints(c, "regs.gpp_sid", w.GPPSID, g.GPPSID)
	}
}

func (c checker) source(w *openrtb2.Source, g *Source) {
	c.t.Helper()
	c.flag("source.fd", w.FD, g.FD)
	c.str("source.tid", w.TID, g.TID)
	c.str("source.pchain", w.PChain, g.PChain)
	var ext struct {
		SChain *openrtb2.SupplyChain `json:"schain"`
	}
	if w.SChain != nil && reflect.ValueOf(*w.SChain).IsZero() {
		return // {} is absent to the view, an unknown member alone is not: the reference cannot tell
	}
	if w.SChain == nil && json.Unmarshal(w.Ext, &ext) == nil {
		w.SChain = ext.SChain
	}
	if w.SChain == nil || !presence(c, "schain", w.SChain, g.SChain.Present) {
		return
	}
	c.flag01("schain.complete", w.SChain.Complete, g.SChain.Complete == Yes)
	c.str("schain.ver", w.SChain.Ver, g.SChain.Ver)
	if len(w.SChain.Nodes) != len(g.SChain.Nodes) {
		c.t.Fatalf("schain.nodes: %d, want %d", len(g.SChain.Nodes), len(w.SChain.Nodes))
	}
	for i, n := range w.SChain.Nodes {
		m := g.SChain.Nodes[i]
		c.all("schain.nodes.", []named{{"asi", n.ASI, m.ASI}, {"sid", n.SID, m.SID}, {"rid", n.RID, m.RID}, {"name", n.Name, m.Name}, {"domain", n.Domain, m.Domain}})
		c.flag("schain.nodes.hp", n.HP, m.HP)
	}
}
