package warehouse

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// User is the only user of the warehouse.
const User = "default"

// PasswordFile is where the password for data folder dir is kept: dir/warehouse.key.
func PasswordFile(dir string) string { return filepath.Join(dir, "warehouse.key") }

// LoadPassword reads the password of data folder dir. If there is none it makes one,
// 32 random bytes in hex, in a file of mode 0600 that appears whole or not at all, so
// several processes may call it at once.
func LoadPassword(dir string) (string, error) {
	path := PasswordFile(dir)
	password, err := readPassword(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return password, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("warehouse: make the data folder: %w", err)
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("warehouse: make a password: %w", err)
	}
	temp, err := os.CreateTemp(dir, ".warehouse.key-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("warehouse: write the password: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(hex.EncodeToString(random[:]) + "\n")
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return "", fmt.Errorf("warehouse: write the password: %w", err)
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("warehouse: write the password: %w", err)
	}
	return readPassword(path)
}

func readPassword(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("warehouse: read the password: %w", err)
	}
	password := strings.TrimSpace(string(text))
	if len(password) < 16 {
		return "", fmt.Errorf("warehouse: %s holds %d characters, not a password of 16 or more", path, len(password))
	}
	return password, nil
}

// authenticate checks the name and password of a request, wherever ClickHouse's
// clients put them: headers of their own, basic authentication, or the URL.
func authenticate(r *http.Request, q url.Values, password string) error {
	user, key := q.Get("user"), q.Get("password")
	if name, pass, ok := r.BasicAuth(); ok {
		user, key = name, pass
	}
	if h := r.Header; h.Get("X-ClickHouse-User") != "" || h.Get("X-ClickHouse-Key") != "" {
		user, key = h.Get("X-ClickHouse-User"), h.Get("X-ClickHouse-Key")
	}
	if user == "" {
		user = User
	}
	got, want := sha256.Sum256([]byte(key)), sha256.Sum256([]byte(password))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || user != User {
		return errorf(codeAuthentication, "AUTHENTICATION_FAILED",
			"%.64s: Authentication failed: password is incorrect, or there is no user with such name.", user)
	}
	return nil
}
