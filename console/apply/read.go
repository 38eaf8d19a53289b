package apply

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// MaxFile bounds a file, bytes.
const MaxFile = 32 << 20

// File is what a shop is to be.
type File struct {
	// Shop is the shop's id; 0 if the file does not say.
	Shop     uint32
	settings *entry
	feed     *entry
	parts    map[string][]*entry // by section
	// Which sections are there: others are left alone.
	has map[string]bool
}

// entry is one document of the file.
type entry struct {
	kind  kind
	at    string // "campaigns[2]"
	line  int
	id    uint32
	doc   any            // a pointer to the kind's type
	lines map[string]int // by field: "bid.cpm", "creatives[0].title"
	named map[string]bool
	// given are values of the environment in the entry, by the variable.
	given map[string]string
}

func (e *entry) name() string { return nameOf(e.doc) }

// Mistake is something wrong with the file.
type Mistake struct {
	File  string
	Line  int
	Field string // "campaigns[2].bid.cpm"
	Msg   string
}

// Error is one line, such as `shop.yaml:12: campaigns[2].bid.cpm: …`.
func (m *Mistake) Error() string {
	s := m.File + ":" + strconv.Itoa(m.Line) + ": "
	if m.Field != "" {
		s += m.Field + ": "
	}
	return s + m.Msg
}

// Outside is what a file may name that stands outside of it.
type Outside struct {
	// Env is asked for what ${NAME} in an address stands for; nil knows none.
	Env func(name string) (string, bool)
	// Dir is where the files of lists are; empty is the working directory.
	Dir string
}

// Read reads a file; name is for messages. The error joins a *Mistake for all
// that is wrong with it.
func Read(name string, b []byte, o Outside) (*File, error) {
	r := &reader{file: name, out: o}
	f := &File{has: map[string]bool{}, parts: map[string][]*entry{}}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var root yaml.Node
	if err := dec.Decode(&root); errors.Is(err, io.EOF) {
		return nil, &Mistake{name, 1, "", "the file is empty"}
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &Mistake{name, max(more.Line, 1), "", "one document to a file"}
	}
	top := root.Content[0]
	for key, value := range r.fields(top, "") {
		r.section(f, key, value)
	}
	for _, k := range parts() {
		r.names(f.parts[k.section])
	}
	return f, errors.Join(r.wrong...)
}

// reader notes what is wrong.
type reader struct {
	file  string
	out   Outside
	wrong []error
}

const maxMistakes = 100

func (r *reader) bad(n *yaml.Node, field, format string, args ...any) {
	if len(r.wrong) < maxMistakes {
		r.wrong = append(r.wrong, &Mistake{r.file, n.Line, field, fmt.Sprintf(format, args...)})
	}
}

// fields yields the keys of a mapping with their values.
func (r *reader) fields(n *yaml.Node, at string) func(func(*yaml.Node, *yaml.Node) bool) {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if n.Kind != yaml.MappingNode {
			r.bad(n, at, "must be fields, such as name: …")
			return
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if seen[k.Value] {
				r.bad(k, join(at, k.Value), "is there twice")
				continue
			}
			seen[k.Value] = true
			if !yield(k, n.Content[i+1]) {
				return
			}
		}
	}
}

func join(at, name string) string {
	switch {
	case at == "":
		return name
	case name == "":
		return at
	}
	return at + "." + name
}

func (r *reader) section(f *File, key, value *yaml.Node) {
	f.has[key.Value] = true
	switch key.Value {
	case "shop":
		n, err := strconv.ParseUint(value.Value, 10, 32)
		if err != nil || n == 0 {
			r.bad(value, "shop", "must be the shop's number")
		}
		f.Shop = uint32(n)
	case "settings":
		f.settings = r.entry(settingsKind, "settings", value)
	case "feed":
		if value.Tag != "!!null" {
			f.feed = r.entry(feedKind, "feed", value)
		}
	default:
		for _, k := range parts() {
			if k.section == key.Value {
				f.parts[k.section] = r.list(k, value)
				return
			}
		}
		r.bad(key, "", "%q is none of shop, settings, feed, lists, segments, campaigns, webhooks", key.Value)
	}
}

func (r *reader) list(k kind, n *yaml.Node) (out []*entry) {
	if n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.bad(n, k.section, "must be a list")
		return nil
	}
	for i, item := range n.Content {
		out = append(out, r.entry(k, fmt.Sprintf("%s[%d]", k.section, i), item))
	}
	return out
}

func (r *reader) entry(k kind, at string, n *yaml.Node) *entry {
	v := reflect.New(k.typ)
	e := &entry{kind: k, at: at, line: n.Line, doc: v.Interface(), lines: map[string]int{}, named: map[string]bool{}}
	r.object(e, v.Elem(), "", n)
	settle(e.doc)
	r.outside(e)
	return e
}

// names wants every entry to be known by a name of its own, or an id.
func (r *reader) names(list []*entry) {
	seen := map[string]int{}
	for _, e := range list {
		at := &yaml.Node{Line: e.line}
		key := keyOf(e.doc)
		if h, ok := e.doc.(*Webhook); ok {
			key = h.URL
		}
		switch {
		case key == "":
			r.bad(at, join(e.at, e.kind.known), "is missing")
		case e.id == 0 && seen[key] > 0:
			r.bad(at, join(e.at, e.kind.known), "%q is also the name of the entry in line %d", e.name(), seen[key])
		}
		if e.id == 0 {
			seen[key] = e.line
		}
	}
}

// object reads a mapping into a struct; path is the place in the entry.
func (r *reader) object(e *entry, v reflect.Value, path string, n *yaml.Node) {
	known := jsonFields(v.Type())
	for key, value := range r.fields(n, join(e.at, path)) {
		name, at := key.Value, join(path, key.Value)
		e.lines[at] = key.Line
		if path == "" {
			e.named[name] = true
		}
		i := slices.IndexFunc(known, func(f jsonField) bool { return f.name == name })
		switch {
		case path == "" && name == "id" && e.kind.numbered:
			id, err := strconv.ParseUint(value.Value, 10, 32)
			if err != nil || id == 0 {
				r.bad(value, join(e.at, at), "must be a number that the console gave")
			}
			e.id = uint32(id)
		case i < 0 || given(name):
			r.bad(key, join(e.at, at), "there is no such field; the fields are %s", fieldNames(known))
		default:
			r.value(e, v.Field(known[i].index), isTime(v.Type(), name), at, value)
		}
	}
}

func fieldNames(list []jsonField) string {
	var names []string
	for _, f := range list {
		if !given(f.name) {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

func (r *reader) value(e *entry, v reflect.Value, time bool, at string, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Tag == "!!null" {
		return
	}
	where := join(e.at, at)
	switch {
	case time:
		ms, err := timeMS(n.Value)
		if err != nil {
			r.bad(n, where, "%v", err)
		}
		v.SetInt(ms)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(e, v.Elem(), false, at, n)
	case isText(v):
		r.text(v, where, n)
	case v.Kind() == reflect.Struct:
		r.object(e, v, at, n)
	case v.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			r.bad(n, where, "must be a list")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, item := range n.Content {
			path := fmt.Sprintf("%s[%d]", at, i)
			e.lines[path] = item.Line
			r.value(e, v.Index(i), false, path, item)
		}
	default:
		r.scalar(v, where, n)
	}
}

// isText tells of amounts and the like, which the API has as texts.
func isText(v reflect.Value) bool {
	switch v.Addr().Interface().(type) {
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return true
	}
	return false
}

func (r *reader) text(v reflect.Value, where string, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		r.bad(n, where, "must be one value, such as 12.50")
		return
	}
	quoted, err := json.Marshal(n.Value)
	if err == nil {
		err = json.Unmarshal(quoted, v.Addr().Interface())
	}
	if err != nil {
		r.bad(n, where, "%v", err)
	}
}

func (r *reader) scalar(v reflect.Value, where string, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		r.bad(n, where, "must be one value")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Tag != "!!bool" {
			r.bad(n, where, "must be true or false")
			return
		}
		v.SetBool(n.Value == "true" || strings.EqualFold(n.Value, "true"))
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
		if err != nil {
			r.bad(n, where, "%q is not a whole number", n.Value)
		}
		v.SetInt(i)
	case reflect.Uint32:
		u, err := strconv.ParseUint(n.Value, 10, 32)
		if err != nil {
			r.bad(n, where, "%q is not a whole number from 0", n.Value)
		}
		v.SetUint(u)
	default:
		r.bad(n, where, "cannot be read here")
	}
}

func timeMS(s string) (int64, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return ms, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("%q is neither milliseconds since 1970 nor a time such as 2027-01-31T08:00:00+01:00", s)
	}
	return t.UnixMilli(), nil
}
