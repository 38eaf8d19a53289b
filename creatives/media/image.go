package media

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// format is how one sort of still picture is decoded.
type format struct {
	name, mime, ext string
	config          func(io.Reader) (image.Config, error)
	decode          func(io.Reader) (image.Image, error)
}

// still decodes a picture of one frame, its size first.
func (f *format) still(data []byte) (Info, error) {
	if err := imageBytes(data); err != nil {
		return Info{}, err
	}
	cfg, err := f.config(bytes.NewReader(data))
	if err != nil {
		return Info{}, refuse("the %s cannot be read: %v", f.name, err)
	}
	if err := area(cfg.Width, cfg.Height); err != nil {
		return Info{}, err
	}
	if _, err := f.decode(bytes.NewReader(data)); err != nil {
		return Info{}, refuse("the %s cannot be read to its end: %v", f.name, err)
	}
	return Info{Kind: KindImage, MIME: f.mime, Ext: f.ext, W: cfg.Width, H: cfg.Height, Frames: 1}, nil
}

func imageBytes(data []byte) error {
	if len(data) > MaxImageBytes {
		return refuse("the picture has %d bytes; a banner's first load is 150 KB, so at most %d are allowed", len(data), MaxImageBytes)
	}
	return nil
}

func side(w, h int) error {
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide {
		return refuse("it is %d x %d pixels; 1 to %d a side are allowed", w, h, MaxSide)
	}
	return nil
}

// area is side for a picture, which is decoded into memory.
func area(w, h int) error {
	if err := side(w, h); err != nil {
		return err
	}
	if w*h > MaxPixels {
		return refuse("it has %d pixels; at most %d are allowed", w*h, MaxPixels)
	}
	return nil
}

// inspectPNG refuses animated PNGs: how long they move would go unchecked.
func inspectPNG(data []byte) (Info, error) {
	for at := 8; at+8 <= len(data); {
		n := int64(binary.BigEndian.Uint32(data[at:]))
		if string(data[at+4:at+8]) == "acTL" {
			return Info{}, refuse("an animated PNG: send a GIF")
		}
		next := int64(at) + 12 + n
		if next > int64(len(data)) {
			break // the decoder says what is wrong
		}
		at = int(next)
	}
	f := format{"PNG", "image/png", ".png", png.DecodeConfig, png.Decode}
	return f.still(data)
}

func inspectJPEG(data []byte) (Info, error) {
	f := format{"JPEG", "image/jpeg", ".jpg", jpeg.DecodeConfig, jpeg.Decode}
	return f.still(data)
}

// inspectWebP refuses animated ones: the flag is in the VP8X chunk.
func inspectWebP(data []byte) (Info, error) {
	if len(data) > 20 && string(data[12:16]) == "VP8X" && data[20]&2 != 0 {
		return Info{}, refuse("an animated WebP: send a GIF")
	}
	f := format{"WebP", "image/webp", ".webp", webp.DecodeConfig, webp.Decode}
	return f.still(data)
}

// inspectGIF walks the blocks before it decodes: a small file may hold very
// many frames.
func inspectGIF(data []byte) (Info, error) {
	if err := imageBytes(data); err != nil {
		return Info{}, err
	}
	w, err := walkGIF(data)
	if err != nil {
		return Info{}, err
	}
	if err := area(w.w, w.h); err != nil {
		return Info{}, err
	}
	if w.frames > maxFrames || w.pixels > maxPixels {
		return Info{}, refuse("the GIF has %d frames of %d pixels in all; at most %d and %d are allowed", w.frames, w.pixels, maxFrames, maxPixels)
	}
	all, err := gif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		return Info{}, refuse("the GIF cannot be read to its end: %v", err)
	}
	info := Info{Kind: KindImage, MIME: "image/gif", Ext: ".gif", W: all.Config.Width, H: all.Config.Height, Frames: len(all.Image)}
	if info.Frames == 1 {
		return info, nil
	}
	for _, d := range all.Delay {
		if d < 2 {
			d = 10 // browsers show a frame without a delay for a tenth of a second
		}
		info.AnimationMS += int64(d) * 10
	}
	switch {
	case all.LoopCount == 0:
		return Info{}, refuse("the GIF repeats without an end: an ad must stand still after %d seconds; set how often it repeats", MaxAnimationMS/1000)
	case all.LoopCount > 0:
		info.AnimationMS *= int64(all.LoopCount) + 1
	}
	if info.AnimationMS > MaxAnimationMS {
		return Info{}, refuse("the GIF moves for %.1f seconds with its repeats; an ad must stand still after %d", float64(info.AnimationMS)/1000, MaxAnimationMS/1000)
	}
	return info, nil
}

// gifWalk is what the blocks of a GIF say before anything is decoded.
type gifWalk struct {
	w, h, frames, pixels int
}

func walkGIF(data []byte) (g gifWalk, err error) {
	short := refuse("the GIF ends too early")
	if len(data) < 13 {
		return g, short
	}
	g.w, g.h = int(binary.LittleEndian.Uint16(data[6:])), int(binary.LittleEndian.Uint16(data[8:]))
	at := 13 + colours(data[10])
	for at < len(data) {
		switch data[at] {
		case 0x3b: // trailer
			return g, nil
		case 0x21: // extension: label, then sub-blocks
			at = subBlocks(data, at+2)
		case 0x2c: // frame: its place and size, colours, code size, sub-blocks
			if at+10 > len(data) {
				return g, short
			}
			g.frames++
			g.pixels += max(int(binary.LittleEndian.Uint16(data[at+5:]))*int(binary.LittleEndian.Uint16(data[at+7:])), 1)
			if g.frames > maxFrames || g.pixels > maxPixels {
				return g, nil
			}
			at = subBlocks(data, at+10+colours(data[at+9])+1)
		default:
			return g, refuse("the GIF has a block of an unknown kind (%#x)", data[at])
		}
	}
	return g, short
}

// colours is how many bytes the table takes that a packed field announces.
func colours(packed byte) int {
	if packed&0x80 == 0 {
		return 0
	}
	return 3 << (packed&7 + 1)
}

// subBlocks is where a chain of sub-blocks ends.
func subBlocks(data []byte, at int) int {
	for at < len(data) && data[at] != 0 {
		at += 1 + int(data[at])
	}
	return at + 1
}
