package events

// Codes of browsers. They stand in three bits of a token, so that what becomes
// of a bid is known by browser without looking the bid up.
const (
	BrowserUnknown uint8 = iota // no user agent, or none of these
	BrowserChrome               // and what calls itself so
	BrowserSafari
	BrowserFirefox
	BrowserEdge
	BrowserOpera
	BrowserSamsung
	BrowserApp // a view of the web inside an app, or an app's own requests
	NumBrowsers
)

var browserNames = [NumBrowsers]string{"", "chrome", "safari", "firefox", "edge", "opera", "samsung", "app"}

// BrowserName is the word for a code, "" for an unknown one.
func BrowserName(code uint8) string {
	if code < NumBrowsers {
		return browserNames[code]
	}
	return ""
}
