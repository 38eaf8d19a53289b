package console

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Part is how a part of the console fares. It says nothing about shops, for
// it is shown to everyone.
type Part struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Note is for people.
	Note string `json:"note,omitempty"`
}

// healthCache keeps the last look at the parts, so that asking often costs
// nothing.
type healthCache struct {
	mu    sync.Mutex
	at    time.Time
	parts []Part
}

const (
	healthFor     = 2 * time.Second
	healthTimeout = 2 * time.Second
)

// parts looks at what the console works with.
func (s *Server) parts(ctx context.Context) []Part {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	if s.health.parts != nil && time.Since(s.health.at) < healthFor {
		return s.health.parts
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	parts := []Part{s.databasePart(ctx)}
	if s.publisher != nil {
		parts = append(parts, s.kafkaPart(ctx))
	}
	if s.reports != nil {
		p := Part{Name: "reports", OK: s.reports.Ping(ctx) == nil}
		if !p.OK {
			p.Note = "ClickHouse does not answer"
		}
		parts = append(parts, p)
	}
	s.health.at, s.health.parts = time.Now(), parts
	return parts
}

func (s *Server) databasePart(ctx context.Context) Part {
	p := Part{Name: "database", OK: s.store.Ping(ctx) == nil}
	if !p.OK {
		p.Note = "cannot be read"
	}
	return p
}

func (s *Server) kafkaPart(ctx context.Context) Part {
	st := s.publisher.Status(ctx)
	p := Part{Name: "publishing", OK: st.Err == "", Note: "all changes are with the bidders"}
	switch {
	case !p.OK:
		p.Note = "Kafka does not take changes now; they wait"
	case st.Pending != 0:
		p.Note = "changes are on their way"
	}
	return p
}

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

// readyz says whether the API can do its work, which needs the database only:
// what Kafka does not take yet waits in the outbox.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	parts := s.parts(r.Context())
	status, word := http.StatusOK, "ready"
	if !parts[0].OK {
		status, word = http.StatusServiceUnavailable, "not ready"
	}
	writeJSON(w, status, struct {
		Status string `json:"status"`
		Parts  []Part `json:"parts"`
	}{word, parts})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone then
}
