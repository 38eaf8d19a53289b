package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/grosz/grosz/internal/money"
)

// obj is a JSON object read leniently: a getter takes whatever shape real
// exchanges send for its kind, and anything else reads as absent.
type obj map[string]any

// errNotObject is what parseObject wraps for JSON that is no single object.
var errNotObject = errors.New("not one JSON object")

func parseObject(body []byte) (obj, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotObject, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows it", errNotObject)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errNotObject
	}
	return m, nil
}

func (o obj) has(key string) bool { v, ok := o[key]; return ok && v != nil }

func (o obj) obj(key string) obj {
	m, _ := o[key].(map[string]any)
	return m
}

func (o obj) objs(key string) []obj {
	list, _ := o[key].([]any)
	var out []obj
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func scalar(v any) string {
	switch t := v.(type) {
	case string:
		return t
	case json.Number:
		return t.String()
	default:
		return ""
	}
}

func (o obj) text(key string) string { return scalar(o[key]) }

func (o obj) strs(key string) []string {
	list, ok := o[key].([]any)
	if !ok {
		list = []any{o[key]}
	}
	var out []string
	for _, e := range list {
		if s := scalar(e); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (o obj) int(key string) (int64, bool) {
	if b, ok := o[key].(bool); ok {
		if b {
			return 1, true
		}
		return 0, true
	}
	return toInt(scalar(o[key]))
}

// intOr is the number at key, or def where there is none.
func (o obj) intOr(key string, def int64) int64 {
	if v, ok := o.int(key); ok {
		return v
	}
	return def
}

func (o obj) ints(key string) []int64 {
	list, ok := o[key].([]any)
	if !ok {
		list = []any{o[key]}
	}
	var out []int64
	for _, e := range list {
		if v, ok := toInt(scalar(e)); ok {
			out = append(out, v)
		}
	}
	return out
}

func toInt(s string) (int64, bool) {
	r, ok := toRat(s)
	if !ok {
		return 0, false
	}
	q := new(big.Int).Quo(r.Num(), r.Denom())
	return q.Int64(), q.IsInt64()
}

// toRat reads a decimal exactly. Exponents that no price or size has are
// refused, for big.Rat would write them out.
func toRat(s string) (*big.Rat, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 400 || strings.ContainsAny(s, "/_xXpPbBoO") {
		return nil, false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if e, err := strconv.Atoi(s[i+1:]); err != nil || e > 30 || e < -400 {
			return nil, false
		}
	}
	return new(big.Rat).SetString(s)
}

// micros is a price in micro-units, a floor rounded up and a bid rounded
// down, so that rounding never hides a bid below a floor.
func micros(s string, roundUp bool) (money.CPM, bool) {
	r, ok := toRat(s)
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(money.CPMUnit, 1))
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	if roundUp && m.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return money.CPM(q.Int64()), q.IsInt64()
}

func contains[T comparable](list []T, v T) bool {
	for _, e := range list {
		if e == v {
			return true
		}
	}
	return false
}

func containsFold(list []string, v string) bool {
	for _, e := range list {
		if strings.EqualFold(strings.TrimSpace(e), v) {
			return true
		}
	}
	return false
}
