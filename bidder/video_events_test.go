package bidder

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
)

func TestPlayersReportHowFarTheyCame(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", `{"id":"v1","imp":[{"id":"1","video":{"mimes":["video/mp4"],"protocols":[3,7],"w":640,"h":360,"maxduration":30}}],
		"site":{"domain":"news.example"},"cur":["USD"]}`).SeatBid[0].Bid[0]
	var doc struct {
		Error    string `xml:"Ad>InLine>Error"`
		Tracking []struct {
			Event string `xml:"event,attr"`
			URL   string `xml:",chardata"`
		} `xml:"Ad>InLine>Creatives>Creative>Linear>TrackingEvents>Tracking"`
	}
	require.NoError(t, xml.Unmarshal([]byte(bid.AdM), &doc))
	require.Len(t, doc.Tracking, 5)
	for range 2 { // the second time changes nothing
		for _, tr := range doc.Tracking {
			require.Equal(t, 204, w.get(tr.URL).StatusCode, tr.Event)
		}
		require.Equal(t, 204, w.get(strings.ReplaceAll(doc.Error, "[ERRORCODE]", "303")).StatusCode)
	}
	require.Equal(t, 204, w.get(doc.Error).StatusCode, "a player that does not replace the macro")
	track := doc.Tracking[0].URL
	for _, odd := range []string{strings.ReplaceAll(track, "e=start", "e=mute"), strings.ReplaceAll(track, "t=A", "t=B"), strings.ReplaceAll(track, "?t=", "?x=")} {
		require.Equal(t, 204, w.get(odd).StatusCode, odd)
	}
	require.Equal(t, 204, w.get(strings.ReplaceAll(track, token(t, track), token(t, bid.BURL))).StatusCode, "another purpose's token")
	var got []string
	for _, e := range w.spooled() {
		if e.Type == events.TypeRejection {
			require.True(t, strings.HasSuffix(e.Reason, "_video"), e.Reason)
			continue
		}
		require.Equal(t, events.TypeVideo, e.Type)
		require.False(t, e.Settles)
		require.Zero(t, e.Amount)
		require.EqualValues(t, 1, e.CampaignID)
		got = append(got, e.Reason)
	}
	require.Equal(t, []string{"start", "firstQuartile", "midpoint", "thirdQuartile", "complete", "error_303", "error"}, got)
	require.Zero(t, w.b.book.Stats().Settled)
	var text bytes.Buffer
	w.b.WriteMetrics(&text)
	require.Contains(t, text.String(), `grosz_video_events_total{event="complete"} 1`)
	require.Contains(t, text.String(), `grosz_video_events_total{event="error"} 2`)
}
