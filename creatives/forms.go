package creatives

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/grosz/grosz/campaigns"
)

// Form is one shape in which a creative can be bid: exchanges approve each by
// its crid. A native ad has no size, a video its own.
type Form struct {
	CRID     string
	Template Template
	W, H     int
}

// Forms lists all forms of a creative of a shop. Slow side: it allocates.
func Forms(shop uint32, cr *campaigns.Creative) []Form {
	version := Version(cr)
	form := func(t Template, w, h int) Form {
		return Form{string(CRIDOf(nil, shop, cr, version, t, w, h)), t, w, h}
	}
	switch {
	case cr.Media == campaigns.MediaVideo && cr.Video != nil:
		return []Form{form(TemplateAuto, cr.Video.W, cr.Video.H)}
	case cr.Media != campaigns.MediaBanner:
		return []Form{form(TemplateAuto, 0, 0)}
	}
	sizes := cr.Sizes
	if len(sizes) == 0 {
		sizes = campaigns.StandardSizes()
	}
	var out []Form
	for _, s := range sizes {
		for _, t := range Possible(nil, Wanted(cr), s.W, s.H) {
			out = append(out, form(t, s.W, s.H))
		}
	}
	return out
}

// PreviewKey opens the public preview of a shop's creative to whoever was given
// the link: by the shop's salt, which console and bidders know.
func PreviewKey(salt, crid string) string {
	mac := hmac.New(sha256.New, []byte(salt))
	mac.Write([]byte("preview of a creative\n" + crid))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
