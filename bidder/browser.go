package bidder

import (
	"strings"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/events"
)

// browserMarks are looked for in this order: what is built upon another
// browser names that one as well.
var browserMarks = [...]struct {
	text string
	code uint8
}{
	{"; wv)", events.BrowserApp}, {"SamsungBrowser/", events.BrowserSamsung}, {"Edg", events.BrowserEdge},
	{"OPR/", events.BrowserOpera}, {"Firefox/", events.BrowserFirefox}, {"FxiOS/", events.BrowserFirefox},
	{"Chrome/", events.BrowserChrome}, {"CriOS/", events.BrowserChrome}, {"Safari/", events.BrowserSafari},
	{"AppleWebKit/", events.BrowserApp}, // on iOS a view inside an app does not call itself Safari
}

// browserOf tells the family of a browser by its user agent.
func browserOf(ua string) uint8 {
	if !strings.HasPrefix(ua, "Mozilla/") {
		return events.BrowserUnknown
	}
	ua = clip(ua, 512)
	for i := range browserMarks {
		if strings.Contains(ua, browserMarks[i].text) {
			return browserMarks[i].code
		}
	}
	return events.BrowserUnknown
}

// browserOfRequest is an app's own request, or by the user agent.
func browserOfRequest(v *openrtb.Request) uint8 {
	if v.App.Present && !v.Site.Present {
		return events.BrowserApp
	}
	return browserOf(v.Device.UA)
}
