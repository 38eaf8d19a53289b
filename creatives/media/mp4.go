package media

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// box is one box of an ISO base media file (ISO/IEC 14496-12).
type box struct {
	kind string
	body []byte
}

// maxBoxes bounds how many boxes one level may hold.
const maxBoxes = 4096

// boxes takes a level of boxes apart; ok is false for one that does not fit.
func boxes(data []byte) (list []box, ok bool) {
	for len(data) > 0 {
		if len(data) < 8 || len(list) == maxBoxes {
			return list, false
		}
		size, head := uint64(binary.BigEndian.Uint32(data)), uint64(8)
		switch size {
		case 0: // to the end of the file
			size = uint64(len(data))
		case 1:
			if len(data) < 16 {
				return list, false
			}
			size, head = binary.BigEndian.Uint64(data[8:]), 16
		}
		if size < head || size > uint64(len(data)) {
			return list, false
		}
		list = append(list, box{string(data[4:8]), data[head:size]})
		data = data[size:]
	}
	return list, true
}

func find(list []box, kind string) *box {
	for i := range list {
		if list[i].kind == kind {
			return &list[i]
		}
	}
	return nil
}

// within opens boxes in boxes: within(b, "mdia", "minf") is the minf in the
// mdia of b.
func (b *box) within(path ...string) *box {
	for _, kind := range path {
		if b == nil {
			return nil
		}
		list, _ := boxes(b.body)
		b = find(list, kind)
	}
	return b
}

// track is one track of a video.
type track struct {
	handler    string // vide or soun
	codec      string // avc1.42C01E or mp4a
	format     string // the sample entry's four letters
	w, h       int
	durationMS int64
	samples    uint32
	end        uint64 // where in the file its last chunk begins
}

// inspectMP4 reads the boxes of a progressive MP4: H.264 with or without AAC,
// the index in front of the data, so that it plays while it is loaded.
func inspectMP4(data []byte) (Info, error) {
	if len(data) > MaxVideoBytes {
		return Info{}, refuse("the video has %d bytes, at most %d are allowed", len(data), MaxVideoBytes)
	}
	top, ok := boxes(data)
	if !ok {
		return Info{}, refuse("the MP4 is cut off or damaged behind %d of its boxes", len(top))
	}
	moov := find(top, "moov")
	switch {
	case moov == nil:
		return Info{}, refuse("the MP4 has no index (moov)")
	case find(top, "moof") != nil || moov.within("mvex") != nil:
		return Info{}, refuse("a fragmented MP4: send a progressive one (ffmpeg -movflags +faststart)")
	case find(top, "mdat") == nil:
		return Info{}, refuse("the MP4 has no data (mdat)")
	}
	for i := range top {
		if top[i].kind == "moov" {
			break
		}
		if top[i].kind == "mdat" {
			return Info{}, refuse("the index (moov) stands behind the data: it would play only when all of it is loaded (ffmpeg -movflags +faststart)")
		}
	}
	info := Info{Kind: KindVideo, MIME: "video/mp4", Ext: ".mp4"}
	if err := info.tracks(moov, uint64(len(data))); err != nil {
		return Info{}, err
	}
	if info.DurationMS < MinVideoMS || info.DurationMS > MaxVideoMS {
		return Info{}, refuse("the video is %.1f seconds long; %d to %d are allowed", float64(info.DurationMS)/1000, MinVideoMS/1000, MaxVideoMS/1000)
	}
	if err := side(info.W, info.H); err != nil {
		return Info{}, err
	}
	info.BitrateKbps = int((int64(len(data))*8 + info.DurationMS/2) / info.DurationMS)
	if info.BitrateKbps < 1 {
		return Info{}, refuse("the video holds less than 1 kbit/s")
	}
	return info, nil
}

func (info *Info) tracks(moov *box, size uint64) error {
	list, ok := boxes(moov.body)
	if !ok {
		return refuse("the MP4's index (moov) is damaged")
	}
	var codecs []string
	videos := 0
	for i := range list {
		if list[i].kind != "trak" {
			continue
		}
		t, err := readTrack(&list[i])
		if err != nil {
			return err
		}
		switch t.handler {
		case "vide":
			if videos++; t.format != "avc1" {
				return refuse("the picture is coded as %q; players everywhere take H.264 (avc1) only", t.format)
			}
			info.W, info.H, info.DurationMS = t.w, t.h, t.durationMS
		case "soun":
			if t.format != "mp4a" {
				return refuse("the sound is coded as %q; players everywhere take AAC (mp4a) only", t.format)
			}
		default:
			continue // text and time codes play no part
		}
		if t.samples == 0 || t.end >= size {
			return refuse("the MP4's index points behind the end of the file, or nowhere")
		}
		codecs = append(codecs, t.codec)
	}
	if videos != 1 {
		return refuse("the MP4 has %d picture tracks, not one", videos)
	}
	info.Codecs = strings.Join(codecs, ", ")
	return nil
}

func readTrack(trak *box) (t track, err error) {
	bad := refuse("a track of the MP4 is damaged")
	mdia := trak.within("mdia")
	hdlr, mdhd, stbl := mdia.within("hdlr"), mdia.within("mdhd"), mdia.within("minf", "stbl")
	if hdlr == nil || mdhd == nil || stbl == nil || len(hdlr.body) < 12 {
		return t, bad
	}
	t.handler = string(hdlr.body[8:12])
	if t.handler != "vide" && t.handler != "soun" {
		return t, nil
	}
	var ok bool
	if t.durationMS, ok = mediaTime(mdhd.body); !ok {
		return t, bad
	}
	stsd := stbl.within("stsd")
	if stsd == nil || len(stsd.body) < 8 {
		return t, bad
	}
	entries, ok := boxes(stsd.body[8:])
	if !ok || len(entries) != 1 {
		return t, refuse("a track of the MP4 has %d sample descriptions, not one", len(entries))
	}
	e := entries[0]
	t.format, t.codec = e.kind, e.kind
	if t.handler == "vide" {
		if len(e.body) < 78 {
			return t, bad
		}
		t.w, t.h = int(binary.BigEndian.Uint16(e.body[24:])), int(binary.BigEndian.Uint16(e.body[26:]))
		inner, _ := boxes(e.body[78:])
		if c := find(inner, "avcC"); c != nil && len(c.body) >= 4 {
			t.codec = fmt.Sprintf("avc1.%02X%02X%02X", c.body[1], c.body[2], c.body[3])
		} else if t.format == "avc1" {
			return t, bad
		}
	}
	t.samples, t.end, ok = chunks(stbl)
	if !ok {
		return t, bad
	}
	return t, nil
}

// mediaTime reads the length out of an mdhd, in ms.
func mediaTime(b []byte) (int64, bool) {
	var scale, units uint64
	switch {
	case len(b) >= 20 && b[0] == 0:
		scale, units = uint64(binary.BigEndian.Uint32(b[12:])), uint64(binary.BigEndian.Uint32(b[16:]))
	case len(b) >= 32 && b[0] == 1:
		scale, units = uint64(binary.BigEndian.Uint32(b[20:])), binary.BigEndian.Uint64(b[24:])
	default:
		return 0, false
	}
	if scale == 0 || units > 1<<40 {
		return 0, false
	}
	return int64(units * 1000 / scale), true
}

// chunks tells how many samples a track has and where its last chunk begins.
func chunks(stbl *box) (samples uint32, last uint64, ok bool) {
	stsz, stco := stbl.within("stsz"), stbl.within("stco")
	width := 4
	if stco == nil {
		stco, width = stbl.within("co64"), 8
	}
	if stsz == nil || stco == nil || len(stsz.body) < 12 || len(stco.body) < 8 {
		return 0, 0, false
	}
	samples = binary.BigEndian.Uint32(stsz.body[8:])
	n := int(binary.BigEndian.Uint32(stco.body[4:]))
	if n < 1 || n > len(stco.body) || len(stco.body) < 8+n*width {
		return 0, 0, false
	}
	for i := range n {
		at := stco.body[8+i*width:]
		v := uint64(binary.BigEndian.Uint32(at))
		if width == 8 {
			v = binary.BigEndian.Uint64(at)
		}
		last = max(last, v)
	}
	return samples, last, true
}
