package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"

	"github.com/grosz/grosz/internal/money"
)

// Token is what a bid's URLs carry, signed: all that settling its notices
// needs, so that any node can settle without having seen the bid.
type Token struct {
	BidID ID
	BidMS int64 // to the second
	// Purpose says which URLs the token serves, so that who sees an ad's
	// markup can neither bill nor lose its bid.
	Purpose    uint8
	Media      uint8 // MediaCode
	SettleOn   uint8 // SettleCode: the event type that moves this bid's money
	Test       bool
	ImpIndex   uint8 // place of the imp in the request; 31: there or behind
	Browser    uint8 // family of the person's browser, a code
	ShopID     uint32
	CampaignID uint32
	CreativeID uint32
	Exchange   string // at most MaxExchangeName bytes
	// Price is the bid, in Currency; Hold is what was set aside for it, in
	// ShopCurrency with the fee; Rate leads from Currency to ShopCurrency.
	Price        money.CPM
	Currency     money.Currency
	ShopCurrency money.Currency
	Rate         money.Rate
	Hold         money.Nano
	FeeBPS       uint32
	FeeCPM       money.CPM // the fee where it is none of the cost; then FeeBPS is 0
	User         uint64    // the shop's pseudonym of the person, 0 for nobody
	Lease        uint64    // what the bid was held out of, 0 for none
	// Products are what the ad shows, where its shop caps them; else none.
	Products Products
	// ClickPrice is what the shop pays for a click, in ShopCurrency, where the
	// campaign is billed by it: then the impression is the platform's to pay.
	// ClickFeeBPS is the platform's share beside it. Both are in the tokens of
	// all purposes, and sealed: who sees an ad cannot read them.
	ClickPrice  money.Nano
	ClickFeeBPS uint32
}

// Products are short hashes of up to eight products of one shop; 0 is none.
// The set ones come first.
type Products [8]uint32

// ShortProduct is a product's short hash.
func ShortProduct(hash uint64) uint32 { return max(uint32(hash>>32), 1) }

func (p *Products) len() (n int) {
	for n < len(p) && p[n] != 0 {
		n++
	}
	return n
}

// MaxExchangeName bounds the exchange's name inside a token.
const MaxExchangeName = 32

// Purposes of a token.
const (
	// ForNotice is in nurl, burl and lurl, which only the exchange sees.
	ForNotice uint8 = iota
	// ForImpression is in the markup's pixel.
	ForImpression
	// ForClick is in the markup's links and is the click id of the landing
	// URL, so that publisher and shop see it: As leaves the money out.
	ForClick
)

// As returns the token for another purpose. One for clicks carries neither
// prices nor the exchange's terms; what a billed click is paid out of it does.
func (t Token) As(purpose uint8) Token {
	t.Purpose = purpose
	if purpose == ForClick {
		t.Price, t.Rate, t.Hold, t.FeeBPS, t.FeeCPM, t.Products = 0, 0, 0, 0, 0, Products{}
		if t.ClickPrice == 0 {
			t.Lease = 0
		}
	}
	return t
}

// Codes of media types inside a token.
const (
	MediaNone uint8 = iota
	MediaBanner
	MediaVideo
	MediaNative
	MediaAudio
)

var mediaNames = [...]string{"", "banner", "video", "native", "audio"}

// MediaName is the word for a code, "" for an unknown one.
func MediaName(code uint8) string {
	if int(code) < len(mediaNames) {
		return mediaNames[code]
	}
	return ""
}

// MediaCode is the code of a word, MediaNone for an unknown one.
func MediaCode(name string) uint8 { return uint8(max(slices.Index(mediaNames[:], name), 0)) }

// Codes of the event that settles.
const (
	SettleNone uint8 = iota
	SettleWin
	SettleBilling
	SettleImpression
)

var settleTypes = [...]Type{"", TypeWin, TypeBilling, TypeImpression}

// SettleType is the event type of a code, "" for an unknown one.
func SettleType(code uint8) Type {
	if int(code) < len(settleTypes) {
		return settleTypes[code]
	}
	return ""
}

// SettleCode is the code of an event type: win, billing or impression.
func SettleCode(t Type) (uint8, bool) {
	for c, s := range settleTypes {
		if c > 0 && s == t {
			return uint8(c), true
		}
	}
	return 0, false
}

// How long after the bid a token still counts. The hold's own lifetime is the
// exchange's; these two bound the memory of duplicates and of clicks.
const (
	BillingLifetime = 7 * 24 * time.Hour
	ClickLifetime   = 30 * 24 * time.Hour
	// TokenAhead is how far into the future a token may be. Only our nodes sign
	// tokens: one from the future is of a bid that a node made while its clock
	// was ahead, and the exchange bills it all the same. A day covers a clock
	// that was set to another zone's time, and is little beside the lifetimes.
	TokenAhead = 24 * time.Hour
	// ClockSkew is how far into the future what others date may be.
	ClockSkew = 5 * time.Minute
)

// What is wrong with a token. ErrTokenMalformed is for what was never one.
var (
	ErrTokenMalformed = errors.New("token malformed")
	ErrTokenForged    = errors.New("token signature does not match")
	ErrTokenExpired   = errors.New("token expired")
)

const (
	tokenVersion = 1
	// tokenLeased has eight bytes more behind the name: the lease.
	tokenLeased = 2
	// tokenShows has the lease or zero, the products' hashes, four bytes each,
	// and their number behind the name.
	tokenShows = 3
	// tokenClicks is as tokenShows, where there may be no products, and has the
	// price of a click and its fee, sealed, behind.
	tokenClicks = 4
	sealedSize  = 8 + 4
	macSize     = 16
	// tokenFixed is the length before the exchange's name.
	tokenFixed = 1 + 1 + 16 + 4 + 1 + 1 + 4*4 + 8*4 + 3 + 3 + 1
	tokenMax   = tokenFixed + MaxExchangeName + 8 + 4*len(Products{}) + 1 + sealedSize + macSize
)

// tokenText is strict: each token has exactly one text.
var tokenText = base64.RawURLEncoding.Strict()

// TokenMaxLen bounds a token's text.
const TokenMaxLen = (tokenMax*8 + 5) / 6

// Key signs tokens. ID says which key it is, so that two are valid while one
// replaces the other.
type Key struct {
	ID     uint8  `json:"id"`
	Secret []byte `json:"secret"` // 32 bytes
}

// Keyring signs with its first key and verifies with any. Safe for many
// goroutines; Sign and Verify do not allocate.
type Keyring struct {
	sign  uint8
	known [256]*sync.Pool
}

// NewKeyring makes a keyring; keys[0] signs.
func NewKeyring(keys ...Key) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("a keyring needs at least one key")
	}
	k := &Keyring{sign: keys[0].ID}
	for _, key := range keys {
		if len(key.Secret) < 16 {
			return nil, fmt.Errorf("token key %d has %d bytes, needs at least 16", key.ID, len(key.Secret))
		}
		if k.known[key.ID] != nil {
			return nil, fmt.Errorf("two token keys have id %d", key.ID)
		}
		secret := append([]byte(nil), key.Secret...)
		k.known[key.ID] = &sync.Pool{New: func() any {
			return &signer{mac: hmac.New(sha256.New, secret)}
		}}
	}
	return k, nil
}

type signer struct {
	mac hash.Hash
	buf [tokenMax]byte
	sum [sha256.Size]byte
	pad [len(sealLabel) + 16]byte
}

// Append signs t and appends it as unpadded base64url.
func (k *Keyring) Append(dst []byte, t *Token) []byte {
	pool := k.known[k.sign]
	s := pool.Get().(*signer)
	n := t.encode(s.buf[:0], k.sign)
	if n[0] == tokenClicks {
		s.seal(n[len(n)-sealedSize:], n[2:18])
	}
	s.mac.Reset()
	s.mac.Write(n)
	sum := s.mac.Sum(s.sum[:0])
	n = append(n, sum[:macSize]...)
	dst = tokenText.AppendEncode(dst, n)
	pool.Put(s)
	return dst
}

// Verify reads text into t and checks its signature, its purpose and its age
// at nowMS. On ErrTokenExpired t is filled; on the other errors it is zero; a
// token of another purpose counts as forged. t.Exchange is freshly allocated
// only when it is not equal to what t.Exchange held before.
func (k *Keyring) Verify(t *Token, text []byte, nowMS int64, purpose uint8) error {
	held := t.Exchange
	*t = Token{}
	if len(text) > TokenMaxLen || len(text) < 8 {
		return ErrTokenMalformed
	}
	var raw [tokenMax + 2]byte
	n, err := tokenText.Decode(raw[:], text)
	// The decoder passes over line ends; with them a token would have many texts.
	if err != nil || tokenText.EncodedLen(n) != len(text) || n < tokenFixed+macSize || raw[0] < tokenVersion || raw[0] > tokenClicks {
		return ErrTokenMalformed
	}
	pool := k.known[raw[1]]
	if pool == nil {
		return ErrTokenForged
	}
	body, mac := raw[:n-macSize], raw[n-macSize:n]
	s := pool.Get().(*signer)
	s.mac.Reset()
	// Through the signer's own memory: what is written to an interface escapes.
	s.mac.Write(s.buf[:copy(s.buf[:], body)])
	same := subtle.ConstantTimeCompare(s.mac.Sum(s.sum[:0])[:macSize], mac) == 1
	if same && raw[0] == tokenClicks && len(body) >= tokenFixed+sealedSize {
		in := s.buf[:len(body)]
		s.seal(in[len(in)-sealedSize:], in[2:18])
		copy(body, in)
	}
	pool.Put(s)
	if !same {
		return ErrTokenForged
	}
	if !t.decode(body, held) {
		*t = Token{}
		return ErrTokenMalformed
	}
	if t.Purpose != purpose {
		*t = Token{}
		return ErrTokenForged
	}
	lifetime := BillingLifetime
	if purpose == ForClick {
		lifetime = ClickLifetime
	}
	if nowMS-t.BidMS > lifetime.Milliseconds() || t.BidMS-nowMS > TokenAhead.Milliseconds() {
		return ErrTokenExpired
	}
	return nil
}

func (t *Token) encode(dst []byte, keyID uint8) []byte {
	be := binary.BigEndian
	version := uint8(tokenVersion)
	if t.Lease != 0 {
		version = tokenLeased
	}
	shows := t.Products.len()
	if shows > 0 {
		version = tokenShows
	}
	if t.ClickPrice > 0 {
		version = tokenClicks
	}
	dst = append(dst, version, keyID)
	dst = append(dst, t.BidID[:]...)
	dst = be.AppendUint32(dst, uint32(t.BidMS/1000))
	flags := t.Media&7 | t.SettleOn&3<<3
	if t.Test {
		flags |= 1 << 5
	}
	flags |= t.Purpose & 3 << 6
	dst = append(dst, flags, min(t.ImpIndex, 31)|t.Browser&7<<5)
	dst = be.AppendUint32(dst, t.ShopID)
	dst = be.AppendUint32(dst, t.CampaignID)
	dst = be.AppendUint32(dst, t.CreativeID)
	dst = be.AppendUint32(dst, t.packedFee())
	dst = be.AppendUint64(dst, uint64(t.Price))
	dst = be.AppendUint64(dst, uint64(t.Rate))
	dst = be.AppendUint64(dst, uint64(t.Hold))
	dst = be.AppendUint64(dst, t.User)
	dst = append(dst, t.Currency[:]...)
	dst = append(dst, t.ShopCurrency[:]...)
	name := t.Exchange
	if len(name) > MaxExchangeName {
		name = name[:MaxExchangeName]
	}
	dst = append(dst, uint8(len(name)))
	dst = append(dst, name...)
	if version != tokenVersion {
		dst = be.AppendUint64(dst, t.Lease)
	}
	if version >= tokenShows {
		for _, p := range t.Products[:shows] {
			dst = be.AppendUint32(dst, p)
		}
		dst = append(dst, uint8(shows))
	}
	if version == tokenClicks {
		dst = be.AppendUint64(dst, uint64(t.ClickPrice))
		dst = be.AppendUint32(dst, t.ClickFeeBPS)
	}
	return dst
}

func (t *Token) decode(b []byte, held string) bool {
	be := binary.BigEndian
	copy(t.BidID[:], b[2:18])
	t.BidMS = int64(be.Uint32(b[18:])) * 1000
	flags := b[22]
	t.Media, t.SettleOn, t.Test, t.ImpIndex = flags&7, flags>>3&3, flags>>5&1 == 1, b[23]&31
	t.Purpose, t.Browser = flags>>6, b[23]>>5
	t.ShopID, t.CampaignID, t.CreativeID = be.Uint32(b[24:]), be.Uint32(b[28:]), be.Uint32(b[32:])
	t.unpackFee(be.Uint32(b[36:]))
	t.Price, t.Rate = money.CPM(be.Uint64(b[40:])), money.Rate(be.Uint64(b[48:]))
	t.Hold, t.User = money.Nano(be.Uint64(b[56:])), be.Uint64(b[64:])
	copy(t.Currency[:], b[72:75])
	copy(t.ShopCurrency[:], b[75:78])
	name := b[tokenFixed:]
	if b[0] == tokenClicks {
		if len(name) < sealedSize {
			return false
		}
		sealed := name[len(name)-sealedSize:]
		name = name[:len(name)-sealedSize]
		if t.ClickPrice, t.ClickFeeBPS = money.Nano(be.Uint64(sealed)), be.Uint32(sealed[8:]); t.ClickPrice <= 0 {
			return false // each token has one text
		}
	}
	if b[0] >= tokenShows {
		var ok bool
		if name, ok = t.unpackProducts(name, b[0] == tokenClicks); !ok {
			return false
		}
	}
	if b[0] != tokenVersion {
		if len(name) < 8 {
			return false
		}
		t.Lease, name = be.Uint64(name[len(name)-8:]), name[:len(name)-8]
		if t.Lease == 0 && b[0] == tokenLeased {
			return false // each token has one text
		}
	}
	if int(b[tokenFixed-1]) != len(name) || len(name) > MaxExchangeName {
		return false
	}
	if t.Exchange = held; held != string(name) {
		t.Exchange = string(name)
	}
	return true
}

// Fee is the platform's fee that the bid was made with.
func (t *Token) Fee() money.Fee { return money.Fee{BPS: int64(t.FeeBPS), CPM: t.FeeCPM} }
