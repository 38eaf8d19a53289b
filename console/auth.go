package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/store"
)

// Scopes of a key.
const (
	ScopeEvents = "events" // shop events, on the bidder's listener only
	ScopeRead   = "read"
	ScopeWrite  = "write" // contains read
)

// access says who may use a route. The zero value is no access: a route must
// say.
type access int

const (
	accessRead  access = iota + 1 // the shop's keys with read or write
	accessWrite                   // the shop's keys with write
	accessAdmin                   // the administrator only
)

// accessKey is where a route's access is in its operation's metadata.
const accessKey = "access"

// principal is who asks.
type principal struct {
	admin  bool
	shop   uint32 // of a shop's key
	keyID  string
	scopes []string
	token  string // the whole key, for sealing answers
	remote string
}

func (p *principal) name() string {
	if p.admin {
		return "admin"
	}
	return "key " + p.keyID
}

func (p *principal) actor() store.Actor { return store.Actor{Name: p.name(), Remote: p.remote} }

type principalKey struct{}

// caller returns who asks; the middleware has put it there.
func caller(ctx context.Context) *principal {
	p, ok := ctx.Value(principalKey{}).(*principal)
	if !ok {
		panic("console: a handler runs without authentication")
	}
	return p
}

var keyText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newKey makes a shop's key: gz_<id>_<secret>, 256 random bits in the secret.
func newKey() (id, key string) {
	var raw [8 + 32]byte
	_, _ = rand.Read(raw[:]) // never fails: it ends the process instead
	id = keyText.EncodeToString(raw[:8])
	return id, "gz_" + id + "_" + keyText.EncodeToString(raw[8:])
}

// keyID is the id within a key; empty for what is none.
func keyID(key string) string {
	rest, ok := strings.CutPrefix(key, "gz_")
	id, secret, found := strings.Cut(rest, "_")
	if !ok || !found || id == "" || secret == "" || len(key) > 200 {
		return ""
	}
	return id
}

// hashKey is what is kept of a key. A plain hash will do: the secret has 256
// random bits, so there is nothing to guess.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

const adminID = "admin"

// adminKey reads DIR/admin.key, or makes it at the first start.
func adminKey(dir string) (string, error) {
	path := filepath.Join(dir, "admin.key")
	key, err := readAdminKey(path)
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	key = "gz_" + adminID + "_" + keyText.EncodeToString(raw[:])
	// Linked into place when whole, so that a crash leaves no half key, and
	// of two consoles that start at once one wins.
	tmp, err := os.CreateTemp(dir, "admin.key.*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("make the admin key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(key + "\n")
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", fmt.Errorf("write the admin key: %w", err)
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("write the admin key: %w", err)
	}
	return readAdminKey(path)
}

func readAdminKey(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read the admin key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("%s may be read by others (mode %04o): make it 0600, and replace it if it was seen", path, mode)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the admin key: %w", err)
	}
	key := strings.TrimSpace(string(raw))
	if keyID(key) != adminID || len(key) < len("gz_admin_")+32 {
		return "", fmt.Errorf("%s does not hold a key gz_admin_<secret>; remove it to have a new one made", path)
	}
	return key, nil
}

// verify finds whose key it is; nil if nobody's.
func (s *Server) verify(ctx context.Context, token string) (*principal, error) {
	id := keyID(token)
	got := hashKey(token)
	if id == adminID {
		if subtle.ConstantTimeCompare([]byte(got), []byte(s.adminHash)) != 1 {
			return nil, nil
		}
		return &principal{admin: true, token: token}, nil
	}
	if id == "" {
		return nil, nil
	}
	k, err := s.store.View().Key(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	// An unknown id is compared too, with a hash that nothing has.
	if subtle.ConstantTimeCompare([]byte(got), []byte(k.SHA256)) != 1 || k.RevokedMS != 0 {
		return nil, nil
	}
	return &principal{shop: k.ShopID, keyID: k.ID, scopes: k.Scopes, token: token}, nil
}

// authenticate is the one gate of the API: it finds whose key it is and
// whether the route is for it.
func (s *Server) authenticate(hc huma.Context, next func(huma.Context)) {
	who, err := s.admit(hc)
	if err != nil {
		var status huma.StatusError
		if !errors.As(err, &status) {
			err = s.answerFor(hc.Context(), "authenticate", err)
			errors.As(err, &status)
		}
		s.writeProblem(hc, status)
		return
	}
	next(huma.WithValue(hc, principalKey{}, who))
}

func (s *Server) admit(hc huma.Context) (*principal, error) {
	remote := remoteAddr(hc.RemoteAddr())
	scheme, token, _ := strings.Cut(hc.Header("Authorization"), " ")
	token = strings.TrimSpace(token)
	if token == "" {
		who, err := s.admitSession(hc.Context(), hc.Header("Cookie"), hc.Method(), hc.Header(csrfHeader))
		if err != nil {
			return nil, err
		}
		if who != nil {
			who.remote = remote.String()
			need, _ := hc.Operation().Metadata[accessKey].(access)
			return who, allow(who, need, hc)
		}
	}
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		hc.SetHeader("WWW-Authenticate", `Bearer realm="grosz"`)
		return nil, failure(http.StatusUnauthorized, "a key is needed: Authorization: Bearer gz_…")
	}
	who, err := s.verify(hc.Context(), token)
	if err != nil {
		return nil, err
	}
	if who == nil {
		s.metrics.badKeys.Inc()
		if tooMany, seconds := s.failures.refuse(remote, s.clock.NowMS()); tooMany {
			hc.SetHeader("Retry-After", strconv.FormatInt(seconds, 10))
			return nil, failure(http.StatusTooManyRequests, "too many wrong keys from this address")
		}
		hc.SetHeader("WWW-Authenticate", `Bearer realm="grosz", error="invalid_token"`)
		return nil, failure(http.StatusUnauthorized, "the key is wrong or was revoked")
	}
	if !who.admin && !s.keyPace.take(who.name(), s.clock.NowMS()) {
		hc.SetHeader("Retry-After", "1")
		return nil, failure(http.StatusTooManyRequests, "too many requests with this key: wait a second")
	}
	who.remote = remote.String()
	need, _ := hc.Operation().Metadata[accessKey].(access)
	return who, allow(who, need, hc)
}

// allow decides whether who may use a route. Another shop's things do not
// exist for a shop's key, so that is looked at before its scopes.
func allow(who *principal, need access, hc huma.Context) error {
	if who.admin && need != 0 {
		return nil
	}
	if need != accessRead && need != accessWrite {
		return errNotFound()
	}
	if strings.Contains(hc.Operation().Path, "{shop}") {
		shop, err := strconv.ParseUint(hc.Param("shop"), 10, 32)
		if err != nil || uint32(shop) != who.shop {
			return errNotFound()
		}
	}
	if who.may(need) {
		return nil
	}
	scope := ScopeRead
	if need == accessWrite {
		scope = ScopeWrite
	}
	return failure(http.StatusForbidden, "this needs a key with the scope "+scope)
}

// may tells whether the scopes allow it, in the caller's own shop.
func (p *principal) may(need access) bool {
	return p.admin || slices.Contains(p.scopes, ScopeWrite) || need == accessRead && slices.Contains(p.scopes, ScopeRead)
}

func remoteAddr(hostport string) netip.Addr {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}
