package bidder

import (
	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
)

// placeOf is where the request comes from: what it says, completed from the
// geo database by the device's address where it says no more than a country.
func (b *Bidder) placeOf(v *openrtb.Request, said *openrtb.Geo) (country, region, city string) {
	if b.geo == nil || said.Region != "" || said.City != "" {
		return said.Country, said.Region, said.City
	}
	ip := v.Device.IP
	if ip == "" {
		ip = v.Device.IPv6
	}
	p, ok := b.geo.Lookup(ip)
	if !ok {
		return said.Country, said.Region, said.City
	}
	return p.Fill(said.Country, said.Region, said.City, campaigns.SameCountry)
}
