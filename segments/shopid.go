package segments

import "github.com/grosz/grosz/events"

// UserFromShop is the key of a shop's own id of a visitor: known in that shop
// only.
func UserFromShop(shop uint32, id string) UserKey {
	if id == "" || len(id) > 2*maxID {
		return UserKey{}
	}
	return events.NamedID(shop, "visitor", id)
}
