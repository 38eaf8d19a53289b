package bidder

import (
	"strconv"
	"strings"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/bidder/privacy"
)

// mayMatch tells whether an exchange's id of a browser may be kept beside
// ours: where no law applies, and where the GDPR does and the person's TC
// string says yes, with the exchange's terms.
func (p *people) mayMatch(exchange string, c Consent) bool {
	if p.cfg.Allowed(c) {
		return true
	}
	x := p.b.exchanges[exchange]
	if x == nil || c.GPC || c.DNT || c.GDPRConsent == "" {
		return false // only a TC string says yes, where a law applies
	}
	in := privacy.Signals{GDPR: flagOf(c.GDPR), Consent: c.GDPRConsent, USPrivacy: c.USPrivacy, GPP: c.GPP}
	for _, s := range strings.FieldsFunc(c.GPPSID, func(r rune) bool { return r == '_' || r == ',' }) {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return false // what cannot be read allows nothing
		}
		in.GPPSID = append(in.GPPSID, int32(n))
	}
	b := privacy.Decide(&in, &x.privacy, p.b.clock.NowMS())
	return b.Profile && b.Identify
}

func flagOf(s string) openrtb.Flag {
	switch s {
	case "1":
		return openrtb.Yes
	case "0":
		return openrtb.No
	}
	return openrtb.Absent
}
