package creatives

import "strings"

// imageTaken tells whether a request that lists types of images (OpenRTB Native 1.2 § 4.4, img.mimes; empty means any)
// takes the one at url. Feeds name images by URL alone, so the type is what the name's end says; an image whose name says
// nothing is taken.
func imageTaken(url string, mimes []string) bool {
	kind := imageKind(url)
	if kind == "" || len(mimes) == 0 {
		return true
	}
	for _, m := range mimes {
		_, sub, ok := strings.Cut(m, "/")
		if !ok {
			sub = m
		}
		sub, _, _ = strings.Cut(sub, ";")
		sub = strings.TrimSpace(sub)
		switch {
		case sub == "*", strings.EqualFold(sub, kind):
			return true
		case kind == "jpeg" && (strings.EqualFold(sub, "jpg") || strings.EqualFold(sub, "pjpeg")):
			return true // wrong, and usual
		case kind == "svg+xml" && strings.EqualFold(sub, "svg"):
			return true
		}
	}
	return false
}

// imageKinds are the subtypes of image that ends of names stand for.
var imageKinds = [...]struct{ end, kind string }{
	{".jpg", "jpeg"}, {".jpeg", "jpeg"}, {".png", "png"}, {".gif", "gif"}, {".webp", "webp"}, {".svg", "svg+xml"}, {".avif", "avif"},
}

// imageKind is the subtype of image that a URL's path ends in, or "".
func imageKind(url string) string {
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	for _, k := range imageKinds {
		if n := len(url) - len(k.end); n > 0 && strings.EqualFold(url[n:], k.end) {
			return k.kind
		}
	}
	return ""
}
