package warehouse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The library that this package is built for. scripts/libchdb.sh reads these
// lines, so keep each on a line of its own.
const (
	// LibraryVersion is the version of libchdb, which carries ClickHouse 26.5.
	LibraryVersion = "26.5.3"
	// LibrarySHA256 is the sum of libchdb.so for Linux on x86-64.
	LibrarySHA256 = "4330da79405733f7572f27c1442f46c03a08301f00859dce0368645731b1e1dc"
)

// ErrNoLibrary is in the error of FindLibrary when libchdb is nowhere.
var ErrNoLibrary = errors.New("libchdb, the embedded ClickHouse engine, is missing")

// LibraryCachePath is where scripts/libchdb.sh puts the library and FindLibrary
// looks last: $GROSZ_HOME/lib/libchdb-VERSION/libchdb.so, or without GROSZ_HOME the
// user's cache folder: grosz/libchdb-VERSION/libchdb.so.
func LibraryCachePath() (string, error) {
	sub := filepath.Join("libchdb-"+LibraryVersion, "libchdb.so")
	if home := os.Getenv("GROSZ_HOME"); home != "" {
		return filepath.Join(home, "lib", sub), nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("warehouse: find the cache folder for libchdb: %w", err)
	}
	return filepath.Join(cache, "grosz", sub), nil
}

// FindLibrary is the path of libchdb: explicit if that is not empty, else
// GROSZ_LIBCHDB, else LibraryCachePath. A named file that is not there is an
// error, never a reason to look further. The error says how to get the library
// and wraps ErrNoLibrary.
func FindLibrary(explicit string) (string, error) {
	for _, named := range []struct{ from, path string }{
		{"the configuration", explicit},
		{"GROSZ_LIBCHDB", os.Getenv("GROSZ_LIBCHDB")},
	} {
		if named.path == "" {
			continue
		}
		if err := isLibrary(named.path); err != nil {
			return "", fmt.Errorf("warehouse: %w: %s names %s: %w; correct that, or leave it out and run `make libchdb`", ErrNoLibrary, named.from, named.path, err)
		}
		return filepath.Abs(named.path)
	}
	path, err := LibraryCachePath()
	if err != nil {
		return "", err
	}
	if err := isLibrary(path); err != nil {
		return "", fmt.Errorf("warehouse: %w: run `make libchdb`, or set GROSZ_LIBCHDB to a libchdb.so of version %s (looked for %s: %w)",
			ErrNoLibrary, LibraryVersion, path, err)
	}
	return path, nil
}

func isLibrary(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("not a file")
	}
	return nil
}
