package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/durable"
)

// keptKey is a key as the file has it.
type keptKey struct {
	events.Key
	// Sum shows damage to a key that was made here; keys that an operator wrote
	// need none.
	Sum string `json:"crc32c,omitempty"`
}

func keySum(k events.Key) string {
	return fmt.Sprintf("%08x", crc32.Checksum(append([]byte{k.ID}, k.Secret...), crc32.MakeTable(crc32.Castagnoli)))
}

// loadKeyring reads DIR/token.keys, making it with one key at the first
// start. Every node of a cluster has the same file. To rotate, put a new key
// with another id in front and keep the old one for 30 days.
func loadKeyring(dir string) (*events.Keyring, error) {
	path := filepath.Join(dir, "token.keys")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails, by its contract
		key := events.Key{ID: 1, Secret: secret}
		if b, err = json.MarshalIndent([]keptKey{{key, keySum(key)}}, "", "  "); err != nil {
			return nil, fmt.Errorf("make token keys: %w", err)
		}
		if err := durable.CreateBytes(path, 0o600, b); err != nil { // of two nodes that start at once one wins
			return nil, fmt.Errorf("keep token keys: %w", err)
		}
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read token keys: %w", err)
	}
	keys, err := readKeys(b)
	if err != nil {
		return nil, fmt.Errorf("token keys %s: %w", path, err)
	}
	ring, err := events.NewKeyring(keys...)
	if err != nil {
		return nil, fmt.Errorf("token keys %s: %w", path, err)
	}
	return ring, nil
}

func readKeys(b []byte) ([]events.Key, error) {
	var kept []keptKey
	if err := json.Unmarshal(b, &kept); err != nil {
		return nil, err
	}
	keys := make([]events.Key, 0, len(kept))
	for _, k := range kept {
		if k.Sum != "" && k.Sum != keySum(k.Key) {
			return nil, fmt.Errorf("key %d is damaged: its crc32c differs; if you wrote the key yourself, leave crc32c out", k.ID)
		}
		keys = append(keys, k.Key)
	}
	return keys, nil
}
