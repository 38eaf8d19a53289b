package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"
)

// Backup writes a whole and consistent copy of the database in path to a file
// that is not there yet, while another process reads and writes it. It copies
// nothing that is damaged, and leaves the database as it is.
func Backup(ctx context.Context, path, to string) error {
	pages, err := checkPages(ctx, path)
	if err != nil {
		return err
	}
	// The last connection that closes writes pages: ours must not, in case the
	// owner is not there.
	db, err := openDB(path, "deferred", url.Values{"mode": {"ro"}})
	if err != nil {
		return err
	}
	if err = pages.sound(ctx, db); err == nil {
		if _, err = db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
			err = fmt.Errorf("copy %s: %w", path, err)
		}
	}
	return errors.Join(err, db.Close())
}

// checkPages holds the pages against their sums while they may be written: what
// differs is damage, or another program's, if the sums have not changed
// meanwhile.
func checkPages(ctx context.Context, path string) (*sums, error) {
	var before []byte
	for {
		s, err := openSums(path)
		if err == nil {
			if err = s.db.Close(); err != nil || s.others == nil {
				return s, err
			}
		}
		after, _ := os.ReadFile(sumsPath(path)) // openSums told if it cannot be read
		if before != nil && bytes.Equal(before, after) || ctx.Err() != nil {
			return s, errors.Join(err, ctx.Err())
		}
		before = after
		time.Sleep(100 * time.Millisecond)
	}
}
