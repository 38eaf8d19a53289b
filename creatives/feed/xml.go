package feed

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// maxDepth bounds nesting; feeds need five.
const maxDepth = 32

// readXML walks a Google Merchant or Ceneo document. A document type is
// refused as a whole: entities are how XML is made to explode, and no feed
// needs them.
func (s *sink) readXML(body *bufio.Reader, f Format) error {
	rows := &rowLimit{r: body, max: s.o.MaxRow, left: s.o.MaxRow}
	// The decoder gets a reader of its own size, so that it does not read
	// byte by byte through the limit.
	d := xml.NewDecoder(bufio.NewReaderSize(rows, 16<<10))
	d.CharsetReader = charset
	x := xmlFeed{sink: s, d: d, rows: rows}
	step := x.google
	if f == Ceneo {
		step = x.ceneo
		x.row.lax = true
	}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			if x.depth == 0 && x.items {
				return nil
			}
			err = io.ErrUnexpectedEOF
			if x.depth == 0 {
				return fmt.Errorf("%w: xml: it has no %s", ErrSyntax, map[Format]string{Google: "item or entry", Ceneo: "o"}[f])
			}
		}
		if err != nil {
			line, _ := d.InputPos()
			return fmt.Errorf("%w: xml, line %d: %w", ErrSyntax, line, err)
		}
		if err := step(t); err != nil {
			return err
		}
	}
}

// charset decodes what a document says it is written in.
func charset(label string, in io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil, fmt.Errorf("encoding %q is not known", clip(label, 40))
	}
	return e.NewDecoder().Reader(in), nil
}

// xmlFeed is a document being walked.
type xmlFeed struct {
	*sink
	d     *xml.Decoder
	rows  *rowLimit
	depth int
	items bool // an item, or what holds items, was seen

	row  record
	in   int // depth of the open item; 0 outside
	line int

	field field  // of the open element inside an item
	name  string // its name
	text  []byte
}

var errDoctype = errors.New("a document type is not allowed")

// common handles what both dialects have; it is true when t is done.
func (x *xmlFeed) common(t xml.Token) (bool, error) {
	switch t := t.(type) {
	case xml.Directive:
		line, _ := x.d.InputPos()
		return true, fmt.Errorf("%w: xml, line %d: %w", ErrSyntax, line, errDoctype)
	case xml.StartElement:
		x.depth++
		if x.depth > maxDepth {
			line, _ := x.d.InputPos()
			return true, fmt.Errorf("%w: xml, line %d: elements nest deeper than %d", ErrSyntax, line, maxDepth)
		}
	case xml.CharData:
		if x.field != fieldNone {
			x.text = append(x.text, t...)
		}
		if x.in == 0 {
			x.rows.left = x.rows.max
		}
		return true, nil
	}
	return false, nil
}

func (x *xmlFeed) open() {
	x.in, x.items = x.depth, true
	x.line, _ = x.d.InputPos()
	x.row.reset()
}

func (x *xmlFeed) close() error {
	x.in = 0
	x.rows.left = x.rows.max
	return x.accept(x.line, &x.row)
}

// begin opens a field; end keeps its text.
func (x *xmlFeed) begin(f field, name string) {
	x.field, x.name, x.text = f, name, x.text[:0]
}

func (x *xmlFeed) end() {
	if x.field != fieldNone {
		x.row.set(x.field, x.name, strings.TrimSpace(string(x.text)))
	}
	x.field = fieldNone
}

// google reads <item> of RSS and <entry> of Atom. Fields stand directly in
// the item, mostly with Google's namespace; Atom's link is an attribute.
func (x *xmlFeed) google(t xml.Token) error {
	if done, err := x.common(t); done {
		return err
	}
	switch t := t.(type) {
	case xml.StartElement:
		switch {
		case x.in == 0 && (t.Name.Local == "item" || t.Name.Local == "entry"):
			x.open()
		case x.in == 0:
			x.items = x.items || t.Name.Local == "channel" || t.Name.Local == "feed"
		case x.depth == x.in+1:
			x.begin(columnOf(t.Name.Local), t.Name.Local)
			if x.field == fieldLink {
				x.atomLink(t)
			}
		default:
			x.field = fieldNone // such as g:shipping's own g:price
		}
	case xml.EndElement:
		if x.in != 0 && x.depth == x.in+1 {
			x.end()
		}
		x.depth--
		if x.in != 0 && x.depth < x.in {
			return x.close()
		}
	}
	return nil
}

func (x *xmlFeed) atomLink(t xml.StartElement) {
	rel, href := "", ""
	for _, a := range t.Attr {
		switch a.Name.Local {
		case "rel":
			rel = a.Value
		case "href":
			href = a.Value
		}
	}
	if href != "" {
		if rel == "" || rel == "alternate" {
			x.row.set(fieldLink, "link", href)
		}
		x.field = fieldNone
	}
}

// ceneo reads <o id url price avail stock> with <cat>, <name>, <imgs><main
// url>, and <attrs><a name="Producent">.
func (x *xmlFeed) ceneo(t xml.Token) error {
	if done, err := x.common(t); done {
		return err
	}
	switch t := t.(type) {
	case xml.StartElement:
		if x.in == 0 {
			if t.Name.Local == "o" {
				x.open()
				x.offer(t)
			}
			x.items = x.items || t.Name.Local == "offers"
			return nil
		}
		x.field = fieldNone
		switch name := t.Name.Local; {
		case x.depth == x.in+1 && name == "cat":
			x.begin(fieldCategory, name)
		case x.depth == x.in+1 && name == "name":
			x.begin(fieldTitle, name)
		case x.depth == x.in+2 && (name == "main" || name == "i"):
			x.row.set(fieldImage, name, attribute(t, "url"))
		case x.depth == x.in+2 && name == "a" && producer(attribute(t, "name")):
			x.begin(fieldBrand, name)
		}
	case xml.EndElement:
		x.end()
		x.depth--
		if x.in != 0 && x.depth < x.in {
			return x.close()
		}
	}
	return nil
}

func (x *xmlFeed) offer(t xml.StartElement) {
	for _, a := range t.Attr {
		switch a.Name.Local {
		case "id":
			x.row.set(fieldID, "id", a.Value)
		case "url":
			x.row.set(fieldLink, "url", a.Value)
		case "price":
			x.row.set(fieldPrice, "price", a.Value)
		case "avail":
			x.row.set(fieldAvailability, "avail", a.Value)
		case "stock":
			x.row.set(fieldStock, "stock", a.Value)
		}
	}
	// Ceneo is a Polish market; its prices carry no currency.
	x.row.set(fieldCurrency, "price", "PLN")
}

func producer(name string) bool {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "producent", "marka", "wydawnictwo", "brand":
		return true
	}
	return false
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
