package campaigns

import (
	"slices"
	"strings"
)

func readSearch(p *parser, name token) (*node, error) {
	if p.tok.kind == tokWord && p.tok.text == "contains" {
		return p.textPredicate(map[string]predKind{"contains": kindSearchContains}, name)
	}
	return listOf(kindSearch)(p, name)
}

func readURL(p *parser, name token) (*node, error) {
	return p.textPredicate(map[string]predKind{"contains": kindURLContains, "prefix": kindURLPrefix}, name)
}

func readPath(p *parser, name token) (*node, error) {
	return p.textPredicate(map[string]predKind{"contains": kindPathContains, "prefix": kindPathPrefix}, name)
}

func readSubpage(p *parser, name token) (*node, error) {
	if p.tok.kind == tokWord && p.tok.text != "in" {
		return p.textPredicate(map[string]predKind{"prefix": kindPathPrefix}, name)
	}
	return p.textValues(kindPathPrefix, name)
}

func (p *parser) textPredicate(verbs map[string]predKind, name token) (*node, error) {
	kind, ok := verbs[p.tok.text]
	if p.tok.kind != tokWord || !ok {
		words := make([]string, 0, len(verbs))
		for w := range verbs {
			words = append(words, w)
		}
		slices.Sort(words)
		hint := ""
		if s := nearest(p.tok.text, words); s != "" && p.tok.kind == tokWord {
			hint = didYouMean(s)
		}
		return nil, p.fail(p.tok, hint, "expected %s after %s, found %s", strings.Join(words, " or "), name.text, p.tok.describe())
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return p.textValues(kind, name)
}

// textValues reads one text or a list of alternatives.
func (p *parser) textValues(kind predKind, name token) (*node, error) {
	list, err := p.texts()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, p.fail(p.tok, "", "expected a text in double quotes, found %s", p.tok.describe())
	}
	kids := make([]*node, len(list))
	for i, t := range list {
		v, hint, ok := normalValue(kind, t.text)
		if !ok {
			return nil, p.fail(t, hint, "%q is not what %s can compare with", shorten(t.text), name.text)
		}
		kids[i] = leaf(predicate{kind: kind, values: []string{v}})
	}
	return p.anyOf(kids)
}
