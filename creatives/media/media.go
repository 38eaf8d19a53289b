// Package media looks into files that shops upload for their ads: what they
// are by their bytes, how large, how long. A file is taken only if all of it
// can be decoded and an ad may carry it.
//
// It is the slow edge of creatives: the console calls it once per upload. All
// functions are pure and safe for many goroutines; memory is bounded by the
// bounds below, which are looked at before anything is decoded. It knows no
// files and no HTTP, and imports nothing of Grosz.
package media

import (
	"bytes"
	"errors"
	"fmt"
)

// Kinds of file.
const (
	KindImage = "image"
	KindVideo = "video"
)

// Bounds of what an ad may carry.
const (
	// MaxImageBytes keeps a banner with its markup (below 3 KB) within an
	// initial load of 150 KiB.
	MaxImageBytes = 150_000
	// MaxVideoBytes bounds a progressive MP4.
	MaxVideoBytes = 32 << 20
	// MaxSide is the longest side of a picture or a video in pixels.
	MaxSide = 4096
	// MaxAnimationMS is after how long a banner must stand still, its repeats
	// included.
	MaxAnimationMS = 30_000
	// MinVideoMS and MaxVideoMS bound the length of a video.
	MinVideoMS = 1_000
	MaxVideoMS = 180_000
	// MaxPixels bounds a picture; maxPixels what all frames of one take.
	MaxPixels = 4_000_000
	maxPixels = 48_000_000
	maxFrames = 1_000
)

// ErrRefused is what Inspect wraps for a file that is not taken; the rest of
// the text tells the uploader why.
var ErrRefused = errors.New("not taken")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Info is what is known of a file after it was looked through.
type Info struct {
	Kind string // KindImage or KindVideo
	MIME string
	Ext  string // ".png" and so on: by the bytes, whatever the file was called
	// W and H are in pixels.
	W, H  int
	Bytes int
	// Frames of a picture; 1 stands still.
	Frames int
	// AnimationMS is how long an animated picture moves, its repeats included.
	AnimationMS int64
	// DurationMS, BitrateKbps (average) and Codecs, such as "avc1.42C01E,
	// mp4a", are of a video.
	DurationMS  int64
	BitrateKbps int
	Codecs      string
}

// Inspect tells what a file is, or why it is not taken (ErrRefused).
func Inspect(data []byte) (Info, error) {
	var info Info
	var err error
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		info, err = inspectPNG(data)
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		info, err = inspectJPEG(data)
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		info, err = inspectGIF(data)
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		info, err = inspectWebP(data)
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		info, err = inspectMP4(data)
	default:
		return Info{}, refuse("the bytes are neither PNG, JPEG, GIF, WebP nor MP4")
	}
	if err != nil {
		return Info{}, err
	}
	info.Bytes = len(data)
	return info, nil
}
