package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/clock"
	"github.com/grosz/grosz/internal/damagetest"
	"github.com/grosz/grosz/internal/durable"
)

// note writes something, as a change does; big makes it some pages long.
func note(t testing.TB, s *Store, key, text string) {
	t.Helper()
	require.NoError(t, s.Write(t.Context(), Actor{}, func(tx *Tx) error {
		return tx.exec(t.Context(), "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text", key, text)
	}))
}

func notes(t testing.TB, s *Store) map[string]string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), "SELECT name, text FROM notes")
	require.NoError(t, err)
	out := map[string]string{}
	for rows.Next() {
		var name, text string
		require.NoError(t, rows.Scan(&name, &text))
		out[name] = text
	}
	require.NoError(t, rows.Err())
	return out
}

func withNotes(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Path: path}, clock.System{})
	require.NoError(t, err)
	require.NoError(t, s.Write(t.Context(), Actor{}, func(tx *Tx) error {
		return tx.exec(t.Context(), "CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, text TEXT)")
	}))
	return s
}

func sealNow(t testing.TB, s *Store) {
	t.Helper()
	s.turn.Lock()
	defer s.turn.Unlock()
	require.NoError(t, s.seal(t.Context()))
}

// crashed is what a kill -9 leaves of an open database.
func crashed(t testing.TB, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "console.db")
	for _, suffix := range []string{"", "-wal", ".pages"} {
		b, err := os.ReadFile(path + suffix)
		if suffix == "-wal" && errors.Is(err, fs.ErrNotExist) {
			continue // it is closed
		}
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to+suffix, b, 0o600))
	}
	return to
}

func reopen(path string) (*Store, error) {
	return Open(context.Background(), Config{Path: path}, clock.System{})
}

// A database opens after a crash at whichever point between changes, the
// writing of sums and of pages, and then has all that was written.
func TestADatabaseOpensAfterACrashAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	defer func() { require.NoError(t, s.Close()) }()
	check := func(what string) {
		t.Helper()
		again, err := reopen(crashed(t, path))
		require.NoError(t, err, what)
		require.Equal(t, notes(t, s), notes(t, again), what)
		require.NoError(t, again.Close(), what)
	}
	for i := range 6 {
		note(t, s, fmt.Sprint(i%5), strings.Repeat(fmt.Sprint(i), 9_000*(1+i%3)))
		check("after a change")
		s.turn.Lock()
		before, err := os.ReadFile(sumsPath(path))
		require.NoError(t, err)
		require.NoError(t, s.sums.write())
		check("after the sums, before the pages")
		_, err = s.write.ExecContext(t.Context(), "PRAGMA wal_checkpoint(PASSIVE)")
		require.NoError(t, err)
		check("after the pages")
		after, err := os.ReadFile(sumsPath(path))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(sumsPath(path), before, 0o600))
		check("after pages whose sums a power cut has lost, while the log has them")
		require.NoError(t, os.WriteFile(sumsPath(path), after, 0o600))
		s.turn.Unlock()
	}
	require.NoError(t, s.Sealed())
}

// small makes a database of a few pages of 512 bytes, with their sums and two
// changes in the log that are not in the pages.
func small(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "small.db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	defer func() { require.NoError(t, db.Close()) }()
	exec := func(query string) {
		_, err := db.ExecContext(t.Context(), query)
		require.NoError(t, err)
	}
	exec("PRAGMA page_size = 512")
	exec("PRAGMA journal_mode = WAL")
	exec("PRAGMA wal_autocheckpoint = 0")
	exec("CREATE TABLE t (a TEXT)")
	exec("INSERT INTO t VALUES ('" + strings.Repeat("budget ", 100) + "')")
	s, err := openSums(path)
	require.NoError(t, err)
	require.NoError(t, s.write())
	exec("PRAGMA wal_checkpoint(PASSIVE)")
	exec("INSERT INTO t VALUES ('one')")
	exec("INSERT INTO t VALUES ('" + strings.Repeat("two ", 200) + "')")
	return crashed(t, path)
}

// Any damage to a page that is not in the log is seen, any to the sums
// themselves, and of the log at most the last change is lost to a flipped bit:
// one in a change's last frames looks like a crash.
func TestDamageOfAnyByteIsSeen(t *testing.T) {
	path := small(t)
	s, err := openSums(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.db.Close()) }()
	read := func(suffix string) []byte {
		b, err := os.ReadFile(path + suffix)
		require.NoError(t, err)
		return b
	}
	pages, log, list := read(""), read("-wal"), read(".pages")
	damagetest.Every(t, list, func(what string, bad []byte) {
		require.ErrorIs(t, (&sums{}).decode(bad), durable.ErrSealed, what)
	})
	require.ErrorIs(t, (&sums{}).decode(append(list, 7)), durable.ErrSealed)

	logged, err := parseWAL(bytes.NewReader(log), 512, s.list)
	require.NoError(t, err)
	left, seen := 0, 0
	damagetest.Every(t, pages, func(what string, bad []byte) {
		clean := true // pages that are read from the log may be anything
		for i := range len(pages) / 512 {
			clean = clean && (logged.has(i) || len(bad) >= 512*(i+1) && bytes.Equal(bad[512*i:512*(i+1)], pages[512*i:512*(i+1)]))
		}
		err := s.check(bytes.NewReader(bad), int64(len(bad)), &logged)
		require.Equal(t, clean, err == nil, what)
		if left++; err != nil {
			require.ErrorIs(t, err, ErrDamaged, what)
			seen++
		}
	})
	require.Greater(t, seen, left/3)
	longer := append(pages[:len(pages):len(pages)], 7)
	require.ErrorIs(t, s.check(bytes.NewReader(longer), int64(len(longer)), &walPages{}), ErrDamaged)

	var states []walPages
	for end := walHead; end <= len(log); end += frameHead + 512 {
		w, err := parseWAL(bytes.NewReader(log[:end]), 512, s.list)
		require.NoError(t, err)
		states = append(states, w)
	}
	damagetest.Every(t, log, func(what string, bad []byte) {
		w, err := parseWAL(bytes.NewReader(bad), 512, s.list)
		switch {
		case err != nil:
			require.ErrorIs(t, err, ErrDamaged, what)
		case strings.HasPrefix(what, "cut"):
			require.Contains(t, append(states, walPages{}), w, what)
		default:
			require.Contains(t, states, w, what)
			require.NotEqual(t, states[0], w, "%s: both changes are gone", what)
		}
	})
}

// A damaged database, or one that is gone, is refused with what to do.
func TestADamagedDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	note(t, s, "a", strings.Repeat("budget 100.00 ", 900))
	want := notes(t, s)
	require.NoError(t, s.Close())
	require.NoFileExists(t, path+"-wal")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	bad := bytes.Clone(whole)
	bad[len(bad)/2] ^= 1
	damagetest.Overwrite(t, bad, path)
	_, err = reopen(path)
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "put a backup back")
	damagetest.Overwrite(t, whole, path)
	again, err := reopen(path)
	require.NoError(t, err)
	require.Equal(t, want, notes(t, again))
	require.NoError(t, again.Close())
	require.NoError(t, os.Remove(path))
	_, err = reopen(path)
	require.ErrorIs(t, err, ErrDamaged, "no database where one is expected")
}

// A damaged log is refused, or an older state comes back: the one before its
// last change, or, where it is cut, any before. It is never another one.
func TestADamagedLogIsSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	defer func() { require.NoError(t, s.Close()) }()
	sealNow(t, s)
	states := []map[string]string{notes(t, s)}
	for i := range 4 {
		note(t, s, fmt.Sprint(i%2), strings.Repeat(fmt.Sprint(i), 5_000))
		states = append(states, notes(t, s))
	}
	left := crashed(t, path)
	files := map[string][]byte{}
	for _, suffix := range []string{"", "-wal", ".pages"} {
		b, err := os.ReadFile(left + suffix)
		require.NoError(t, err)
		files[suffix] = b
	}
	refused, older := 0, 0
	try := func(what string, cut bool, bad []byte) {
		for suffix, b := range files {
			damagetest.Overwrite(t, b, left+suffix)
		}
		_ = os.Remove(left + "-shm")
		damagetest.Overwrite(t, bad, left+"-wal")
		again, err := reopen(left)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged, what)
			refused++
			return
		}
		if got := notes(t, again); cut {
			require.Contains(t, states, got, what)
		} else {
			require.Contains(t, states[len(states)-2:], got, what)
		}
		older++
		require.NoError(t, again.Close(), what)
	}
	for at := 0; at < len(files["-wal"]); at += 1 + len(files["-wal"])/13 {
		try(fmt.Sprint("cut to ", at), true, files["-wal"][:at])
		bad := bytes.Clone(files["-wal"])
		bad[at] ^= 1 << (at % 8)
		try(fmt.Sprint("flipped at ", at), false, bad)
	}
	require.Positive(t, refused)
	require.Positive(t, older)
}

// A log whose head a crash has torn, with frames of before that the database
// has, is no damage.
func TestATornHeadBeforeWhatIsInTheDatabaseIsNoDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	defer func() { require.NoError(t, s.Close()) }()
	note(t, s, "a", "one")
	tear := func() error {
		left := crashed(t, path)
		b, err := os.ReadFile(left + "-wal")
		require.NoError(t, err)
		b[20] ^= 1
		damagetest.Overwrite(t, b, left+"-wal")
		again, err := reopen(left)
		if err == nil {
			require.Equal(t, notes(t, s), notes(t, again))
			require.NoError(t, again.Close())
		}
		return err
	}
	require.ErrorIs(t, tear(), ErrDamaged, "the log has what the database has not")
	sealNow(t, s)
	require.NoError(t, tear())
}

// What many changes write does not pile up in the log.
func TestTheLogStaysShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	defer func() { require.NoError(t, s.Close()) }()
	for i := range 40 {
		note(t, s, "a", strings.Repeat(fmt.Sprint(i%10), 1<<20))
	}
	info, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(20<<20), "forty changes of a megabyte")
	again, err := reopen(crashed(t, path))
	require.NoError(t, err)
	require.Equal(t, notes(t, s), notes(t, again))
	require.NoError(t, again.Close())
}

// Where sums cannot be written, changes are made all the same, it is told, and
// the next start does not take them for damage.
func TestADatabaseWithoutSumsIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "console.db")
	s := withNotes(t, path)
	note(t, s, "a", "one")
	require.NoError(t, os.Remove(sumsPath(path)))
	require.NoError(t, os.MkdirAll(filepath.Join(sumsPath(path), "in the way"), 0o700))
	s.turn.Lock()
	require.Error(t, s.seal(t.Context()))
	s.turn.Unlock()
	require.Error(t, s.Sealed())
	note(t, s, "a", "two")
	require.Error(t, s.Close())
	require.NoError(t, os.RemoveAll(sumsPath(path)))
	again, err := reopen(path)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "two"}, notes(t, again))
	require.NoError(t, again.Close())
}

// A backup reads what a crash left, changes nothing, and copies no damage.
func TestABackupLeavesTheDatabaseAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	note(t, s, "a", "one")
	sealNow(t, s)
	note(t, s, "a", "two")
	left := crashed(t, path)
	require.NoError(t, s.Close())
	before, err := os.ReadFile(left)
	require.NoError(t, err)
	to := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, Backup(t.Context(), left, to))
	after, err := os.ReadFile(left)
	require.NoError(t, err)
	require.Equal(t, before, after)
	again, err := reopen(left)
	require.NoError(t, err)
	require.NoError(t, again.Close())
	twice := filepath.Join(t.TempDir(), "twice.db")
	require.NoError(t, Backup(t.Context(), to, twice), "of a copy that nobody has opened")
	restored, err := reopen(twice)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "two"}, notes(t, restored))
	require.NoError(t, restored.Close())

	b, err := os.ReadFile(left)
	require.NoError(t, err)
	b[len(b)/2] ^= 4
	damagetest.Overwrite(t, b, left)
	require.ErrorIs(t, Backup(t.Context(), left, filepath.Join(t.TempDir(), "bad.db")), ErrDamaged)
}
