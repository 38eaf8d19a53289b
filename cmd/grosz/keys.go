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
	"github.com/grosz/grosz/internal/durable"
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
		if err := durable.ReplaceBytes(path, 0o600, b); err != nil {
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
