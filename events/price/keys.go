package price

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Keys are what an exchange gives to read its prices with.
type Keys struct {
	Encryption []byte
	Integrity  []byte // Google's scheme only
}

// maxKeyText bounds the text of ParseKeys, in bytes.
const maxKeyText = 4 << 10

// ParseKeys reads keys as they stand in a file or an environment variable:
//
//	encryption: skU7Ax_NL5pPAFyKdkfZjZz2-VhIN8bjj1rVFOaJ_5o=
//	integrity: hex:6ab3b6df291d36a510e4b12843415598f9017…
//
// one to a line, or apart by commas or semicolons. "hex:", "base64:" (either
// alphabet, padded or not) or "text:" may stand before a key; without, hex
// digits of an even number are hex and all else base64. "#" begins a comment.
// An error never repeats a key.
func ParseKeys(text string) (Keys, error) {
	var k Keys
	if len(text) > maxKeyText {
		return k, fmt.Errorf("keys: more than %d bytes", maxKeyText)
	}
	var errs []error
	split := func(r rune) bool { return r == '\n' || r == ',' || r == ';' }
	for i, part := range strings.FieldsFunc(text, split) {
		part, _, _ = strings.Cut(part, "#")
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, ":")
		var to *[]byte
		switch strings.TrimSpace(name) {
		case "encryption":
			to = &k.Encryption
		case "integrity":
			to = &k.Integrity
		}
		if !ok || to == nil {
			errs = append(errs, fmt.Errorf("keys: entry %d is not encryption: KEY or integrity: KEY", i+1))
			continue
		}
		if *to != nil {
			errs = append(errs, fmt.Errorf("keys: entry %d gives %s a second time", i+1, strings.TrimSpace(name)))
			continue
		}
		b, err := parseKey(strings.TrimSpace(value))
		if err != nil {
			errs = append(errs, fmt.Errorf("keys: %s: %w", strings.TrimSpace(name), err))
		}
		*to = b
	}
	if len(errs) == 0 && k.Encryption == nil {
		errs = append(errs, errors.New("keys: no encryption: KEY"))
	}
	return k, errors.Join(errs...)
}

var errKey = errors.New("not a key in hex or base64")

func parseKey(s string) ([]byte, error) {
	if v, ok := strings.CutPrefix(s, "text:"); ok {
		return []byte(v), nil
	}
	b64, forced := strings.CutPrefix(s, "base64:")
	if v, isHex := strings.CutPrefix(s, "hex:"); isHex || !forced {
		b, err := hex.DecodeString(v)
		switch {
		case err == nil && len(b) > 0:
			return b, nil
		case isHex:
			return nil, errKey
		}
	}
	b64 = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(b64), "=.")
	b, err := base64.RawURLEncoding.DecodeString(b64)
	if err != nil || len(b) == 0 {
		return nil, errKey
	}
	return b, nil
}
