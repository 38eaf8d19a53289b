package check

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// vastDoc is the part of VAST 2.0–4.x that an exchange looks at.
type vastDoc struct {
	XMLName xml.Name `xml:"VAST"`
	Version string   `xml:"version,attr"`
	Ads     []struct {
		InLine  *vastAd `xml:"InLine"`
		Wrapper *vastAd `xml:"Wrapper"`
	} `xml:"Ad"`
}

type vastAd struct {
	AdSystem    string   `xml:"AdSystem"`
	AdTitle     string   `xml:"AdTitle"`
	TagURI      string   `xml:"VASTAdTagURI"`
	Impressions []string `xml:"Impression"`
	Creatives   []struct {
		Linear *struct {
			SkipOffset string      `xml:"skipoffset,attr"`
			Duration   string      `xml:"Duration"`
			Files      []mediaFile `xml:"MediaFiles>MediaFile"`
		} `xml:"Linear"`
		NonLinear *struct{} `xml:"NonLinearAds"`
	} `xml:"Creatives>Creative"`
}

type mediaFile struct {
	URL      string `xml:",chardata"`
	Type     string `xml:"type,attr"`
	Delivery string `xml:"delivery,attr"`
	Bitrate  int64  `xml:"bitrate,attr"`
	API      string `xml:"apiFramework,attr"`
}

func isVAST(adm string) bool {
	return strings.HasPrefix(adm, "<VAST") || (strings.HasPrefix(adm, "<?xml") && strings.Contains(adm, "<VAST"))
}

func parseVAST(adm string) (*vastDoc, error) {
	dec := xml.NewDecoder(strings.NewReader(adm))
	var d vastDoc
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("VAST: %w", err)
	}
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return &d, nil
		}
		if err != nil {
			return nil, fmt.Errorf("VAST: %w", err)
		}
		if c, ok := t.(xml.CharData); !ok || strings.TrimSpace(string(c)) != "" {
			return nil, errors.New("VAST: something follows the document")
		}
	}
}

// protocolOf is AdCOM's number of a VAST version, 0 if it has none.
func protocolOf(version string, wrapper bool) int64 {
	p := map[string][2]int64{"1.0": {1, 4}, "2.0": {2, 5}, "3.0": {3, 6}, "4.0": {7, 8}, "4.1": {11, 12}, "4.2": {13, 14}, "4.3": {15, 16}}[version]
	if wrapper {
		return p[1]
	}
	return p[0]
}

// vast judges video and audio markup.
func (j *judge) vast(b *Bid, media obj) {
	d, err := parseVAST(strings.TrimSpace(b.AdM))
	if err != nil {
		j.add(RuleVAST, "%v", err)
		return
	}
	if len(d.Ads) == 0 || (d.Ads[0].InLine == nil && d.Ads[0].Wrapper == nil) {
		j.add(RuleVAST, "no InLine or Wrapper ad")
		return
	}
	ad, wrapper := d.Ads[0].InLine, false
	if ad == nil {
		ad, wrapper = d.Ads[0].Wrapper, true
	}
	j.protocol(b, media, protocolOf(d.Version, wrapper), d.Version)
	tracked := false
	for _, u := range ad.Impressions {
		tracked = tracked || strings.HasPrefix(strings.TrimSpace(u), "http")
	}
	if !tracked {
		j.add(RuleTracker, "no Impression URL in the VAST")
	}
	if wrapper {
		if strings.TrimSpace(ad.TagURI) == "" {
			j.add(RuleVAST, "a Wrapper without VASTAdTagURI")
		}
		return
	}
	j.inline(b, media, ad)
}

func (j *judge) protocol(b *Bid, media obj, p int64, version string) {
	if p == 0 {
		j.add(RuleProtocol, "VAST version %q is unknown", version)
		return
	}
	allowed := append(media.ints("protocols"), media.ints("protocol")...)
	if len(allowed) > 0 && !contains(allowed, p) {
		j.add(RuleProtocol, "VAST %s (protocol %d) is not among %v", version, p, allowed)
	}
	if b.Protocol != 0 && int64(b.Protocol) != p {
		j.add(RuleProtocol, "bid.protocol %d, the VAST's is %d", b.Protocol, p)
	}
}

func (j *judge) inline(b *Bid, media obj, ad *vastAd) {
	if strings.TrimSpace(ad.AdSystem) == "" || strings.TrimSpace(ad.AdTitle) == "" {
		j.add(RuleVAST, "InLine without AdSystem or AdTitle")
	}
	linear, nonLinear := false, false
	for _, c := range ad.Creatives {
		if c.NonLinear != nil {
			nonLinear = true
		}
		if c.Linear == nil {
			continue
		}
		linear = true
		secs, err := vastSeconds(c.Linear.Duration)
		if err != nil {
			j.add(RuleVAST, "%v", err)
			continue
		}
		j.duration(b, media, secs)
		j.skip(media, c.Linear.SkipOffset, secs)
		j.files(media, c.Linear.Files)
	}
	switch media.intOr("linearity", 0) {
	case 1:
		if !linear {
			j.add(RuleLinearity, "linearity 1, and the VAST has no Linear")
		}
	case 2:
		if !nonLinear {
			j.add(RuleLinearity, "linearity 2, and the VAST has no NonLinearAds")
		}
	}
	if !linear && !nonLinear {
		j.add(RuleVAST, "neither Linear nor NonLinearAds")
	}
}

// vastSeconds reads HH:MM:SS or HH:MM:SS.mmm.
func vastSeconds(s string) (float64, error) {
	p := strings.Split(strings.TrimSpace(s), ":")
	if len(p) != 3 {
		return 0, fmt.Errorf("duration %q", s)
	}
	h, err1 := strconv.Atoi(p[0])
	m, err2 := strconv.Atoi(p[1])
	sec, err3 := strconv.ParseFloat(p[2], 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, fmt.Errorf("duration %q: %w", s, err)
	}
	return float64(h*3600+m*60) + sec, nil
}

func (j *judge) duration(b *Bid, media obj, secs float64) {
	whole := int64(secs + 0.999)
	if b.Dur != 0 && (float64(b.Dur) < secs-1 || float64(b.Dur) > secs+1) {
		j.add(RuleDuration, "bid.dur %d, the VAST's is %gs", b.Dur, secs)
	}
	if rqd := media.ints("rqddurs"); len(rqd) > 0 {
		if !contains(rqd, whole) && !contains(rqd, int64(secs)) {
			j.add(RuleDuration, "%gs is none of rqddurs %v", secs, rqd)
		}
		return
	}
	if lo := media.intOr("minduration", 0); secs < float64(lo) {
		j.add(RuleDuration, "%gs is below minduration %d", secs, lo)
	}
	hi := media.intOr("maxduration", 0)
	if ext := media.intOr("maxextended", 0); ext < 0 {
		hi = 0
	} else if hi > 0 {
		hi += ext
	}
	if hi > 0 && secs > float64(hi) {
		j.add(RuleDuration, "%gs is above maxduration %d", secs, hi)
	}
	if pod := media.intOr("poddur", 0); pod > 0 && secs > float64(pod) {
		j.add(RuleDuration, "%gs is above poddur %d", secs, pod)
	}
}

func (j *judge) skip(media obj, offset string, secs float64) {
	if offset == "" {
		return
	}
	if v, ok := media.int("skip"); ok && v == 0 {
		j.add(RuleSkip, "skip 0, and the VAST has skipoffset %q", offset)
	}
	if lo := media.intOr("skipmin", 0); lo > 0 && secs <= float64(lo) {
		j.add(RuleSkip, "skippable at %gs, and only ads above skipmin %d may be", secs, lo)
	}
}

// files wants one file that the player takes in every respect, and reports
// the first respect in which none does.
func (j *judge) files(media obj, files []mediaFile) {
	keep := func(rule Rule, what string, ok func(mediaFile) bool) bool {
		var left []mediaFile
		for _, f := range files {
			if ok(f) {
				left = append(left, f)
			}
		}
		if len(left) == 0 {
			j.add(rule, "no media file %s", what)
			return false
		}
		files = left
		return true
	}
	mimes, apis, delivery := media.strs("mimes"), media.ints("api"), media.ints("delivery")
	lo, hi := media.intOr("minbitrate", 0), media.intOr("maxbitrate", 0)
	_ = keep(RuleVAST, "with an http(s) URL", func(f mediaFile) bool { return strings.HasPrefix(strings.TrimSpace(f.URL), "http") }) &&
		keep(RuleMIME, fmt.Sprintf("is of %v", mimes), func(f mediaFile) bool { return len(mimes) == 0 || containsFold(mimes, f.Type) }) &&
		keep(RuleAPI, "plays without an API that the imp lacks", func(f mediaFile) bool {
			return f.API == "" || (f.API == "VPAID" && (contains(apis, 1) || contains(apis, 2)))
		}) &&
		keep(RuleDelivery, fmt.Sprintf("is delivered by %v", delivery), func(f mediaFile) bool {
			return len(delivery) == 0 || (f.Delivery == "streaming" && contains(delivery, 1)) ||
				(f.Delivery == "progressive" && (contains(delivery, 2) || contains(delivery, 3)))
		}) &&
		keep(RuleBitrate, fmt.Sprintf("has a bit rate of %d–%d kbps", lo, hi), func(f mediaFile) bool {
			return f.Bitrate == 0 || (f.Bitrate >= lo && (hi <= 0 || f.Bitrate <= hi))
		})
}
