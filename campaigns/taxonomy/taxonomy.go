package taxonomy

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Numbers of taxonomies as cattax and segtax give them (AdCOM, category
// taxonomies).
const (
	Content1  = 1
	Content20 = 2
	Content21 = 5
	Content22 = 6
	Content30 = 7
	Content31 = 9
)

//go:embed parents.txt
var parentsText string

//go:embed content1.txt
var content1Text string

//go:embed back.txt
var backText string

//go:embed google.txt
var googleText string

//go:embed names.txt
var namesText string

// maps are the tables, ready for look-ups.
type maps struct {
	also  map[string][]string // of a category, in either form: what else it is
	names map[string]string
	goods map[string][]string // of a product category's number, and of its name in lower case
}

var tables = sync.OnceValue(load)

// IsContent tells whether a cattax or segtax is of content categories. 0 is
// absent: for a cattax that means 1.0, for a segtax nothing; ask for it apart.
func IsContent(tax int32) bool {
	switch tax {
	case Content1, Content20, Content21, Content22, Content30, Content31:
		return true
	}
	return false
}

// Also returns what else a content category of a taxonomy is: the levels above
// it, and its like in the other form. The list is shared; nil for an unknown
// one.
func Also(tax int32, id string) []string {
	if tax != 0 && !IsContent(tax) {
		return nil
	}
	return tables().also[id]
}

// Name returns the name of a content category that speaks of things to buy; ""
// for others.
func Name(id string) string { return tables().names[id] }

// ProductCategories returns the content categories (1.0) that concern the
// products of a top level of Google's product taxonomy, by number or name; nil
// for an unknown one. A longer path is read by its top level. Not hot.
func ProductCategories(s string) []string {
	if i := strings.IndexByte(s, '>'); i >= 0 {
		s = s[:i]
	}
	return tables().goods[strings.ToLower(strings.TrimSpace(s))]
}

func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for l := range strings.Lines(text) {
			if l = strings.TrimSpace(l); l != "" && l[0] != '#' && !yield(l) {
				return
			}
		}
	}
}

func load() *maps {
	m := &maps{also: map[string][]string{}, names: map[string]string{}, goods: map[string][]string{}}
	parent := map[string]string{}
	for l := range lines(parentsText) {
		p, children, _ := strings.Cut(l, ":")
		for _, c := range strings.Fields(children) {
			parent[c] = p
		}
	}
	up := func(id string) (chain []string) {
		for id = parent[id]; id != "" && len(chain) < 8; id = parent[id] {
			chain = append(chain, id)
		}
		return chain
	}
	forth, back := readContent1()
	numbers := map[string]bool{}
	for c, p := range parent {
		numbers[c], numbers[p] = true, true
	}
	for id := range back {
		numbers[id] = true
	}
	for id := range numbers {
		list := slices.Clone(back[id])
		for _, p := range up(id) {
			list = append(list, p)
			list = append(list, back[p]...)
		}
		m.also[id] = unique(list)
	}
	for code, id := range forth {
		m.also[code] = nil
		if id != "-" {
			m.also[code] = unique(append([]string{id}, up(id)...))
		}
	}
	for l := range lines(namesText) {
		id, name, _ := strings.Cut(l, "\t")
		m.names[id] = name
	}
	for l := range lines(googleText) {
		part := strings.Split(l, "\t")
		codes := strings.Fields(part[1])
		m.goods[part[0]], m.goods[strings.ToLower(part[2])] = codes, codes
	}
	return m
}

// readContent1 reads the mapping of 1.0 and turns it around. A number that
// several categories of 1.0 have stands for their top level only, unless
// back.txt says which of them it is.
func readContent1() (forth map[string]string, back map[string][]string) {
	forth, back = map[string]string{}, map[string][]string{}
	for l := range lines(content1Text) {
		code, ids, _ := strings.Cut(l, ":")
		for i, id := range strings.Fields(ids) {
			c := code
			if i > 0 {
				c += "-" + strconv.Itoa(i)
			}
			forth[c] = id
			if id != "-" {
				back[id] = append(back[id], c)
			}
		}
	}
	for id, codes := range back {
		if len(codes) > 1 {
			tops := make([]string, len(codes))
			for i, c := range codes {
				tops[i], _, _ = strings.Cut(c, "-")
			}
			back[id] = unique(tops)
		}
	}
	for l := range lines(backText) {
		f := strings.Fields(l)
		back[f[0]] = f[1:]
	}
	return forth, back
}

// unique drops what stood there before, keeping the order.
func unique(list []string) (out []string) {
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return slices.Clip(out)
}
