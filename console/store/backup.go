package store

import (
	"context"
	"errors"
	"fmt"
)

// Backup writes a whole and consistent copy of the database in path to a file
// that is not there yet, while others read and write it.
func Backup(ctx context.Context, path, to string) error {
	db, err := openDB(path, "deferred", false)
	if err != nil {
		return err
	}
	if _, err = db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		err = fmt.Errorf("copy %s: %w", path, err)
	}
	return errors.Join(err, db.Close())
}
