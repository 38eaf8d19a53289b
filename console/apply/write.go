package apply

import (
	"encoding"
	"reflect"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// encode writes a document as YAML, fields in their order, those at their zero
// value left out; nil for one that is all zero.
func encode(v reflect.Value) *yaml.Node {
	if v.IsZero() {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		return encode(v.Elem())
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, err := m.MarshalText()
		if err != nil {
			return nil // amounts and currencies have no error
		}
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: string(b), Tag: "!!str"}
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil {
			n.Tag = "!!float"
		}
		return n
	}
	switch v.Kind() {
	case reflect.Struct:
		return encodeStruct(v)
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for i := range v.Len() {
			item := encode(v.Index(i))
			if item == nil {
				item = zeroNode(v.Index(i))
			}
			n.Content = append(n.Content, item)
		}
		if v.Len() == 0 {
			return nil
		}
		return n
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatBool(v.Bool()), Tag: "!!bool"}
	case reflect.Int, reflect.Int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatInt(v.Int(), 10), Tag: "!!int"}
	case reflect.Uint32:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatUint(v.Uint(), 10), Tag: "!!int"}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String(), Tag: "!!str"}
}

// zeroNode is an element of a list that is all zero.
func zeroNode(v reflect.Value) *yaml.Node {
	switch v.Kind() {
	case reflect.Struct:
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	case reflect.String:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str"}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: "0", Tag: "!!int"}
}

func encodeStruct(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, f := range jsonFields(v.Type()) {
		if given(f.name) {
			continue
		}
		value := encode(v.Field(f.index))
		if value == nil {
			continue
		}
		if isTime(v.Type(), f.name) {
			value = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle,
				Value: time.UnixMilli(v.Field(f.index).Int()).UTC().Format(time.RFC3339Nano)}
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f.name, Tag: "!!str"}, value)
	}
	if len(n.Content) == 0 {
		return nil
	}
	return n
}

// plain is a document as a patch holds it: maps, lists, strings, numbers,
// what is zero left out. Times are ms, as the API has them.
func plain(doc any) any {
	v := reflect.Indirect(reflect.ValueOf(doc))
	out, _ := plainValue(v).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	return out
}

func plainValue(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return plainValue(v.Elem())
	case v.Kind() == reflect.Struct && !v.IsZero():
		if _, text := v.Interface().(encoding.TextMarshaler); text {
			break
		}
		out := map[string]any{}
		for _, f := range jsonFields(v.Type()) {
			if given(f.name) {
				continue
			}
			if x := plainValue(v.Field(f.index)); x != nil {
				out[f.name] = x
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case v.Kind() == reflect.Slice && v.Len() > 0:
		out := make([]any, v.Len())
		for i := range out {
			if out[i] = plainValue(v.Index(i)); out[i] == nil {
				out[i] = v.Index(i).Interface()
			}
		}
		return out
	}
	n := encode(v)
	if n == nil {
		return nil
	}
	switch n.Tag {
	case "!!bool":
		return n.Value == "true"
	case "!!int":
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			return n.Value
		}
		return i
	}
	return n.Value
}
