// Package demo holds two small videos that the demo's campaigns play: 15 and
// 30 seconds of three shapes that move over a plain ground, with the words
// "Grosz demo" and a button. They were drawn for Grosz and carry no rights of
// others.
//
// Made once with ffmpeg 5.1 from generated sources only (color, drawbox,
// overlay, drawtext, anullsrc), as follows, with D the duration in seconds:
//
//	ffmpeg -f lavfi -i color=c=0x10243f:s=640x360:r=15:d=D \
//	  -f lavfi -i color=c=0xf2a541:s=120x120:r=15:d=D \
//	  -f lavfi -i color=c=0x2ec4b6:s=120x120:r=15:d=D \
//	  -f lavfi -i color=c=0xe71d36:s=120x120:r=15:d=D \
//	  -f lavfi -i anullsrc=r=22050:cl=mono:d=D \
//	  -filter_complex "[0]drawbox=y=270:h=90:color=white:t=fill[b];
//	    [b][1]overlay=x='90+24*sin(t*1.2)':y='110+14*cos(t*1.7)'[c];
//	    [c][2]overlay=x='260+24*sin(t*1.2+2)':y='110+14*cos(t*1.7+2)'[d];
//	    [d][3]overlay=x='430+24*sin(t*1.2+4)':y='110+14*cos(t*1.7+4)'[e];
//	    [e]drawtext=text='Grosz demo':…,drawtext=text='Three picks for you':…,
//	    drawbox=x=452:y=288:w=156:h=54:…,drawtext=text='Shop now':…[v]" \
//	  -map "[v]" -map 4:a -t D -c:v libx264 -profile:v baseline -level 3.0 \
//	  -pix_fmt yuv420p -preset veryslow -crf 30 -g 75 -c:a aac -b:a 8k \
//	  -movflags +faststart -map_metadata -1 -fflags +bitexact spotD.mp4
//
// and once more at a constant bit rate, because many requests ask for at least
// 300 kbit/s: -b:v 384k -minrate 384k -maxrate 384k -bufsize 384k
// -x264-params nal-hrd=cbr:keyint=75 -c:a copy.
//
// H.264 constrained baseline at 15 frames a second with silent mono AAC, the
// index before the data. The package is not hot and safe for many goroutines.
package demo

import (
	_ "embed"

	"github.com/grosz/grosz/campaigns"
)

//go:embed spot15.mp4
var spot15 []byte

//go:embed spot30.mp4
var spot30 []byte

// Spot is one video: its file name, its bytes, which must not be changed, and
// its facts as a campaign states them, with a URL below the assets' base.
type Spot struct {
	Name  string
	Data  []byte
	Video campaigns.Video
}

// Spots returns the videos, the shorter one first.
func Spots() []Spot {
	return []Spot{
		spot("spot15.mp4", spot15, 15_000, 386),
		spot("spot30.mp4", spot30, 30_000, 387),
	}
}

func spot(name string, data []byte, ms int64, kbps int) Spot {
	return Spot{Name: name, Data: data, Video: campaigns.Video{URL: "/demo/" + name, MIME: "video/mp4", DurationMS: ms, W: 640, H: 360, BitrateKbps: kbps}}
}
