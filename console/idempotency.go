package console

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/grosz/grosz/console/store"
)

// once runs do at most once for an idempotency key of a caller: a repetition
// within 24 hours gets the answer of the first, and replayed is true. The
// answer is kept in the transaction of the change, sealed with a key that
// follows from the caller's own API key, which is not stored: the answer to
// 'make a key' must not be readable in the database.
func once[T any](ctx context.Context, tx *store.Tx, key OnceHeader, route string, body []byte, do func() (T, error)) (out T, replayed bool, err error) {
	if key.IdempotencyKey == "" {
		out, err = do()
		return out, false, err
	}
	who := caller(ctx)
	scope := digest(who.name(), route, key.IdempotencyKey)
	request := sha256.Sum256(body)
	seal, err := sealer(who.token)
	if err != nil {
		return out, false, err
	}
	before, err := tx.Answer(ctx, scope)
	if err == nil {
		if !bytes.Equal(before.Request, request[:]) {
			var p problems
			p.add("header.Idempotency-Key", "was used within the last 24 hours for another request")
			return out, false, p.err()
		}
		err = open(seal, before.Body, scope, &out)
		return out, true, err
	}
	if !errors.Is(err, store.ErrNotFound) {
		return out, false, err
	}
	if out, err = do(); err != nil {
		return out, false, err
	}
	plain, err := json.Marshal(out)
	if err != nil {
		return out, false, fmt.Errorf("keep an answer: %w", err)
	}
	nonce := make([]byte, seal.NonceSize())
	_, _ = rand.Read(nonce)
	return out, false, tx.SaveAnswer(ctx, scope, store.Answer{Request: request[:], Body: seal.Seal(nonce, nonce, plain, scope)})
}

// replayedHeader is the value of the header that marks a repeated answer; it
// is absent otherwise.
func replayedHeader(replayed bool) string {
	if replayed {
		return "true"
	}
	return ""
}

// digest hashes parts so that no two lists of parts give the same.
func digest(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)
}

func sealer(token string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(token), nil, "grosz idempotency", 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return cipher.NewGCM(block)
}

func open(seal cipher.AEAD, sealed, scope []byte, to any) error {
	if len(sealed) < seal.NonceSize() {
		return errors.New("read a kept answer: too short")
	}
	n := seal.NonceSize()
	plain, err := seal.Open(nil, sealed[:n], sealed[n:], scope)
	if err != nil {
		// The key id is the same but the key is not: the admin key was changed.
		return failure(http.StatusConflict, "this Idempotency-Key was used with another key")
	}
	if err := json.Unmarshal(plain, to); err != nil {
		return fmt.Errorf("read a kept answer: %w", err)
	}
	return nil
}
