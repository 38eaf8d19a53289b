package console

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
)

// KeyRequest asks for a key.
type KeyRequest struct {
	Name   string   `json:"name,omitempty" doc:"What it is for" maxLength:"100" example:"shop backend"`
	Scopes []string `json:"scopes" nullable:"false" minItems:"1" enum:"events,read,write" doc:"events: send shop events to the bidder; read: read here; write: read and change here"`
}

// Key is a key without what it opens with.
type Key struct {
	ID      string   `json:"id"`
	Name    string   `json:"name,omitempty"`
	Scopes  []string `json:"scopes" nullable:"false"`
	Created int64    `json:"created" doc:"ms UTC"`
	Revoked int64    `json:"revoked,omitempty" doc:"ms UTC; absent while the key is valid"`
}

// NewKey is a key as it is shown once.
type NewKey struct {
	Key
	// Secret is the whole key; only its hash is kept.
	Secret string `json:"key" doc:"The key itself. It is shown now and never again." example:"gz_…"`
}

func keyView(k store.Key) Key {
	return Key{ID: k.ID, Name: k.Name, Scopes: k.Scopes, Created: k.CreatedMS, Revoked: k.RevokedMS}
}

func (s *Server) keyRoutes() {
	const path = "/api/v1/shops/{shop}/keys"
	tags := []string{"Keys"}
	register(s, route{Operation: huma.Operation{
		OperationID: "list-keys", Method: http.MethodGet, Path: path, Tags: tags, Summary: "List a shop's keys",
		Description: "Valid ones and the last revoked ones. The keys themselves are not kept.",
	}, access: accessRead}, s.listKeys)
	register(s, route{Operation: huma.Operation{
		OperationID: "create-key", Method: http.MethodPost, Path: path, Tags: tags, Summary: "Make a key", DefaultStatus: http.StatusCreated,
		Description: "To rotate, make the new key, bring it where the old one is used, and then revoke the old one: both are valid meanwhile.",
	}, access: accessWrite, body: reflect.TypeFor[KeyRequest]()}, s.createKey)
	register(s, route{Operation: huma.Operation{
		OperationID: "revoke-key", Method: http.MethodDelete, Path: path + "/{key}", Tags: tags, Summary: "Revoke a key",
		Description: "At once here, and in every bidder within about a second. It cannot be undone.",
	}, access: accessWrite}, s.revokeKey)
}

type keyList struct{ Body list[Key] }

func (s *Server) listKeys(ctx context.Context, in *struct{ ShopPath }) (*keyList, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	keys, err := s.store.View().Keys(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	out := &keyList{list[Key]{Items: make([]Key, 0, len(keys))}}
	for _, k := range keys {
		out.Body.Items = append(out.Body.Items, keyView(k))
	}
	return out, nil
}

type createKeyInput struct {
	ShopPath
	OnceHeader
	jsonBody
}

type keyOutput struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true when this is the answer to an earlier request"`
	Body     NewKey
}

func (s *Server) createKey(ctx context.Context, in *createKeyInput) (*keyOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var req KeyRequest
	var p problems
	decode(raw, &req, &p)
	checkText(&p, "body.name", req.Name, 0, 100)
	if len(req.Scopes) == 0 {
		p.add("body.scopes", "is missing; name some of events, read, write")
	}
	for i, scope := range req.Scopes {
		checkOneOf(&p, indexed("body.scopes", i), scope, ScopeEvents, ScopeRead, ScopeWrite)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	slices.Sort(req.Scopes)
	scopes := slices.Compact(req.Scopes)
	out := new(keyOutput)
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		made, replayed, err := once(ctx, tx, in.OnceHeader, "create-key/"+etag(int64(in.Shop)), in.RawBody, func() (NewKey, error) {
			id, key := newKey()
			made, err := tx.CreateKey(ctx, store.Key{
				Key: campaigns.Key{ID: id, SHA256: hashKey(key), Scopes: scopes}, ShopID: in.Shop, Name: req.Name,
			})
			return NewKey{Key: keyView(made), Secret: key}, err
		})
		out.Body, out.Replayed = made, replayedHeader(replayed)
		return err
	})
	return out, err
}

// KeyPath names the key.
type KeyPath struct {
	ShopPath
	Key string `path:"key" maxLength:"100" doc:"Key id"`
}

type empty struct{}

func (s *Server) revokeKey(ctx context.Context, in *KeyPath) (*empty, error) {
	return &empty{}, s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		return tx.RevokeKey(ctx, in.Shop, in.Key)
	})
}
