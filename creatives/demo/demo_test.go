package demo

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// boxes splits an MP4's bytes into its boxes (ISO/IEC 14496-12 § 4.2), in
// order; sizes of 64 bits do not occur in files this small.
func boxes(t *testing.T, b []byte) (names []string, of map[string][][]byte) {
	t.Helper()
	of = map[string][][]byte{}
	for len(b) > 0 {
		require.GreaterOrEqual(t, len(b), 8)
		size := int(binary.BigEndian.Uint32(b))
		require.True(t, size >= 8 && size <= len(b), "a box of %d bytes in %d", size, len(b))
		name := string(b[4:8])
		names = append(names, name)
		of[name] = append(of[name], b[8:size])
		b = b[size:]
	}
	return names, of
}

// TestSpotsAreWhatTheySay reads duration, size and codecs from the files.
func TestSpotsAreWhatTheySay(t *testing.T) {
	require.Len(t, Spots(), 2)
	for _, s := range Spots() {
		t.Run(s.Name, func(t *testing.T) {
			require.Less(t, len(s.Data), 2<<20)
			names, file := boxes(t, s.Data)
			require.Equal(t, "ftyp", names[0])
			require.Less(t, index(names, "moov"), index(names, "mdat"), "the index comes first, so that playing begins at once")
			_, moov := boxes(t, file["moov"][0])

			mvhd := moov["mvhd"][0]
			require.Zero(t, mvhd[0], "version 0: 32-bit times")
			scale, length := binary.BigEndian.Uint32(mvhd[12:]), binary.BigEndian.Uint32(mvhd[16:])
			require.Equal(t, s.Video.DurationMS, int64(length)*1000/int64(scale))

			codecs := map[string]bool{}
			for _, trak := range moov["trak"] {
				_, track := boxes(t, trak)
				tkhd := track["tkhd"][0]
				w, h := binary.BigEndian.Uint32(tkhd[76:])>>16, binary.BigEndian.Uint32(tkhd[80:])>>16
				_, mdia := boxes(t, track["mdia"][0])
				_, minf := boxes(t, mdia["minf"][0])
				_, stbl := boxes(t, minf["stbl"][0])
				_, entries := boxes(t, stbl["stsd"][0][8:])
				for codec, entry := range entries {
					codecs[codec] = true
					if codec == "avc1" {
						require.Equal(t, [2]int{s.Video.W, s.Video.H}, [2]int{int(w), int(h)})
						_, config := boxes(t, entry[0][78:])
						require.Equal(t, byte(66), config["avcC"][0][1], "baseline profile")
					}
				}
			}
			require.Equal(t, map[string]bool{"avc1": true, "mp4a": true}, codecs)
			kbps := float64(len(s.Data)) * 8 / float64(s.Video.DurationMS)
			require.InDelta(t, s.Video.BitrateKbps, kbps, 1)
			require.Equal(t, "/demo/"+s.Name, s.Video.URL)
		})
	}
}

func index(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}
