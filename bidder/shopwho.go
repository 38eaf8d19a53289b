package bidder

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// person is whose event it is. A page speaks for its own browser, whatever it
// says; to identify its visitor it needs the shop's signature.
func (t *batch) person(in *shopEventIn) (segments.UserKey, *itemError) {
	identify := in.Type == events.ShopIdentify
	if t.from.page {
		if identify && !signedBy(t.shop.Shop, in.User.ID, in.User.Sig) {
			return segments.UserKey{}, &itemError{Field: "user.sig", Message: "is not the shop's signature of user.id"}
		}
		return t.from.key, nil
	}
	u := in.User
	if identify {
		u.ID = ""
	}
	uid, bad := userOfShop(t.shop, u)
	if bad != nil && identify {
		bad.Message = "identify needs uid, ifa or vid beside id: " + bad.Message
	}
	return uid, bad
}

// userOfShop is the key of a person as a shop names it; without a shop only
// uid and ifa name anybody.
func userOfShop(shop *campaigns.CompiledShop, u userIn) (segments.UserKey, *itemError) {
	switch {
	case u.UID != "":
		uid, ok := segments.UserFromUID(u.UID)
		if !ok {
			return uid, &itemError{Field: "user.uid", Message: "must be 32 hex digits"}
		}
		return uid, nil
	case u.IFA != "":
		if uid := segments.UserFromIFA(u.IFA); !uid.IsZero() {
			return uid, nil
		}
		return segments.UserKey{}, &itemError{Field: "user.ifa", Message: "is not an advertising id, or one that says no tracking"}
	case shop == nil:
	case u.VID != "":
		uid := visitorKey(shop, u.VID)
		if uid.IsZero() {
			return uid, &itemError{Field: "user.vid", Message: "must be 32 hex digits"}
		}
		return uid, nil
	case u.ID != "":
		return segments.UserFromShop(shop.Salt, events.AliasCustomer, u.ID), nil
	}
	return segments.UserKey{}, &itemError{Field: "user", Message: "needs uid, ifa, vid or id"}
}

// visitorKey is the key of a first-party id; zero for what is none.
func visitorKey(shop *campaigns.CompiledShop, vid string) segments.UserKey {
	if _, ok := segments.UserFromUID(vid); !ok {
		return segments.UserKey{}
	}
	return segments.UserFromShop(shop.Salt, events.AliasVisitor, strings.ToLower(vid))
}

// signedBy tells whether sig is the hex HMAC-SHA256 of id under the SHA-256 of
// one of the shop's keys that may send events. Both sides have that hash, and
// only the shop's server has the key.
func signedBy(shop *campaigns.Shop, id, sig string) bool {
	got, err := hex.DecodeString(sig)
	if err != nil || len(got) != sha256.Size || id == "" {
		return false
	}
	for _, k := range shop.Keys {
		secret, err := hex.DecodeString(k.SHA256)
		if err != nil || len(secret) != sha256.Size || k.RevokedMS != 0 || !maySend(k) {
			continue
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id))
		if hmac.Equal(mac.Sum(nil), got) {
			return true
		}
	}
	return false
}

func maySend(k campaigns.Key) bool {
	return slices.Contains(k.Scopes, "events") || slices.Contains(k.Scopes, "write")
}
