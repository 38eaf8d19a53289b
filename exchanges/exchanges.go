// Package exchanges holds ready agreements with public exchanges, one YAML
// file each (bidder.ExchangeConfig), for an operator to copy into
// DIR/exchanges and complete: seat, keys, what the contract allows. Each
// setting names the public document that it was read in; what no document
// said is listed and left at its default. Slow: read at start. Imports
// nothing of Grosz.
package exchanges

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Ready is one agreement.
type Ready struct {
	// Name is the file's name without .yaml, and the exchange's.
	Name string
	// Title is the file's first line.
	Title string
	// Text is the file.
	Text []byte
}

// All lists the agreements by name.
func All() ([]Ready, error) {
	entries, err := fs.ReadDir(files, ".") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("ready exchange files: %w", err)
	}
	var out []Ready
	for _, e := range entries {
		r, err := Get(strings.TrimSuffix(e.Name(), ".yaml"))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Get returns the agreement with one exchange.
func Get(name string) (Ready, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return Ready{}, fmt.Errorf("no ready file for an exchange %q: %w", name, err)
	}
	title, _, _ := strings.Cut(string(text), "\n")
	return Ready{Name: name, Title: strings.TrimPrefix(title, "# "), Text: text}, nil
}
