package warehouse

import (
	"bytes"
	"strings"
)

// guard refuses what reaches the host's files and network and is beyond the reach of
// grants: INTO OUTFILE and FROM INFILE, which the library's client half executes;
// functions that open files or connections; ATTACH, which may take over any folder
// of the host; and PARALLEL WITH, which hides a second statement.
//
// It works on tokens. Where it could see other tokens than the engine does, a
// statement that so much as mentions one of these words is refused.
type guard struct{ err error }

// guarded are the words to watch, in lower case; true are functions.
func guarded() map[string]bool {
	return map[string]bool{
		"outfile": false, "infile": false, "attach": false, "parallel": false,
		"backup": false, "restore": false, "copy": false,
		"file": true, "disk": true, "catboostevaluate": true,
		"aiclassify": true, "aigenerate": true, "aiextract": true, "aitranslate": true, "aiembed": true,
	}
}

// token looks at token t behind prev and before.
func (g *guard) token(before, prev, t token) {
	if g.err != nil {
		return
	}
	switch {
	case t.is('('):
		if prev.kind == tokenIdentifier && prev.escaped {
			g.err = denied("A function's name must not be written with escapes.")
		} else if isGuardedFunction(prev) {
			g.err = denied("The function %s is not allowed here: it reaches outside the tables.", prev.text)
		}
	case (prev.word("APPLY") || prev.is('(') && before.word("APPLY")) && (isGuardedFunction(t) || t.escaped):
		g.err = denied("The function %s is not allowed here: it reaches outside the tables.", t.text)
	case t.word("OUTFILE"), t.word("INFILE"):
		g.err = denied("%s is not allowed here: it is a file of the server. Take the result from the response, send data in the body.", bytes.ToUpper(t.text))
	case prev.word("ATTACH") && !t.word("PARTITION") && !t.word("PART"):
		g.err = denied("ATTACH is not allowed here: it may take over files of the host.")
	case prev.word("PARALLEL") && t.word("WITH"):
		g.err = denied("PARALLEL WITH is not allowed here.")
	}
}

func isGuardedFunction(t token) bool {
	if t.kind != tokenWord && t.kind != tokenIdentifier || len(t.text) > 20 {
		return false
	}
	return guarded()[strings.ToLower(string(t.text))]
}

// check gives the verdict over the statement's text, all of it but data.
func (g *guard) check(sql []byte) error {
	if g.err != nil {
		return g.err
	}
	odd := bytes.IndexByte(sql, '$') >= 0 || bytes.IndexByte(sql, '#') >= 0 || bytes.IndexByte(sql, 0) >= 0 ||
		bytes.Contains(sql, []byte("/*")) || bytes.Contains(sql, []byte("\xE2\x80"))
	if odd && mentionsGuarded(sql) {
		return denied("A statement with comments in /* */, heredocs, typographic quotes, $, # or zero bytes must not hold the words " +
			"file, outfile, infile, disk, attach, parallel, backup, restore, copy or a model function.")
	}
	return nil
}

func mentionsGuarded(sql []byte) bool {
	words := guarded()
	for i := 0; i < len(sql); {
		if !isWordByte(sql[i]) {
			i++
			continue
		}
		start := i
		for i < len(sql) && isWordByte(sql[i]) {
			i++
		}
		if i-start > 20 {
			continue
		}
		if _, ok := words[strings.ToLower(string(sql[start:i]))]; ok {
			return true
		}
	}
	// An identifier may spell such a word with escapes.
	return bytes.IndexByte(sql, '\\') >= 0 && bytes.ContainsAny(sql, "`\"")
}
