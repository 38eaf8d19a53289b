package apply

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// change is one field that is to be otherwise; nil is nothing.
type change struct {
	field    string
	from, to any
}

// mergePatch is what makes have what want is (RFC 7396), nil for nothing, and
// the same for people, by field.
func mergePatch(have, want map[string]any, at string) (patch map[string]any, list []change) {
	names := slices.Sorted(maps.Keys(have))
	for name := range want {
		if _, ok := have[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		h, w, field := have[name], want[name], join(at, name)
		if reflect.DeepEqual(h, w) {
			continue
		}
		if patch == nil {
			patch = map[string]any{}
		}
		hm, _ := h.(map[string]any)
		wm, _ := w.(map[string]any)
		if hm != nil && wm != nil {
			var inner []change
			patch[name], inner = mergePatch(hm, wm, field)
			list = append(list, inner...)
			continue
		}
		patch[name] = w
		list = append(list, changesOf(field, h, w)...)
	}
	return patch, list
}

// changesOf names what differs, element by element in lists.
func changesOf(field string, h, w any) (out []change) {
	if reflect.DeepEqual(h, w) {
		return nil
	}
	hl, isList := h.([]any)
	wl, isList2 := w.([]any)
	hm, isMap := h.(map[string]any)
	wm, isMap2 := w.(map[string]any)
	switch {
	case isList && (isList2 || w == nil) || isList2 && h == nil:
		for i := range max(len(hl), len(wl)) {
			var a, b any
			if i < len(hl) {
				a = hl[i]
			}
			if i < len(wl) {
				b = wl[i]
			}
			out = append(out, changesOf(field+"["+strconv.Itoa(i)+"]", a, b)...)
		}
		return out
	case isMap && isMap2:
		_, out = mergePatch(hm, wm, field)
		return out
	}
	return []change{{field, h, w}}
}

func show(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it is for reading
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	s := strings.TrimSuffix(b.String(), "\n")
	const most = 400 // a list of domains is not for reading here
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "… (" + strconv.Itoa(len(s)) + " bytes)"
	}
	return s
}

// printChange writes a change as a line.
func printChange(w io.Writer, c change) {
	switch {
	case c.from == nil:
		fmt.Fprintf(w, "  + %s: %s\n", c.field, show(c.to))
	case c.to == nil:
		fmt.Fprintf(w, "  - %s: %s\n", c.field, show(c.from))
	default:
		fmt.Fprintf(w, "  ~ %s: %s -> %s\n", c.field, show(c.from), show(c.to))
	}
}
