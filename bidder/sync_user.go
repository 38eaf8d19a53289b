package bidder

import (
	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/segments"
)

func (p *people) optedOut(u segments.UserKey) bool {
	return p.cfg.Suppress != nil && p.cfg.Suppress.OptedOut(u)
}

// user finds the person of a bid request that may be identified: user.buyeruid
// if it is our id; what the match table has for user.buyeruid or user.id; an
// extended id of a source that is believed; the advertising id; and last a
// buyeruid that is not ours, as the exchange's own. known is false, and the
// key zero, for nobody; optOut is true for one who wants nothing.
func (p *people) user(exchange string, v *openrtb.Request, nowMS int64) (u segments.UserKey, optOut bool) {
	if u = p.resolve(exchange, v, nowMS); p.optedOut(u) {
		return segments.UserKey{}, true
	}
	return u, false
}

func (p *people) resolve(exchange string, v *openrtb.Request, nowMS int64) segments.UserKey {
	if u, ok := segments.UserFromUID(v.User.BuyerUID); ok {
		return u
	}
	if m := p.cfg.Matches; m != nil {
		for _, id := range [...]string{v.User.BuyerUID, v.User.ID} {
			if id == "" {
				continue
			}
			if u, ok := m.Lookup(exchange, id, nowMS); ok {
				return u
			}
		}
	}
	if r := p.routes[exchange]; r != nil {
		for _, source := range r.eids {
			if id := eidOf(v, source); id != "" {
				return segments.UserFromEID(source, id)
			}
		}
	}
	if u := segments.UserFromIFA(v.Device.IFA); !u.IsZero() {
		return u
	}
	return segments.UserFromExchange(exchange, v.User.BuyerUID)
}

func eidOf(v *openrtb.Request, source string) string {
	for i := range v.User.EIDs {
		e := &v.User.EIDs[i]
		if e.Source != source {
			continue
		}
		for j := range e.UIDs {
			if e.UIDs[j].ID != "" {
				return e.UIDs[j].ID
			}
		}
	}
	return ""
}
