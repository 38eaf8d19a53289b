package lines

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing/plan"
)

// maxLine bounds a line, in bytes; a forecast has about 30,000.
const maxLine = 4 << 20

// maxComplaints bounds what is said of lines that are passed over.
const maxComplaints = 20

// Serve reads lines from in until it ends and answers bids on out. A line that
// cannot be read, or lacks a field, ends it with an error that names the line:
// pacing on half of what happened would be wrong without a word. A bid that
// cannot be made (no day begun, no value) is answered with 0, and a line of an
// unknown type passed over; both are said on complain.
func Serve(in io.Reader, out, complain io.Writer, cfg plan.Config) error {
	s := server{c: plan.New(cfg), out: out, complain: complain}
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, 1<<16), maxLine)
	for scan.Scan() {
		s.number++
		b := scan.Bytes()
		if blank(b) {
			continue
		}
		if err := s.line(b); err != nil {
			return fmt.Errorf("line %d: %w", s.number, err)
		}
	}
	if err := scan.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return fmt.Errorf("line %d: longer than %d bytes", s.number+1, maxLine)
		}
		return fmt.Errorf("read line %d: %w", s.number+1, err)
	}
	return nil
}

type server struct {
	c             *plan.Controller
	out, complain io.Writer
	number        int
	complaints    int
	l             line
	answer        []byte
	day           bool
}

func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

func (s *server) line(b []byte) error {
	if err := s.l.parse(b); err != nil {
		return err
	}
	switch s.l.kind {
	case "bid":
		return s.bid()
	case "win":
		return s.win()
	case "start":
		return s.start()
	case "end":
		s.c.End()
		s.day = false
	case "":
		return errors.New(`"type" is missing`)
	default:
		s.say("type %q is not known: passed over", s.l.kind)
	}
	return nil
}

func (s *server) need(f field) error {
	if missing := f &^ s.l.has; missing != 0 {
		return fmt.Errorf("a %s without%s", s.l.kind, missing.names())
	}
	return nil
}

func (s *server) start() error {
	if err := s.need(hasBudget); err != nil {
		return err
	}
	nano, ok := scaled(s.l.budget, money.NanoUnit, math.Floor)
	if !ok || nano < 0 {
		return fmt.Errorf("budget %v: from 0 to 9e9", s.l.budget)
	}
	day := plan.Day{Budget: money.Nano(nano), Forecast: s.l.forecast}
	if s.l.has&hasAt != 0 {
		day.Auction = plan.Auction(s.l.at)
	}
	if err := s.c.Start(day); err != nil {
		return err
	}
	s.day = true
	return nil
}

func (s *server) bid() error {
	if err := s.need(hasT | hasID | hasV); err != nil {
		return err
	}
	var bid money.CPM
	value, ok := scaled(s.l.v, money.CPMUnit, math.Floor)
	switch {
	case !s.day:
		s.say("a bid outside of a day: answered with 0")
	case !ok || value < 0:
		s.say("value %v is no price: answered with 0", s.l.v)
	default:
		bid = s.c.Bid(s.l.t, s.l.id, s.l.pl, money.CPM(value))
	}
	s.answer = append(s.answer[:0], `{"bid":`...)
	s.answer = money.AppendDecimal(s.answer, int64(bid), 6, 0)
	s.answer = append(s.answer, "}\n"...)
	if _, err := s.out.Write(s.answer); err != nil {
		return fmt.Errorf("write the bid: %w", err)
	}
	return nil
}

func (s *server) win() error {
	if err := s.need(hasT | hasID | hasCost); err != nil {
		return err
	}
	cost, ok := scaled(s.l.cost, money.NanoUnit, math.Round)
	if !ok || cost < 0 {
		return fmt.Errorf("cost %v is no amount", s.l.cost)
	}
	s.c.Win(s.l.t, s.l.id, money.Nano(cost)) // false: of another day, or a second notice
	return nil
}

// scaled makes the integer of a decimal. Decimals of the protocol come as
// binary fractions from many languages, so that the nearest one counts.
func scaled(v, unit float64, round func(float64) float64) (int64, bool) {
	x := v * unit
	if math.IsNaN(x) || math.Abs(x) > 9e18 {
		return 0, false
	}
	if near := math.Round(x); math.Abs(x-near) < 1e-6*math.Max(1, math.Abs(x)*1e-6) {
		x = near
	}
	return int64(round(x)), true
}

func (s *server) say(format string, args ...any) {
	if s.complaints++; s.complaints <= maxComplaints {
		fmt.Fprintf(s.complain, "line %d: %s\n", s.number, fmt.Sprintf(format, args...))
	}
}
