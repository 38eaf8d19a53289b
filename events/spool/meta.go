package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/types"

	"github.com/grosz/grosz/internal/durable"
)

const (
	metaFile   = "wal-meta.json"
	metaFormat = "grosz-spool-meta 1"
)

// metaStore keeps the list of the log's segments in one small sealed file. The
// log's own store is a B-tree that ends the process where a page is damaged.
type metaStore struct{ path string }

// Load reads the list; none is an empty one. That of an older version, in the
// log's own store, is taken over.
func (m *metaStore) Load(dir string) (state types.PersistentState, err error) {
	m.path = filepath.Join(dir, metaFile)
	text, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return m.takeOver(dir)
	}
	if err == nil {
		text, err = durable.Unseal(metaFormat, text)
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		return types.PersistentState{}, fmt.Errorf("list of segments %s: %w: put a copy back, or move the directory away, which loses what was not shipped", m.path, err)
	}
	return state, nil
}

func (m *metaStore) takeOver(dir string) (state types.PersistentState, err error) {
	old := filepath.Join(dir, metadb.FileName)
	if _, err := os.Stat(old); err != nil {
		// Segments without their list: not a new directory.
		if found, _ := filepath.Glob(filepath.Join(dir, "*.wal")); len(found) > 0 {
			return state, fmt.Errorf("list of segments %s: it is missing, and %d segments are there", m.path, len(found))
		}
		return state, m.CommitState(state)
	}
	var db metadb.BoltMetaDB
	if state, err = db.Load(dir); err == nil {
		err = m.CommitState(state)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return state, fmt.Errorf("take over %s: %w", old, err)
	}
	return state, os.Remove(old)
}

// CommitState replaces the list durably.
func (m *metaStore) CommitState(state types.PersistentState) error {
	text, err := json.Marshal(state)
	if err == nil {
		text, err = durable.Seal(metaFormat, text)
	}
	if err == nil {
		err = durable.ReplaceBytes(m.path, 0o600, text)
	}
	if err != nil {
		return fmt.Errorf("write the list of segments: %w", err)
	}
	return nil
}

// GetStable and SetStable are for users of raft, which there are none of.
func (m *metaStore) GetStable([]byte) ([]byte, error) { return nil, nil }

// SetStable is not used.
func (m *metaStore) SetStable(_, _ []byte) error { return errors.ErrUnsupported }

// Close has nothing to close.
func (m *metaStore) Close() error { return nil }
