package console

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a body.
const maxDepth = 24

// parseObject checks that a body is one JSON object of bounded depth.
func parseObject(body []byte) (json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, failure(http.StatusBadRequest, "the body is not UTF-8")
	}
	if err := checkDepth(body); err != nil {
		return nil, failure(http.StatusBadRequest, err.Error())
	}
	raw := json.RawMessage(bytes.TrimSpace(body))
	if len(raw) == 0 || raw[0] != '{' {
		return nil, failure(http.StatusBadRequest, "the body must be a JSON object")
	}
	var syntax map[string]json.RawMessage
	if err := json.Unmarshal(raw, &syntax); err != nil {
		return nil, failure(http.StatusBadRequest, "the body is not JSON: "+err.Error())
	}
	return raw, nil
}

func checkDepth(body []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("the body is nested deeper than %d", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// mergePatch applies an RFC 7396 merge patch: objects merge, null removes,
// all else replaces.
func mergePatch(target, patch json.RawMessage) (json.RawMessage, error) {
	var changes map[string]json.RawMessage
	if json.Unmarshal(patch, &changes) != nil || changes == nil {
		return patch, nil // not an object
	}
	var merged map[string]json.RawMessage
	if json.Unmarshal(target, &merged) != nil || merged == nil {
		merged = map[string]json.RawMessage{}
	}
	for name, value := range changes {
		if string(value) == "null" {
			delete(merged, name)
			continue
		}
		next, err := mergePatch(merged[name], value)
		if err != nil {
			return nil, err
		}
		merged[name] = next
	}
	out, err := json.Marshal(merged)
	if err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	return out, nil
}

// decode reads JSON into to, a pointer, and notes every field that is of a
// wrong type or not known; what can be read is read.
func decode(raw json.RawMessage, to any, p *problems) {
	decodeValue(raw, reflect.ValueOf(to).Elem(), "body", p)
}

func decodeValue(raw json.RawMessage, v reflect.Value, at string, p *problems) {
	if string(raw) == "null" {
		return // as if absent
	}
	switch to := v.Addr().Interface().(type) {
	case json.Unmarshaler:
		if err := to.UnmarshalJSON(raw); err != nil {
			p.add(at, "%v", err)
		}
		return
	case encoding.TextUnmarshaler:
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			p.add(at, "must be a string")
		} else if err := to.UnmarshalText([]byte(text)); err != nil {
			p.add(at, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		decodeValue(raw, v.Elem(), at, p)
	case reflect.Struct:
		decodeStruct(raw, v, at, p)
	case reflect.Slice:
		decodeSlice(raw, v, at, p)
	default:
		if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
			v.SetZero()
			p.add(at, "must be %s", kindName(v.Type()))
		}
	}
}

func decodeStruct(raw json.RawMessage, v reflect.Value, at string, p *problems) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		p.add(at, "must be an object")
		return
	}
	fields := map[string]reflect.Value{}
	jsonFields(v, fields)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		field, ok := fields[name]
		if !ok {
			p.add(at+"."+clip(name), "is not a known field; known are %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
			continue
		}
		decodeValue(object[name], field, at+"."+name, p)
	}
}

// jsonFields maps the JSON names of a struct's fields, those of embedded
// structs too, to the fields.
func jsonFields(v reflect.Value, into map[string]reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Tag.Get("json") == "" {
			jsonFields(v.Field(i), into)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			into[name] = v.Field(i)
		}
	}
}

func decodeSlice(raw json.RawMessage, v reflect.Value, at string, p *problems) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		p.add(at, "must be an array")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		decodeValue(item, out.Index(i), at+"["+strconv.Itoa(i)+"]", p)
	}
	v.Set(out)
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	default:
		return "a whole number"
	}
}

// clip bounds what an answer repeats of a request.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
