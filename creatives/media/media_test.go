package media

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// drawn is a picture that compresses badly when noisy is set.
func drawn(w, h int, noisy bool) *image.RGBA {
	rng := rand.New(rand.NewPCG(1, 2))
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{uint8(x), uint8(y), 80, 255}
			if noisy {
				c = color.RGBA{uint8(rng.IntN(256)), uint8(rng.IntN(256)), uint8(rng.IntN(256)), 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func pngOf(t testing.TB, w, h int, noisy bool) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, drawn(w, h, noisy)))
	return b.Bytes()
}

func jpegOf(t testing.TB, w, h int) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, drawn(w, h, false), nil))
	return b.Bytes()
}

// gifOf has frames of a delay in hundredths of a second; loops as gif.GIF says.
func gifOf(t testing.TB, frames, delay, loops int, size ...int) []byte {
	w, h := 300, 250
	if len(size) == 2 {
		w, h = size[0], size[1]
	}
	g := &gif.GIF{LoopCount: loops}
	for range frames {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Black, color.White}))
		g.Delay = append(g.Delay, delay)
	}
	var b bytes.Buffer
	require.NoError(t, gif.EncodeAll(&b, g))
	return b.Bytes()
}

// tinyWebP is a lossy picture of 1 x 1.
const tinyWebP = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"

func webpOf(t testing.TB) []byte {
	b, err := base64.StdEncoding.DecodeString(tinyWebP)
	require.NoError(t, err)
	return b
}

func spot(t testing.TB, name string) []byte {
	b, err := os.ReadFile("../demo/" + name)
	require.NoError(t, err)
	return b
}

// insertPNG puts a chunk behind the header; its checksum is nobody's concern.
func insertPNG(b []byte, kind string) []byte {
	chunk := append(binary.BigEndian.AppendUint32(nil, 8), kind...)
	chunk = append(chunk, make([]byte, 12)...)
	return append(append(bytes.Clone(b[:33]), chunk...), b[33:]...)
}

func TestInspect(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want Info
	}{
		{"png", pngOf(t, 300, 250, false), Info{Kind: KindImage, MIME: "image/png", Ext: ".png", W: 300, H: 250, Frames: 1}},
		{"jpeg", jpegOf(t, 728, 90), Info{Kind: KindImage, MIME: "image/jpeg", Ext: ".jpg", W: 728, H: 90, Frames: 1}},
		{"gif", gifOf(t, 1, 0, 0), Info{Kind: KindImage, MIME: "image/gif", Ext: ".gif", W: 300, H: 250, Frames: 1}},
		{"gif that plays once", gifOf(t, 10, 100, -1), Info{Kind: KindImage, MIME: "image/gif", Ext: ".gif", W: 300, H: 250, Frames: 10, AnimationMS: 10_000}},
		{"gif that plays three times", gifOf(t, 10, 100, 2), Info{Kind: KindImage, MIME: "image/gif", Ext: ".gif", W: 300, H: 250, Frames: 10, AnimationMS: 30_000}},
		{"gif without delays", gifOf(t, 5, 0, -1), Info{Kind: KindImage, MIME: "image/gif", Ext: ".gif", W: 300, H: 250, Frames: 5, AnimationMS: 500}},
		{"webp", webpOf(t), Info{Kind: KindImage, MIME: "image/webp", Ext: ".webp", W: 1, H: 1, Frames: 1}},
		{"mp4 of 15 s", spot(t, "spot15.mp4"), Info{Kind: KindVideo, MIME: "video/mp4", Ext: ".mp4", W: 640, H: 360, DurationMS: 15_000, BitrateKbps: 386, Codecs: "avc1.42C01E, mp4a"}},
		{"mp4 of 30 s", spot(t, "spot30.mp4"), Info{Kind: KindVideo, MIME: "video/mp4", Ext: ".mp4", W: 640, H: 360, DurationMS: 30_000, BitrateKbps: 387, Codecs: "avc1.42C01E, mp4a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Inspect(c.data)
			require.NoError(t, err)
			c.want.Bytes = len(c.data)
			require.Equal(t, c.want, got)
		})
	}
}

// renamed gives a box's first occurrence another name.
func renamed(b []byte, from, to string) []byte { return bytes.Replace(b, []byte(from), []byte(to), 1) }

// behind puts the index behind the data.
func behind(t testing.TB, b []byte) []byte {
	top, ok := boxes(b)
	require.True(t, ok)
	var out, moov []byte
	for _, x := range top {
		raw := append(binary.BigEndian.AppendUint32(nil, uint32(len(x.body)+8)), x.kind...)
		raw = append(raw, x.body...)
		if x.kind == "moov" {
			moov = raw
		} else {
			out = append(out, raw...)
		}
	}
	return append(out, moov...)
}

func TestInspectRefuses(t *testing.T) {
	mp4 := spot(t, "spot15.mp4")
	huge := pngOf(t, 10, 10, false)
	huge = bytes.Clone(huge)
	binary.BigEndian.PutUint32(huge[16:], 60_000) // width; the checksum is wrong too
	for _, c := range []struct {
		name, says string
		data       []byte
	}{
		{"nothing", "neither", nil},
		{"svg", "neither", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)},
		{"html", "neither", []byte("<!doctype html><script>alert(1)</script>")},
		{"html behind a byte order mark", "neither", []byte("\xef\xbb\xbf<html>")},
		{"pdf", "neither", []byte("%PDF-1.7")},
		{"a name that lies", "neither", []byte("image.png")},
		{"only the signature of png", "cannot be read", []byte("\x89PNG\r\n\x1a\n")},
		{"png cut off", "cannot be read", pngOf(t, 300, 250, false)[:500]},
		{"png too large", "bytes", pngOf(t, 300, 250, true)},
		{"png too wide", "cannot be read", huge},
		{"png of 5000", "pixels", pngOf(t, 5000, 2, false)},
		{"png of too many pixels", "10000000 pixels", pngOf(t, 4000, 2500, false)},
		{"animated png", "animated", insertPNG(pngOf(t, 10, 10, false), "acTL")},
		{"jpeg cut off", "cannot be read", jpegOf(t, 300, 250)[:900]},
		{"gif without end", "without an end", gifOf(t, 2, 10, 0)},
		{"gif that moves too long", "33.0 seconds", gifOf(t, 11, 100, 2)},
		{"gif cut off", "ends too early", gifOf(t, 3, 10, -1)[:200]},
		{"gif of too many frames", "frames", gifOf(t, 1001, 1, -1, 1, 1)},
		{"animated webp", "animated", append([]byte("RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02"), make([]byte, 20)...)},
		{"mp4 cut off", "cut off", mp4[:len(mp4)-1000]},
		{"mp4 without index", "no index", renamed(mp4, "moov", "free")},
		{"mp4 without data", "no data", renamed(mp4, "mdat", "free")},
		{"mp4 with the index behind", "faststart", behind(t, mp4)},
		{"mp4 of another codec", "H.264", renamed(mp4, "avc1\x00\x00\x00\x00\x00\x00", "hev1\x00\x00\x00\x00\x00\x00")},
		{"mp4 with other sound", "AAC", renamed(mp4, "mp4a\x00\x00\x00\x00\x00\x00", "Opus\x00\x00\x00\x00\x00\x00")},
		{"mp4 that is encrypted", "H.264", renamed(mp4, "avc1\x00\x00\x00\x00\x00\x00", "encv\x00\x00\x00\x00\x00\x00")},
		{"mp4 without picture", "0 picture", renamed(mp4, "vide", "meta")},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Inspect(c.data)
			require.ErrorIs(t, err, ErrRefused)
			require.Contains(t, err.Error(), c.says)
			require.Less(t, len(err.Error()), 300)
			require.False(t, strings.ContainsAny(err.Error(), "\x00\n"))
		})
	}
}

func FuzzInspect(f *testing.F) {
	for _, b := range [][]byte{pngOf(f, 20, 10, false), jpegOf(f, 20, 10), gifOf(f, 2, 5, 1), webpOf(f), spot(f, "spot15.mp4")[:4000], insertPNG(pngOf(f, 3, 3, false), "acTL")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := Inspect(b)
		if err != nil {
			require.ErrorIs(t, err, ErrRefused)
			return
		}
		require.NotEmpty(t, info.MIME)
		require.Positive(t, info.W)
		require.Positive(t, info.H)
		require.LessOrEqual(t, max(info.W, info.H), MaxSide)
		require.Equal(t, info.Kind == KindVideo, info.DurationMS > 0)
		require.LessOrEqual(t, info.AnimationMS, int64(MaxAnimationMS))
	})
}
