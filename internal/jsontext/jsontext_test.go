package jsontext

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// valid is s with every byte that is not UTF-8 replaced on its own.
func valid(s string) string { return string([]rune(s)) }

func TestAppendString(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", `""`},
		{"plain", "plain", `"plain"`},
		{"exactly eight", "12345678", `"12345678"`},
		{"markup stays", `<a href='x'>&amp;</a>`, `"<a href='x'>&amp;</a>"`},
		{"quote and backslash", `a"b\c`, `"a\"b\\c"`},
		{"quote at the end of a word", `1234567"9`, `"1234567\"9"`},
		{"named control characters", "\n\r\t", `"\n\r\t"`},
		{"other control characters", "\x00\x08\x1f", `"\u0000\u0008\u001f"`},
		{"delete is plain", "\x7f", "\"\x7f\""},
		{"Polish", "zażółć gęślą jaźń", `"zażółć gęślą jaźń"`},
		{"beyond the basic plane", "😀 a 😀", `"😀 a 😀"`},
		{"line separators", "a\u2028b\u2029c", `"a\u2028b\u2029c"`},
		{"neighbours of the separators", "\u2027\u202a", "\"\u2027\u202a\""},
		{"replacement character stays", "\uFFFD", "\"\uFFFD\""},
		{"not UTF-8", "a\xffb", "\"a\uFFFDb\""},
		{"each bad byte its own", "\xe2\x80", "\"\uFFFD\uFFFD\""},
		{"surrogate", "\xed\xa0\x80", "\"\uFFFD\uFFFD\uFFFD\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, "x"+c.want, string(AppendString([]byte("x"), c.in)))
			require.Equal(t, c.want, string(AppendString(nil, c.in)))
		})
	}
}

// TestEveryByteAtEveryPlace puts each byte at each place of a long run.
func TestEveryByteAtEveryPlace(t *testing.T) {
	for place := range 20 {
		for b := range 256 {
			in := strings.Repeat("a", place) + string([]byte{byte(b)}) + strings.Repeat("z", 19-place)
			check(t, in)
		}
	}
}

type failer interface {
	require.TestingT
	Helper()
}

func check(t failer, s string) {
	t.Helper()
	out := AppendString(nil, s)
	require.True(t, utf8.Valid(out))
	var back string
	require.NoError(t, json.Unmarshal(out, &back), "%q", out)
	require.Equal(t, valid(s), back)
	require.NotContains(t, string(out), "\u2028")
	require.NotContains(t, string(out), "\u2029")
}

func TestReadsBackAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.OneOf(
			rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\"\\\n\x00<>&\u2028\u2029żab"))),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		)).Draw(t, "parts")
		check(t, strings.Join(parts, ""))
	})
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain text of some length", "a\"b\\c\n", "\xe2\x80\xa8\xe2\x80", "\xff\xfe<>&", "zażółć\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { check(t, s) })
}

func TestAppendStringAllocatesNothing(t *testing.T) {
	ad, buf := sampleAd(4<<10), make([]byte, 0, 16<<10)
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = AppendString(buf[:0], ad) }))
}

// sampleAd is markup of about n bytes, its attributes in double quotes.
func sampleAd(n int) string {
	const piece = `<div class="card"><a href="https://shop.example/p/1234567?utm_source=dsp&amp;c=42" target="_blank">` +
		`<img src="https://cdn.example/i/1234567.jpg" width="300" height="250" alt="Zażółć gęślą jaźń"></a><span>199,99 zł</span></div>` + "\n"
	return strings.Repeat(piece, n/len(piece)+1)[:n]
}

func BenchmarkAppendString(b *testing.B) {
	for _, c := range []struct{ name, in string }{
		{"ad4KB", sampleAd(4 << 10)},
		{"adSingleQuotes4KB", strings.ReplaceAll(sampleAd(4<<10), `"`, `'`)},
		{"id36", "0b7a1f6e-0d9b-4b57-9d0f-8d1f5a9c1e11"},
		{"empty", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.in)))
			var buf []byte
			for b.Loop() {
				buf = AppendString(buf[:0], c.in)
			}
			if len(buf) < len(c.in)+2 {
				b.Fatal("too short")
			}
		})
	}
	b.Run("copyOnly4KB", func(b *testing.B) { // what cannot be beaten
		in, buf := sampleAd(4<<10), []byte(nil)
		b.SetBytes(int64(len(in)))
		for b.Loop() {
			buf = append(buf[:0], in...)
		}
	})
}
