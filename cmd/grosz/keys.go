package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/grosz/grosz/events"
)

// loadKeyring reads DIR/token.keys, making it with one key at the first
// start. Every node of a cluster has the same file. To rotate, put a new key
// with another id in front and keep the old one for 30 days.
func loadKeyring(dir string) (*events.Keyring, error) {
	path := filepath.Join(dir, "token.keys")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails, by its contract
		if b, err = json.MarshalIndent([]events.Key{{ID: 1, Secret: secret}}, "", "  "); err != nil {
			return nil, fmt.Errorf("make token keys: %w", err)
		}
		if err := writePrivate(path, b); err != nil {
			return nil, fmt.Errorf("keep token keys: %w", err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("read token keys: %w", err)
	}
	var keys []events.Key
	if err := json.Unmarshal(b, &keys); err != nil {
		return nil, fmt.Errorf("token keys %s: %w", path, err)
	}
	ring, err := events.NewKeyring(keys...)
	if err != nil {
		return nil, fmt.Errorf("token keys %s: %w", path, err)
	}
	return ring, nil
}

// writePrivate writes a whole file for this user only, durably.
func writePrivate(path string, b []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
