package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"

	"github.com/grosz/grosz/campaigns"
)

// Staging takes a feed product by product and keeps it on disk until it is
// whole, so that a million products need little memory: some 60 bytes each. One
// goroutine uses it; Close removes its files.
type Staging struct {
	dir   string
	rows  *scratch
	index []stagedRow
	seen  map[uint64]int32 // places in index
	again int
	out   *scratch
	parts []stagedBucket
	book  *priceBook
}

type stagedRow struct {
	hash uint64
	at   int64
	size int32
}

type stagedBucket struct {
	at       int64
	size     int
	hash     [sha256.Size]byte
	products int
}

// scratch is a file without a name that is written, then read.
type scratch struct {
	f  *os.File
	w  *bufio.Writer
	at int64
}

func newScratch(dir string) (*scratch, error) {
	f, err := os.CreateTemp(dir, "feed-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("keep a feed on disk: %w", err)
	}
	return &scratch{f: f, w: bufio.NewWriterSize(f, 1<<18)}, nil
}

func (s *scratch) write(b []byte) (at int64, err error) {
	at = s.at
	n, err := s.w.Write(b)
	s.at += int64(n)
	return at, err
}

func (s *scratch) read(at int64, size int) ([]byte, error) {
	b := make([]byte, size)
	_, err := s.f.ReadAt(b, at)
	return b, err
}

func (s *scratch) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.f.Close(), os.Remove(s.f.Name()))
}

// NewStaging keeps its files in dir.
func NewStaging(dir string) (*Staging, error) {
	rows, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	return &Staging{dir: dir, rows: rows, seen: map[uint64]int32{}}, nil
}

// Len is how many products there are.
func (s *Staging) Len() int { return len(s.index) }

// Repeated is how many products came again.
func (s *Staging) Repeated() int { return s.again }

// Add takes one product; of several with the same id the last one counts.
func (s *Staging) Add(p *campaigns.Product) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("product %q: %w", p.ID, err)
	}
	if len(text) > MaxBucketBytes {
		return fmt.Errorf("product %q takes %d bytes: %w", p.ID, len(text), ErrLimit)
	}
	at, err := s.rows.write(text)
	if err != nil {
		return fmt.Errorf("keep a feed on disk: %w", err)
	}
	row := stagedRow{hashOf(p.ID), at, int32(len(text))}
	if i, ok := s.seen[row.hash]; ok {
		s.again++
		s.index[i] = row
		return nil
	}
	s.seen[row.hash] = int32(len(s.index))
	s.index = append(s.index, row)
	return nil
}

// hashOf spreads ids over buckets; see bucketOf.
func hashOf(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	v := h.Sum64()
	return v ^ v>>32
}

// Close removes the files.
func (s *Staging) Close() error { return errors.Join(s.rows.close(), s.out.close()) }

// Seal spreads the products over buckets within the bounds, as Buckets does,
// and notes their prices in the shop's history. Everything that takes long is
// done here, before the transaction that puts the feed in force.
func (s *Staging) Seal(ctx context.Context, r Reader, shop uint32, now int, nowMS int64) error {
	n, err := s.spread(now)
	if err != nil {
		return err
	}
	read, err := r.prices(ctx, shop)
	if err != nil {
		return err
	}
	s.book = &priceBook{read: read, next: map[int][]byte{}, nowS: nowMS / 1000}
	if err := s.rows.w.Flush(); err != nil {
		return fmt.Errorf("keep a feed on disk: %w", err)
	}
	if s.out, err = newScratch(s.dir); err != nil {
		return err
	}
	mask := uint64(n - 1)
	slices.SortFunc(s.index, func(a, b stagedRow) int {
		if a.hash&mask != b.hash&mask {
			if a.hash&mask < b.hash&mask {
				return -1
			}
			return 1
		}
		return int(min(max(a.at-b.at, -1), 1)) // reads forward on disk
	})
	s.parts = make([]stagedBucket, n)
	for i, rest := 0, s.index; i < n; i++ {
		k := 0
		for k < len(rest) && rest[k].hash&mask == uint64(i) {
			k++
		}
		if err := s.seal(i, rest[:k]); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rest = rest[k:]
	}
	return s.out.w.Flush()
}

func (s *Staging) seal(i int, rows []stagedRow) error {
	items := make([]*campaigns.Product, 0, len(rows))
	for _, row := range rows {
		text, err := s.rows.read(row.at, int(row.size))
		p := new(campaigns.Product)
		if err == nil {
			err = json.Unmarshal(text, p)
		}
		if err != nil {
			return fmt.Errorf("read a feed from disk: %w", err)
		}
		items = append(items, p)
	}
	slices.SortFunc(items, func(x, y *campaigns.Product) int { return strings.Compare(x.ID, y.ID) })
	if err := s.book.note(items, true); err != nil {
		return err
	}
	b, err := encodeBucket(items)
	if err != nil {
		return fmt.Errorf("write bucket %d: %w", i, err)
	}
	at, err := s.out.write(b.Items)
	if err != nil {
		return fmt.Errorf("keep a feed on disk: %w", err)
	}
	s.parts[i] = stagedBucket{at: at, size: len(b.Items), hash: b.Hash, products: b.Products}
	return nil
}

func encodeBucket(items []*campaigns.Product) (Bucket, error) {
	text, err := json.Marshal(items)
	if err != nil {
		return Bucket{}, err
	}
	return Bucket{Items: text, Hash: sha256.Sum256(text), Products: len(items)}, nil
}

// spread chooses the number of buckets: as many as there are now where that
// serves; see Buckets. A product grows by at most slack when its history is
// put in.
func (s *Staging) spread(now int) (int, error) {
	const slack = 64
	least := 1
	for least*MaxBucketProducts < len(s.index) {
		least *= 2
	}
	n := least
	if now > least && now <= 4*least {
		n = now
	}
	for ; n <= MaxBuckets; n *= 2 {
		counts, sizes := make([]int, n), make([]int, n)
		fits := true
		for _, row := range s.index {
			b := int(row.hash & uint64(n-1))
			counts[b]++
			sizes[b] += int(row.size) + slack
			if counts[b] > MaxBucketProducts || sizes[b] > MaxBucketBytes && counts[b] > 1 {
				fits = false
				break
			}
		}
		if fits {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%d products need more than %d buckets: %w", len(s.index), MaxBuckets, ErrLimit)
}

// Buckets is how many buckets a sealed feed has.
func (s *Staging) Buckets() int { return len(s.parts) }

// hash and bucket make a sealed Staging a source of PutFeed.
func (s *Staging) hash(i int) [sha256.Size]byte { return s.parts[i].hash }
func (s *Staging) products(i int) int           { return s.parts[i].products }
func (s *Staging) bucket(i int) (Bucket, error) {
	p := &s.parts[i]
	text, err := s.out.read(p.at, p.size)
	if err != nil {
		return Bucket{}, fmt.Errorf("read a feed from disk: %w", err)
	}
	return Bucket{Items: text, Hash: p.hash, Products: p.products}, nil
}

// PutStaged puts a sealed feed in force, with its price history.
func (t *Tx) PutStaged(ctx context.Context, shop uint32, s *Staging, report string) (Feed, int, error) {
	f, sent, err := t.putFeed(ctx, shop, s, report)
	if err == nil {
		err = t.putPrices(ctx, shop, s.book, true)
	}
	return f, sent, err
}
