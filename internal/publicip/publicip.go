// Package publicip tells addresses of the public internet from those that only
// we can reach. Whoever calls an address that a shop named asks it when the
// address is dialled, after the name was resolved.
//
// Safe for many goroutines. Imports nothing of Grosz.
package publicip

import (
	"errors"
	"net/netip"
	"slices"
)

// Err is for an address that is not on the public internet.
var Err = errors.New("the address is not on the public internet")

// reserved are ranges beside those that netip knows by a name (IANA's
// special-purpose registries): shared, documentation, benchmark and
// translation addresses, and those that hold an IPv4 address inside.
var reserved = func() (out []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// Is tells whether an address is on the public internet.
func Is(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false // loopback, link-local (cloud metadata among it), multicast, unspecified
	}
	return !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) })
}
