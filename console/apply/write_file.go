package apply

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/grosz/grosz/internal/durable"
)

// ExportOptions say how a shop is written as a file.
type ExportOptions struct {
	// Lists is a directory that takes lists too long for the file, a file each;
	// empty: the file names them only.
	Lists string
}

// Export writes the file of a shop as it is now.
func (c *Client) Export(ctx context.Context, w io.Writer, o ExportOptions) error {
	s, err := c.state(ctx)
	if err != nil {
		return err
	}
	notes := map[string]string{}
	for _, l := range s.parts[listKind.section] {
		if err := c.exportList(ctx, l.doc.(*List), o, notes); err != nil {
			return err
		}
	}
	return writeFile(w, c.Shop, s, notes)
}

// exportList puts what a list holds where it belongs: into the file if it is
// short, else beside it. Where it is in neither, a note says why.
func (c *Client) exportList(ctx context.Context, l *List, o ExportOptions, notes map[string]string) error {
	switch {
	case l.sum == "":
		notes[l.Name] = "its entries were not kept when it was uploaded"
		return nil
	case l.count > inlineEntries && o.Lists == "":
		notes[l.Name] = fmt.Sprintf("%d entries: grosz export --lists DIR writes them", l.count)
		return nil
	}
	held, err := c.entries(ctx, l)
	if err != nil {
		return err
	}
	if len(held) <= inlineEntries {
		l.Entries = held
		return nil
	}
	path := filepath.Join(o.Lists, l.Name+".txt") // of letters, digits, . _ -
	if err := durable.ReplaceBytes(path, 0o644, []byte(strings.Join(held, "\n")+"\n")); err != nil {
		return fmt.Errorf("list %q: %w", l.Name, err)
	}
	l.File = filepath.ToSlash(path)
	return nil
}

// writeFile writes what is there as a file; notes are about lists.
func writeFile(w io.Writer, shop uint32, s *state, notes map[string]string) error {
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	put := func(name string, value *yaml.Node) {
		root.Content = append(root.Content, textNode(name), value)
	}
	put("shop", numberNode(shop))
	put("settings", encode(reflect.ValueOf(s.settings.doc).Elem()))
	feed := s.feed.doc.(*FeedSource)
	feed.URL = Hide(feed.URL)
	if n := encode(reflect.ValueOf(feed).Elem()); n != nil {
		put("feed", n)
	} else {
		put("feed", &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"})
	}
	for _, k := range parts() {
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		names := map[string]int{}
		for _, l := range s.parts[k.section] {
			if h, ok := l.doc.(*Webhook); ok {
				h.URL = hideHook(h.URL)
			}
			names[keyOf(l.doc)]++
		}
		for _, l := range s.parts[k.section] {
			key := keyOf(l.doc)
			n := encode(reflect.ValueOf(l.doc).Elem())
			if names[key] > 1 { // only its number tells it
				n.Content = append([]*yaml.Node{textNode("id"), numberNode(l.id)}, n.Content...)
			}
			if l, ok := l.doc.(*List); ok && notes[l.Name] != "" {
				n.Content[1].LineComment = notes[l.Name]
			}
			list.Content = append(list.Content, n)
		}
		put(k.section, list)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	return enc.Close()
}

func textNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: s, Tag: "!!str"}
}

func numberNode(n uint32) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatUint(uint64(n), 10), Tag: "!!int"}
}
