package apply

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Addresses hold secrets: a token that lets one fetch a feed or call a hook. A
// file does not: what an address asks for (the values of its query), and of a
// webhook its path as well, is written as *** and means what is there already;
// ${NAME} is a variable of the environment.

// hidden stands for a value that a file does not tell.
const hidden = "***"

// Hide is an address without the values of its query and without a user's
// name and password.
func Hide(address string) string {
	address, fragment, _ := strings.Cut(address, "#")
	if fragment != "" {
		fragment = "#" + hidden
	}
	before, query, asks := strings.Cut(address, "?")
	if scheme, rest, ok := strings.Cut(before, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			before = scheme + "://" + hidden + rest[at:]
		}
	}
	if !asks {
		return before + fragment
	}
	fields := strings.Split(query, "&")
	for i, f := range fields {
		switch name, value, named := strings.Cut(f, "="); {
		case named && value != "":
			fields[i] = name + "=" + hidden
		case !named && f != "":
			fields[i] = hidden
		}
	}
	return before + "?" + strings.Join(fields, "&") + fragment
}

// hideHook is the address of a webhook without all that may let one call it:
// those of chats have their token in the path.
func hideHook(address string) string {
	scheme, rest, ok := strings.Cut(Hide(address), "://")
	if !ok {
		return Hide(address)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 || rest[end:] == "/" {
		return scheme + "://" + rest
	}
	return scheme + "://" + rest[:end] + "/" + hidden
}

// hideIn is Hide for addresses of a kind of entry.
func hideIn(k kind) func(address string) string {
	if k == webhookKind {
		return hideHook
	}
	return Hide
}

// hides tells of an address that leaves out what the console knows.
func hides(address string) bool { return strings.Contains(address, hidden) }

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// outside fills in what an entry names that stands outside of the file.
func (r *reader) outside(e *entry) {
	switch d := e.doc.(type) {
	case *FeedSource:
		if r.address(e, &d.URL); d.URL == "" && len(e.named) > 0 {
			r.bad(&yaml.Node{Line: e.line}, join(e.at, "url"), "is missing")
		}
	case *Webhook:
		r.address(e, &d.URL)
	case *List:
		r.hold(e, d)
	}
}

func (r *reader) address(e *entry, address *string) {
	at := &yaml.Node{Line: max(e.lines["url"], e.line)}
	*address = variable.ReplaceAllStringFunc(*address, func(place string) string {
		name := variable.FindStringSubmatch(place)[1]
		value, ok := "", false
		if r.out.Env != nil {
			value, ok = r.out.Env(name)
		}
		if !ok || value == "" {
			r.bad(at, join(e.at, "url"), "the environment has no variable %s", name)
			return place
		}
		if e.given == nil {
			e.given = map[string]string{}
		}
		e.given[name] = value
		return value
	})
}

// recall fills in what an address hides, from the one that is there.
func recall(e *entry, address *string, there, file string) error {
	if !hides(*address) {
		return nil
	}
	if *address != hideIn(e.kind)(there) && *address != Hide(there) {
		return e.mistake(file, "url", fmt.Sprintf("%s stands for what is there already, and there is no such address: write the value, or ${NAME} for a variable", hidden))
	}
	*address = there
	return nil
}

// anAddress is an address, or the beginning of one.
var anAddress = regexp.MustCompile(`[^\s"]*://[^\s"]+`)

// keepSecrets hides in a message what came from the environment, and what
// addresses hide. What is shorter than four bytes is no secret, and may be part
// of any word.
func (e *entry) keepSecrets(msg string) string {
	if e.kind != feedKind && e.kind != webhookKind {
		return msg
	}
	for name, value := range e.given {
		if len(value) >= 4 {
			msg = strings.ReplaceAll(msg, value, "${"+name+"}")
		}
	}
	return anAddress.ReplaceAllStringFunc(msg, hideIn(e.kind))
}

// hideAddresses shows changes of addresses without what they hide.
func hideAddresses(k kind, list []change) []change {
	hide := hideIn(k)
	for i := range list {
		if c := &list[i]; c.field == "url" {
			from, _ := c.from.(string)
			to, _ := c.to.(string)
			same := hide(from) == hide(to)
			if from != "" {
				c.from = hide(from)
			}
			if to != "" {
				c.to = hide(to)
			}
			if same {
				c.to = hide(to) + ", with other values"
			}
		}
	}
	return list
}
