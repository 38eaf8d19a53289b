package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLastWordsOfAChild: what a child said last is told whole where its last line goes on from one above.
func TestLastWordsOfAChild(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"one line":       {"a\nb\n", "b"},
		"nothing":        {"", ""},
		"a list below":   {"before\nread demo.yaml: unmarshal errors:\n  line 20: field colour not found\n  line 21: field size not found\n", "read demo.yaml: unmarshal errors: line 20: field colour not found line 21: field size not found"},
		"all of it":      {"  line 1\n  line 2", "line 1 line 2"},
		"ends with none": {"x:\n  y\nz\n\n", "z"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, lastWords(c.text)) })
	}
}

// TestOneConsoleKeepsADatabase: a second one is refused, and another may follow.
func TestOneConsoleKeepsADatabase(t *testing.T) {
	dir := t.TempDir()
	release, err := holdConsole(dir)
	require.NoError(t, err)
	_, err = holdConsole(dir)
	require.ErrorContains(t, err, "another console has the database in "+dir)
	release()
	release, err = holdConsole(dir)
	require.NoError(t, err)
	release()
}
