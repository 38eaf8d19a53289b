package campaigns

const (
	hoursOfDay = 24
	daysOfWeek = 7
)

func readHour(p *parser, name token) (*node, error) {
	return p.spans(kindHour, hoursOfDay, name.text+" in (8..20)", func(t token) (int, error) {
		if t.kind != tokNumber {
			return 0, p.fail(t, "as in hour in (8..20)", "expected an hour, found %s", t.describe())
		}
		n, err := p.integer(t, hoursOfDay-1)
		return int(n), err
	})
}

func readWeekday(p *parser, name token) (*node, error) {
	return p.spans(kindWeekday, daysOfWeek, name.text+" in (mon..fri)", func(t token) (int, error) {
		if t.kind == tokWord || t.kind == tokString {
			for i, d := range weekdays() {
				if t.text == d || t.text == d[:3] {
					return i, nil
				}
			}
		}
		return 0, p.fail(t, "mon, tue, wed, thu, fri, sat or sun", "expected a weekday, found %s", t.describe())
	})
}

func weekdays() []string {
	return []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
}

// spans reads `= v`, `in (a..b, c)` and their negations as a mask; a span
// that ends before it begins goes round.
func (p *parser) spans(kind predKind, size int, form string, value func(token) (int, error)) (*node, error) {
	negated, single, err := p.relation(form)
	if err != nil {
		return nil, err
	}
	var mask uint32
	one := func() error {
		from, err := value(p.tok)
		if err != nil {
			return err
		}
		if err := p.advance(); err != nil {
			return err
		}
		to := from
		if !single && p.tok.kind == tokRange {
			if err := p.advance(); err != nil {
				return err
			}
			if to, err = value(p.tok); err != nil {
				return err
			}
			if err := p.advance(); err != nil {
				return err
			}
		}
		for v := from; ; v = (v + 1) % size {
			mask |= 1 << v
			if v == to {
				return nil
			}
		}
	}
	if single {
		err = one()
	} else {
		err = p.each(one)
	}
	if err != nil {
		return nil, err
	}
	n := leaf(predicate{kind: kind, mask: mask})
	if negated {
		n = &node{op: opNot, kids: []*node{n}}
	}
	return n, nil
}

// each reads a list in parentheses, calling one for every element.
func (p *parser) each(one func() error) error {
	if _, err := p.take(tokOpen, "a list in parentheses", ""); err != nil {
		return err
	}
	for {
		if err := one(); err != nil {
			return err
		}
		switch p.tok.kind {
		case tokComma:
			if err := p.advance(); err != nil {
				return err
			}
		case tokClose:
			return p.advance()
		default:
			return p.fail(p.tok, "", `expected "," or ")", found %s`, p.tok.describe())
		}
	}
}
