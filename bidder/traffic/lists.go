package traffic

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// Lists is crawlers and data centres, compiled; it never changes.
type Lists struct {
	agents   *agents
	ranges   *ranges
	crawlers int
	prefixes int
}

// Check tells what a request with this user agent and IP address comes from.
// What is empty says nothing; nor does an address that cannot be read.
func (l *Lists) Check(ua, ip string) Reason {
	if ua != "" && l.agents.match(ua) {
		return Crawler
	}
	if ip != "" && l.ranges.has(ip) {
		return DataCentre
	}
	return None
}

// Size returns how many crawler patterns and IP prefixes are in force.
func (l *Lists) Size() (crawlers, prefixes int) { return l.crawlers, l.prefixes }

// compile makes lists of what files say, with the built-in crawlers.
func compile(extra []pattern, prefixes []netip.Prefix) (*Lists, error) {
	patterns := append(builtin(), extra...)
	a, err := compileAgents(patterns)
	if err != nil {
		return nil, err
	}
	return &Lists{agents: a, ranges: compileRanges(prefixes), crawlers: len(patterns), prefixes: len(prefixes)}, nil
}

// Builtin is the lists without any file: published crawlers only.
func Builtin() *Lists {
	l, err := compile(nil, nil)
	if err != nil {
		panic("traffic: the built-in crawlers: " + err.Error()) // a test has seen them
	}
	return l
}

// LineError is a line of a list that could not be read.
type LineError struct {
	Line int
	Err  error
}

// Error names the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with it.
func (e *LineError) Unwrap() error { return e.Err }

// Bounds of a list file.
const (
	maxFile     = 64 << 20 // bytes
	maxLine     = 4 << 10
	maxPrefixes = 2_000_000
	maxBadLines = 20 // that are named; more are counted
)

// errEmpty: a list without entries is more likely a download that failed.
var errEmpty = errors.New("it has no entries")

// badLines collects what is wrong with a file.
type badLines struct {
	errs []error
	n    int
}

func (b *badLines) add(line int, err error) {
	if b.n++; b.n <= maxBadLines {
		b.errs = append(b.errs, &LineError{line, err})
	}
}

func (b *badLines) err() error {
	if b.n > maxBadLines {
		b.errs = append(b.errs, fmt.Errorf("and %d more lines", b.n-maxBadLines))
		b.n = maxBadLines
	}
	return errors.Join(b.errs...)
}

// eachLine calls fn with every line that says something. A byte order mark,
// white space around and lines that begin with # are passed over.
func eachLine(r io.Reader, bad *badLines, fn func(line string) error) error {
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	sc := bufio.NewScanner(limited)
	sc.Buffer(make([]byte, 0, maxLine), maxLine)
	n := 0
	for sc.Scan() {
		n++
		b := sc.Bytes()
		if n == 1 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		}
		b = bytes.TrimSpace(b)
		if len(b) == 0 || b[0] == '#' {
			continue
		}
		if err := fn(string(b)); err != nil {
			bad.add(n, err)
		}
	}
	switch err := sc.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		bad.add(n+1, fmt.Errorf("longer than %d bytes", maxLine))
	case err != nil:
		return err
	case limited.N == 0:
		return fmt.Errorf("larger than %d bytes", maxFile)
	}
	return nil
}

// readCrawlers reads a list of crawlers, one a line: a piece of the user agent
// in either case, or an entry of the IAB/ABC International Spiders and Bots
// list, whose fields, divided by |, are: the pattern; 1 where it is in force;
// exceptions, divided by commas; whether a two-pass reading needs it; what it
// counts for (pages, ads or both); 1 where it must stand at the start; since
// when it is inactive. All of one pass are taken: only what excludes people
// who are not is read, not the list of browsers. The error lists all bad
// lines by number.
func readCrawlers(r io.Reader) ([]pattern, error) {
	var out []pattern
	var bad badLines
	n := 0
	err := eachLine(r, &bad, func(line string) error {
		n++
		p, ok, err := parseCrawler(line)
		if ok && err == nil {
			out = append(out, p)
		}
		return err
	})
	if err == nil && n == 0 {
		err = errEmpty
	}
	return out, errors.Join(err, bad.err())
}

// leastPattern keeps out what is in every browser's user agent.
const leastPattern = 3

func parseCrawler(line string) (p pattern, active bool, err error) {
	field := strings.Split(line, "|")
	if len(field) > 7 {
		return p, false, fmt.Errorf("%d fields; the list has 7", len(field))
	}
	p.text, active = lowerASCII(strings.TrimSpace(field[0])), true
	flag := func(i int, name string) (on bool) {
		if len(field) <= i {
			return false
		}
		switch f := strings.TrimSpace(field[i]); f {
		case "1":
			on = true
		case "0", "":
		default:
			err = errors.Join(err, fmt.Errorf("%s is %q, neither 0 nor 1", name, clip(f)))
		}
		return on
	}
	if len(field) > 1 {
		active = flag(1, "the active flag")
	}
	if len(field) > 2 {
		for _, e := range strings.Split(field[2], ",") {
			if e = lowerASCII(strings.TrimSpace(e)); e != "" {
				p.exceptions = append(p.exceptions, e)
			}
		}
	}
	p.atStart = flag(5, "the start flag")
	if len(p.text) < leastPattern {
		err = errors.Join(err, fmt.Errorf("the pattern %q is shorter than %d bytes", p.text, leastPattern))
	}
	return p, active, err
}

// readRanges reads IP prefixes (203.0.113.0/24, 2001:db8::/32) or single
// addresses, one a line; what follows a # or white space is a comment. The
// error lists all bad lines by number.
func readRanges(r io.Reader) ([]netip.Prefix, error) {
	var out []netip.Prefix
	var bad badLines
	err := eachLine(r, &bad, func(line string) error {
		line, _, _ = strings.Cut(line, "#")
		text := strings.Fields(line)
		p, err := parsePrefix(text[0])
		if err != nil {
			return err
		}
		if len(out) == maxPrefixes {
			return fmt.Errorf("more than %d prefixes", maxPrefixes)
		}
		out = append(out, p)
		return nil
	})
	if err == nil && len(out) == 0 && bad.n == 0 {
		err = errEmpty
	}
	return out, errors.Join(err, bad.err())
}

// Least prefix lengths that are taken: shorter ones are a slip, and would
// shut out a large part of the net.
const leastBits4, leastBits6 = 8, 16

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is no IP address or prefix", clip(s))
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, fmt.Errorf("%q is no IP prefix", clip(s))
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%q: write it as IPv4", clip(s))
	case p.Addr().Is4() && p.Bits() < leastBits4, p.Addr().Is6() && p.Bits() < leastBits6:
		return p, fmt.Errorf("%q is too wide: at least /%d, of IPv6 /%d", clip(s), leastBits4, leastBits6)
	}
	return p, nil
}

func clip(s string) string { return s[:min(len(s), 64)] }
