package store

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/damagetest"
)

// other opens a database as a version before the checksums did: SQLite makes
// checkpoints by itself.
func other(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	return db
}

func exec(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), query, args...)
	require.NoError(t, err)
}

// left is a database that we closed, or crashed with, which another program
// then opened, changed and closed or crashed with.
func left(t testing.TB, weCrash, theyCrash bool, change func(*sql.DB)) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	note(t, s, "ours", strings.Repeat("budget 100.00 ", 900))
	sealNow(t, s)
	note(t, s, "ours", strings.Repeat("budget 200.00 ", 900))
	if weCrash {
		path = crashed(t, path)
	}
	require.NoError(t, s.Close())
	db := other(t, path)
	change(db)
	if theyCrash {
		path = crashed(t, path)
	}
	require.NoError(t, db.Close())
	return path
}

// Going back to a version that knows nothing of the sums, and forward again,
// is no damage, whether either was stopped or killed.
func TestWhatAnOlderVersionWroteIsTakenOver(t *testing.T) {
	long := strings.Repeat("theirs ", 2_000)
	for _, weCrash := range []bool{false, true} {
		for _, theyCrash := range []bool{false, true} {
			t.Run(fmt.Sprintf("we crash %t, they crash %t", weCrash, theyCrash), func(t *testing.T) {
				path := left(t, weCrash, theyCrash, func(db *sql.DB) {
					exec(t, db, "INSERT INTO notes VALUES ('theirs', ?)", long)
					exec(t, db, "PRAGMA wal_checkpoint(TRUNCATE)")
					exec(t, db, "INSERT INTO notes VALUES ('more', ?)", long)
				})
				want := map[string]string{"ours": strings.Repeat("budget 200.00 ", 900), "theirs": long, "more": long}
				require.NoError(t, Backup(t.Context(), path, filepath.Join(t.TempDir(), "copy.db")))
				s, err := reopen(path)
				require.NoError(t, err)
				require.ErrorIs(t, s.Others(), ErrDamaged, "it is told")
				require.Equal(t, want, notes(t, s))
				note(t, s, "ours", "again")
				require.NoError(t, s.Close())
				s, err = reopen(path)
				require.NoError(t, err)
				require.NoError(t, s.Others(), "from then on the sums are ours")
				require.NoError(t, s.Close())
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				b[len(b)/2] ^= 1
				damagetest.Overwrite(t, b, path)
				_, err = reopen(path)
				require.ErrorIs(t, err, ErrDamaged)
			})
		}
	}
}

// However little an older version does with a database that we closed, even if
// it only opens it, it is seen where it must be.
func TestTheLeastThatAnOlderVersionDoesIsSeen(t *testing.T) {
	small := func(db *sql.DB) {
		exec(t, db, "UPDATE notes SET text = 'BUDGET' || substr(text, 7) WHERE name = 'ours'")
	}
	for name, c := range map[string]struct {
		theyCrash bool
		change    func(*sql.DB)
		begins    string
	}{
		"a few bytes":                  {false, small, "BUDGET"},
		"a few bytes, and a crash":     {true, small, "BUDGET"},
		"a few bytes, written by hand": {true, func(db *sql.DB) { small(db); exec(t, db, "PRAGMA wal_checkpoint(FULL)") }, "BUDGET"},
		"a look":                       {false, func(db *sql.DB) { exec(t, db, "SELECT * FROM notes") }, "budget"},
	} {
		t.Run(name, func(t *testing.T) {
			path := left(t, false, c.theyCrash, c.change)
			for range 2 {
				s, err := reopen(path)
				require.NoError(t, err)
				require.Equal(t, c.begins+strings.Repeat("budget 200.00 ", 900)[6:], notes(t, s)["ours"])
				require.NoError(t, s.Close())
			}
		})
	}
	// SQLite's shell takes the database in the mode in which it is.
	path := left(t, false, false, func(*sql.DB) {})
	s, err := reopen(path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	shell, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	small(shell)
	require.NoError(t, shell.Close())
	s, err = reopen(path)
	require.NoError(t, err)
	require.Error(t, s.Others())
	require.NoError(t, s.Close())
}

// Between the two modes a crash at any point leaves a database that opens, and
// damage to it is none of another program's work.
func TestACrashBetweenTheModesIsNoOtherProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	note(t, s, "ours", strings.Repeat("budget 100.00 ", 900))
	check := func(what string, logged bool) {
		t.Helper()
		again, err := reopen(crashed(t, path))
		require.NoError(t, err, what)
		require.NoError(t, again.Others(), what)
		require.Equal(t, strings.Repeat("budget 100.00 ", 900), notes(t, again)["ours"], what)
		require.NoError(t, again.Close(), what)
		if logged { // what is in the log is read from there
			return
		}
		bad := crashed(t, path)
		b, err := os.ReadFile(bad)
		require.NoError(t, err)
		b[len(b)-100] ^= 1
		damagetest.Overwrite(t, b, bad)
		_, err = openSums(bad)
		require.ErrorIs(t, err, ErrDamaged, what)
	}
	s.turn.Lock()
	require.NoError(t, s.read.Close())
	require.NoError(t, s.seal(t.Context()))
	check("sealed", true)
	require.NoError(t, s.sums.put(s.sums.list, s.sums.changes+1))
	check("before the change of the mode", true)
	expected := s.sums.changes
	require.NoError(t, s.sums.put(s.sums.list, s.sums.changes-1))
	require.NoError(t, s.rest(t.Context()))
	require.Equal(t, expected, s.sums.changes, "the count is foretold")
	check("after it", false)
	require.NoError(t, s.write.Close())
	require.NoError(t, s.sums.db.Close())
	s.turn.Unlock()
	check("closed", false)
	require.NoFileExists(t, path+"-wal")
	pages, err := openSums(path)
	require.NoError(t, err)
	require.NoError(t, pages.waking())
	check("before it is opened again", false)
	db := other(t, path)
	require.NoError(t, pages.awake(t.Context(), db))
	require.Equal(t, expected+1, pages.changes, "the count is foretold")
	check("in the mode of logs", false)
	require.NoError(t, db.Close())
	require.NoError(t, pages.db.Close())
	check("closed by who only looked", false)
}

// What another program wrote and SQLite finds broken is refused, again and
// again.
func TestBrokenPagesOfAnotherProgramAreRefused(t *testing.T) {
	path := left(t, false, false, func(db *sql.DB) {
		exec(t, db, "INSERT INTO notes VALUES ('theirs', ?)", strings.Repeat("theirs ", 2_000))
	})
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	bad := bytes.Clone(whole)
	clear(bad[len(bad)-3*4096:])
	damagetest.Overwrite(t, bad, path)
	for range 2 {
		_, err = reopen(path)
		require.ErrorContains(t, err, "another program has written")
		require.ErrorContains(t, Backup(t.Context(), path, filepath.Join(t.TempDir(), "copy.db")), "another program has written")
	}
	damagetest.Overwrite(t, whole, path)
	s, err := reopen(path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// No damage to page 1 is taken for another program's work: not a count that is
// higher at one place, nor one that is lower.
func TestDamageIsNotTakenForAnotherProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	note(t, s, "ours", strings.Repeat("budget 100.00 ", 900))
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	be := binary.BigEndian
	count := be.Uint32(whole[changesAt:])
	require.Equal(t, count, be.Uint32(whole[validAt:]))
	refused := func(what string, bad []byte) {
		t.Helper()
		damagetest.Overwrite(t, bad, path)
		_, err := openSums(path)
		require.ErrorIs(t, err, ErrDamaged, what)
	}
	for i := range versionAt { // behind it stands which SQLite has written, of which nothing depends
		bad := bytes.Clone(whole)
		bad[i] ^= 1 << (i % 8)
		refused(fmt.Sprint("byte ", i, " bit ", i%8), bad)
	}
	lower := bytes.Clone(whole)
	be.PutUint32(lower[changesAt:], count-1)
	be.PutUint32(lower[validAt:], count-1)
	lower[len(lower)-1] ^= 1
	refused("an older count", lower)
	noFile := bytes.Clone(whole)
	be.PutUint32(noFile[changesAt:], count+1)
	be.PutUint32(noFile[validAt:], count+1)
	noFile[0] ^= 32
	refused("a file of another kind", noFile)
}

// The first format of the sums is read, replaced, and believed where the
// version that knows only it was here after us.
func TestTheFirstFormatOfTheSumsIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	note(t, s, "a", "one")
	require.NoError(t, s.Close())
	b, err := os.ReadFile(sumsPath(path))
	require.NoError(t, err)
	n := len(sumsHead)
	first := append([]byte(firstSumsHead), b[n:n+4]...)
	first = append(first, b[n+8:len(b)-4]...)
	first = binary.LittleEndian.AppendUint32(first, sumOf(first))
	damagetest.Overwrite(t, first, firstSumsPath(path))
	damagetest.Every(t, first, func(what string, bad []byte) {
		require.Error(t, (&sums{}).decodeFirst(bad), what)
	})
	// What lies in the newer file is not asked for while there is an older one.
	damagetest.Overwrite(t, []byte("of another time"), sumsPath(path))
	s, err = reopen(path)
	require.NoError(t, err)
	require.NoError(t, s.Others())
	require.Equal(t, map[string]string{"a": "one"}, notes(t, s))
	require.NoFileExists(t, firstSumsPath(path))
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	damagetest.Overwrite(t, first, firstSumsPath(path))
	whole[len(whole)-1] ^= 1
	damagetest.Overwrite(t, whole, path)
	_, err = reopen(path)
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, firstSumsPath(path))
}

// A program that is too old for the schema leaves a crash's log as it may be
// left: the pages are as their sums say.
func TestARefusedSchemaLeavesNoDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := withNotes(t, path)
	sealNow(t, s)
	note(t, s, "a", strings.Repeat("one ", 9_000))
	require.NoError(t, s.Write(t.Context(), Actor{}, func(tx *Tx) error { return tx.exec(t.Context(), "PRAGMA user_version = 1000000") }))
	path = crashed(t, path)
	require.NoError(t, s.Close())
	for range 2 {
		_, err := reopen(path)
		require.ErrorContains(t, err, "use a newer program")
		require.NotErrorIs(t, err, ErrDamaged)
	}
}
