package warehouse

import (
	"sync"
	"time"
)

// sessions keeps the connections of requests with a session_id, so that SET, USE
// and temporary tables last from one to the next, as on a server. One request at a
// time may use a session.
type sessions struct {
	connect func() (*conn, error)
	now     func() time.Time

	mu   sync.Mutex
	byID map[string]*session
}

type session struct {
	conn    *conn
	busy    bool
	timeout time.Duration
	idle    time.Time // since when
}

// take is the connection of a session, new or kept; with check it must exist.
func (s *sessions) take(id string, timeout time.Duration, check bool) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	at, ok := s.byID[id]
	switch {
	case ok && at.busy:
		return nil, errorf(codeSessionLocked, "SESSION_IS_LOCKED", "Session %.64q is locked by a concurrent client.", id)
	case ok:
		at.busy, at.timeout = true, timeout
		return at.conn, nil
	case check:
		return nil, errorf(codeSessionNotFound, "SESSION_NOT_FOUND", "Session %.64q not found.", id)
	case len(s.byID) >= maxSessions && !s.evict():
		return nil, errorf(codeTooManyQueries, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many sessions: %d are busy.", maxSessions)
	}
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	s.byID[id] = &session{conn: c, busy: true, timeout: timeout}
	return c, nil
}

// release gives the session back, or ends it.
func (s *sessions) release(id string, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.byID[id]
	if !ok {
		return
	}
	if end {
		at.conn.close()
		delete(s.byID, id)
		return
	}
	at.busy, at.idle = false, s.now()
}

func (s *sessions) expire() {
	for id, at := range s.byID {
		if !at.busy && s.now().Sub(at.idle) > at.timeout {
			at.conn.close()
			delete(s.byID, id)
		}
	}
}

// evict ends the session that is idle for longest.
func (s *sessions) evict() bool {
	var oldest string
	for id, at := range s.byID {
		if !at.busy && (oldest == "" || at.idle.Before(s.byID[oldest].idle)) {
			oldest = id
		}
	}
	if oldest == "" {
		return false
	}
	s.byID[oldest].conn.close()
	delete(s.byID, oldest)
	return true
}

// close ends all sessions; none may be busy.
func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, at := range s.byID {
		at.conn.close()
		delete(s.byID, id)
	}
}
