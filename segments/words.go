package segments

import (
	"unicode"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// ProductHash names a product of one shop's feed by its id. It is stable over
// time and machines, and never 0.
func ProductHash(id string) uint64 { return max(xxhash.Sum64String(id), 1) }

// MaxWord is the length in bytes at which a word is cut.
const MaxWord = 48

// NextWord cuts the first word off text: its hash (never 0) and what is left.
// Words are runs of letters and digits, lower-cased and without diacritics,
// so that "Łóżko" and "lozko" are one. The hash is 0 when no word is left.
func NextWord(text string) (hash uint64, rest string) {
	var buf [MaxWord]byte
	word, rest := cutWord(buf[:0], text)
	if len(word) == 0 {
		return 0, ""
	}
	return max(xxhash.Sum64(word), 1), rest
}

// AppendFolded appends text as its words with single spaces between them: the
// form in which phrases are compared. It appends at most limit bytes.
func AppendFolded(dst []byte, text string, limit int) []byte {
	var buf [MaxWord]byte
	start := len(dst)
	for {
		word, rest := cutWord(buf[:0], text)
		gap := 0
		if len(dst) > start {
			gap = 1
		}
		if len(word) == 0 || len(dst)-start+gap+len(word) > limit {
			return dst
		}
		if gap == 1 {
			dst = append(dst, ' ')
		}
		dst = append(dst, word...)
		text = rest
	}
}

// PhraseHash is the hash of a text in its folded form, such as a category's
// name; 0 when it has no word.
func PhraseHash(text string) uint64 {
	var buf [256]byte
	b := AppendFolded(buf[:0], text, len(buf))
	if len(b) == 0 {
		return 0
	}
	return max(xxhash.Sum64(b), 1)
}

// cutWord appends the first word of text, folded, and returns what follows.
func cutWord(word []byte, text string) (folded []byte, rest string) {
	i := 0
	for i < len(text) {
		c := text[i]
		size := 1
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			word = appendByte(word, c)
		case c >= 'A' && c <= 'Z':
			word = appendByte(word, c|0x20)
		case c < utf8.RuneSelf:
			if len(word) > 0 {
				return word, text[i:]
			}
		default:
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			switch {
			case unicode.Is(unicode.Mn, r): // a combining accent of the letter before
			case unicode.IsLetter(r) || unicode.IsDigit(r):
				word = appendFold(word, unicode.ToLower(r))
			case len(word) > 0:
				return word, text[i:]
			}
		}
		i += size
	}
	return word, ""
}

func appendByte(word []byte, c byte) []byte {
	if len(word) < MaxWord {
		word = append(word, c)
	}
	return word
}

// appendFold appends a lower-case letter without its diacritic.
func appendFold(word []byte, r rune) []byte {
	if i := r - foldFrom; i >= 0 && int(i) < len(foldTable) && foldTable[i] != ' ' {
		word = appendByte(word, foldTable[i])
		switch r { // ligatures that stand for two letters
		case 'ß':
			word = appendByte(word, 's')
		case 'æ', 'œ':
			word = appendByte(word, 'e')
		}
		return word
	}
	if len(word)+utf8.RuneLen(r) > MaxWord {
		return word
	}
	return utf8.AppendRune(word, r)
}

// foldTable gives the base letter of U+00DF to U+017F; a space keeps the
// letter. Capitals have been lowered before.
const (
	foldFrom  = 0xDF
	foldTable = "s" + // ß
		"aaaaaaaceeeeiiii" + // à–ï
		"dnooooo ouuuuy y" + // ð–ÿ
		"aaaaaaccccccccdd" + // Ā–ď
		"ddeeeeeeeeeegggg" + // Đ–ğ
		"gggghhhhiiiiiiii" + // Ġ–į
		"iiiijjkkklllllll" + // İ–Ŀ
		"lllnnnnnnnnnoooo" + // ŀ–ŏ
		"oooorrrrrrssssss" + // Ő–ş
		"ssttttttuuuuuuuu" + // Š–ů
		"uuuuwwyyyzzzzzzs" //  Ű–ſ
)

// CutWord appends the first word of text to dst, folded as NextWord folds it,
// and returns what follows; nothing is appended when no word is left.
func CutWord(dst []byte, text string) (word []byte, rest string) {
	n := len(dst)
	word, rest = cutWord(dst[n:n], text)
	return append(dst[:n], word...), rest
}
