package console

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAdminKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	var keys sync.Map
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			key, err := adminKey(dir)
			if err != nil {
				t.Error(err)
			}
			keys.Store(key, true)
		})
	}
	wg.Wait()
	n := 0
	keys.Range(func(k, _ any) bool { n++; require.Regexp(t, `^gz_admin_[a-z2-7]{52}$`, k); return true })
	require.Equal(t, 1, n, "all starts agree")
	info, err := os.Stat(filepath.Join(dir, "admin.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no leftovers")
}

func TestAdminKeyFileIsLookedAt(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"open to others": {"gz_admin_" + strings.Repeat("a", 52), 0o644, "may be read by others"},
		"empty":          {"", 0o600, "does not hold a key"},
		"too short":      {"gz_admin_aaaa", 0o600, "does not hold a key"},
		"a shop's":       {"gz_abc_" + strings.Repeat("a", 52), 0o600, "does not hold a key"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "admin.key")
			require.NoError(t, os.WriteFile(path, []byte(c.text), c.mode))
			require.NoError(t, os.Chmod(path, c.mode))
			_, err := adminKey(filepath.Dir(path))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestKeysAreOfOneForm(t *testing.T) {
	id, key := newKey()
	require.Equal(t, id, keyID(key))
	require.Regexp(t, `^gz_[a-z2-7]{13}_[a-z2-7]{52}$`, key)
	for _, bad := range []string{"", "gz_", "gz__x", "gz_x", "gz_x_", "GZ_a_b", "a_b_c", "gz_" + strings.Repeat("a", 300) + "_b"} {
		require.Empty(t, keyID(bad), bad)
	}
}

func TestAuthorizationHeader(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	other := key[:len(key)-1] + "a"
	if other == key {
		other = key[:len(key)-1] + "b"
	}
	for header, want := range map[string]int{
		"Bearer " + key: 200, "bearer  " + key: 200, "Basic " + key: 401, key: 401, "Bearer": 401, "Bearer " + other: 401,
		"Bearer " + key + " x": 401, "Bearer " + strings.ToUpper(key): 401,
	} {
		a := b.call("", "GET", path, "", "Authorization", header)
		require.Equal(t, want, a.code, header)
		if want == 401 {
			require.Contains(t, a.header.Get("WWW-Authenticate"), "Bearer")
		}
	}
}

func TestWrongKeysAreSlowedDown(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	wrong := "gz_aaaaaaaaaaaaa_" + strings.Repeat("b", 52)
	for range failuresAllowed {
		require.Equal(t, 401, b.call(wrong, "GET", path, "").code)
	}
	a := b.call(wrong, "GET", path, "")
	require.Equal(t, 429, a.code)
	require.Equal(t, "60", a.header.Get("Retry-After"))
	require.Equal(t, 200, b.call(key, "GET", path, "").code, "a good key of the same address passes")
	b.clock.Advance(61_000_000_000)
	require.Equal(t, 401, b.call(wrong, "GET", path, "").code)
}

// A key that works is bounded too: one shop's loop holds up nobody else.
func TestKeysArePaced(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	other, otherKey := b.shop()
	for range keyPaceBurst {
		require.Equal(t, 200, b.call(key, "GET", path, "").code)
	}
	a := b.call(key, "GET", path, "")
	require.Equal(t, 429, a.code)
	require.Equal(t, "1", a.header.Get("Retry-After"))
	require.Equal(t, 200, b.call(otherKey, "GET", other, "").code, "another shop")
	require.Equal(t, 200, b.call(b.admin, "GET", path, "").code, "who runs it")
	b.clock.Advance(time.Second)
	for range keyPaceRate {
		require.Equal(t, 200, b.call(key, "GET", path, "").code)
	}
	require.Equal(t, 429, b.call(key, "GET", path, "").code)
}

func TestFailureTableIsBounded(t *testing.T) {
	var f failures
	for i := range 3 * failureTable {
		f.refuse(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)
		require.LessOrEqual(t, len(f.table), failureTable)
	}
	// One customer's /64 is one address.
	f = failures{}
	for i := range failuresAllowed {
		tooMany, _ := f.refuse(netip.MustParseAddr("2001:db8::"+string(rune('a'+i%6))), 1)
		require.False(t, tooMany)
	}
	tooMany, _ := f.refuse(netip.MustParseAddr("2001:db8::ffff"), 1)
	require.True(t, tooMany)
	tooMany, _ = f.refuse(netip.MustParseAddr("2001:db8:0:1::1"), 1)
	require.False(t, tooMany)
	f.refuse(netip.Addr{}, 1) // what is no address is counted too
}
