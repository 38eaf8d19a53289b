package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/grosz/grosz/console/store"
)

// Lifetimes of a session: without use, and in all. A use is written down at
// most once a minute.
const (
	sessionIdleMS = 2 * 60 * 60 * 1000
	sessionMaxMS  = 12 * 60 * 60 * 1000
	sessionNoteMS = 60_000
)

// The cookie's names. The one with the prefix is kept by browsers only from
// TLS and for this host alone; the other serves trials on loopback.
const (
	secureCookie = "__Host-grosz"
	plainCookie  = "grosz-session"
)

// csrfHeader carries the proof that a page of ours has sent the request.
const csrfHeader = "X-Csrf-Token"

// A session is a random secret in a cookie. The database has its hash, and
// the API key that signed in, sealed with the secret: whoever reads the
// database can neither be the session nor use the key. Each request opens the
// key and verifies it anew, so a revoked key ends its sessions at once.

// signIn makes a session for a key that was verified and returns its secret.
func (s *Server) signIn(ctx context.Context, who *principal) (string, error) {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	secret := base64.RawURLEncoding.EncodeToString(raw[:])
	seal, err := sealer("session " + secret)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, seal.NonceSize())
	_, _ = rand.Read(nonce)
	id := sessionID(secret)
	kept := store.Session{ID: id, Owner: who.name(), Key: seal.Seal(nonce, nonce, []byte(who.token), id)}
	err = s.store.Write(ctx, who.actor(), func(tx *store.Tx) error {
		return tx.CreateSession(ctx, kept, s.clock.NowMS()-sessionIdleMS)
	})
	return secret, err
}

func sessionID(secret string) []byte {
	sum := sha256.Sum256([]byte("grosz session id " + secret))
	return sum[:]
}

// csrfToken follows from the session's secret, which no other site can read.
func csrfToken(secret string) string {
	sum := sha256.Sum256([]byte("grosz csrf " + secret))
	return hex.EncodeToString(sum[:16])
}

func csrfMatches(secret, token string) bool {
	return subtle.ConstantTimeCompare([]byte(csrfToken(secret)), []byte(token)) == 1
}

// session finds who a session's secret stands for; nil if nobody.
func (s *Server) session(ctx context.Context, secret string) (*principal, error) {
	if len(secret) != 43 {
		return nil, nil
	}
	id := sessionID(secret)
	kept, err := s.store.View().Session(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now := s.clock.NowMS()
	if now-kept.UsedMS >= sessionIdleMS || now-kept.CreatedMS >= sessionMaxMS {
		return nil, nil
	}
	seal, err := sealer("session " + secret)
	if err != nil {
		return nil, err
	}
	if len(kept.Key) < seal.NonceSize() {
		return nil, errors.New("read a session: too short")
	}
	key, err := seal.Open(nil, kept.Key[:seal.NonceSize()], kept.Key[seal.NonceSize():], id)
	if err != nil {
		return nil, fmt.Errorf("read a session: %w", err)
	}
	who, err := s.verify(ctx, string(key))
	if err != nil || who == nil {
		return nil, err
	}
	if now-kept.UsedMS >= sessionNoteMS {
		err = s.store.Write(ctx, who.actor(), func(tx *store.Tx) error { return tx.UseSession(ctx, id) })
	}
	return who, err
}

// sessionCookie is the secret that a browser sent; empty without one.
func sessionCookie(header string) string {
	cookies, err := http.ParseCookie(header)
	if err != nil {
		return ""
	}
	plain := ""
	for _, c := range cookies {
		if c.Name == secureCookie {
			return c.Value
		}
		if c.Name == plainCookie {
			plain = c.Value
		}
	}
	return plain
}

// admitSession lets a signed-in browser use the API: with its cookie, and for
// whatever changes something, or comes from another site, with its token.
func (s *Server) admitSession(ctx context.Context, cookie, method, token string) (*principal, error) {
	secret := sessionCookie(cookie)
	if secret == "" {
		return nil, nil
	}
	who, err := s.session(ctx, secret)
	if err != nil {
		return nil, err
	}
	if who == nil {
		return nil, failure(http.StatusUnauthorized, "the session is over: sign in again")
	}
	if method != http.MethodGet && method != http.MethodHead && !csrfMatches(secret, token) {
		s.metrics.csrf.Inc()
		return nil, failure(http.StatusForbidden, "the request does not come from a page of the console: the header "+csrfHeader+" is missing or wrong")
	}
	if !s.pace.take(who.name(), s.clock.NowMS()) {
		return nil, failure(http.StatusTooManyRequests, "too many requests of this session: wait a second")
	}
	return who, nil
}

// endSession forgets a session.
func (s *Server) endSession(ctx context.Context, secret string) error {
	return s.store.Write(ctx, store.Actor{}, func(tx *store.Tx) error { return tx.EndSession(ctx, sessionID(secret)) })
}

// setSession gives the browser its cookie, or takes it away.
func setSession(w http.ResponseWriter, r *http.Request, secret string) {
	c := &http.Cookie{Name: secureCookie, Value: secret, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode, MaxAge: sessionMaxMS / 1000}
	if r.TLS == nil && loopbackHost(r.Host) {
		c.Name, c.Secure = plainCookie, false
	}
	if secret == "" {
		c.MaxAge, c.Expires = -1, time.Unix(1, 0)
	}
	http.SetCookie(w, c)
}

// loopbackHost says whether the browser talks to this very machine.
func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}
