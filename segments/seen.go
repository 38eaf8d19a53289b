package segments

// recentEvents is how many of a profile's newest events are told apart.
const recentEvents = 16

// seenEvents knows which events a profile has taken. It holds the newest by
// their own time, so that what is older than all of them can be told: such an
// event may be a repeat from long ago, and moves no count. Whatever is sent
// again, however much of it, so counts once. The price is that an event that
// comes late behind recentEvents newer ones is not counted; it still marks
// what was seen, and when.
type seenEvents struct {
	id      [recentEvents]uint32 // 24 bits of the event id: one new event in a million is taken for a repeat
	at      [recentEvents]uint32 // seconds, newest first
	n       uint8
	horizon uint32 // the newest of those that had to leave
}

// age is what seenEvents says of an event.
type age uint8

const (
	eventNew   age = iota
	eventKnown     // taken before
	eventLate      // older than what is remembered
)

// note looks an event up and remembers it.
func (s *seenEvents) note(id, at uint32) age {
	for i := range s.n {
		if s.id[i] == id {
			return eventKnown
		}
	}
	if at < s.horizon {
		return eventLate
	}
	n := int(s.n)
	if n == recentEvents {
		if at < s.at[n-1] {
			s.horizon = at + 1 // it is the oldest itself, and is not kept
			return eventNew
		}
		n--
		s.horizon = max(s.horizon, s.at[n])
	} else {
		s.n++
	}
	i := n
	for ; i > 0 && s.at[i-1] <= at; i-- {
		s.id[i], s.at[i] = s.id[i-1], s.at[i-1]
	}
	s.id[i], s.at[i] = id, at
	return eventNew
}

// seenID is the part of an event id that is kept.
func seenID(id UserKey) uint32 { return uint32(id[0]) | uint32(id[1])<<8 | uint32(id[2])<<16 }

// link is another key of the same person, by an identify event.
type link struct {
	key UserKey
	at  uint32
}

// The kinds of link: the shop's first-party id of the browser, and its own id
// of the person.
const (
	linkVisitor = iota
	linkCustomer
	linkKinds
)

// newer tells whether l replaces old; of the same second the greater key, so
// that order makes no difference.
func (l *link) newer(old *link) bool {
	return l.at > old.at || l.at == old.at && string(l.key[:]) > string(old.key[:])
}
