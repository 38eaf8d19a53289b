package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"github.com/grosz/grosz/internal/money"
)

// head begins a stored fold: a name and the format's version, then the
// length of the body, its CRC-32C, and the body.
var head = [8]byte{'g', 'r', 'z', 'l', 'e', 'd', 'g', 1}

// maxImage bounds what Restore makes room for, in bytes.
const maxImage = 1 << 30

// ErrDamaged is what Restore wraps when the bytes are not a whole fold.
var ErrDamaged = errors.New("stored ledger is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type image struct {
	Shops     []shopImage
	Campaigns []campaignImage
	Leases    []leaseImage
}

type shopImage struct {
	ID                uint32
	Account           Account
	Deposited, Billed money.Nano
	NowMS             int64
	Terms, Deposits   int64
	House             money.Nano
}

type campaignImage struct {
	ID            uint32
	Limits        Limits
	Version       int64
	Billed, House money.Nano
	Days          []dayImage
}

type dayImage struct {
	Day           int32
	Billed        money.Nano
	Media, Clicks money.Nano // absent in what an older program stored: 0
}

type leaseImage struct {
	ID             uint64
	Shop, Campaign uint32
	Day            int32
	Left           money.Nano
	ExpiresMS      int64
}

// Snapshot writes the fold: the same state always as the same bytes.
func (f *Fold) Snapshot(w io.Writer) error {
	var img image
	for _, id := range slices.Sorted(maps.Keys(f.shops)) {
		s := f.shops[id]
		img.Shops = append(img.Shops, shopImage{id, s.account, s.deposited, s.billed, s.nowMS, s.terms, s.deposits, s.house})
		for _, l := range s.due {
			img.Leases = append(img.Leases, leaseImage{l.id, l.shop, l.campaign, l.day, l.left, l.expiresMS})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.campaigns)) {
		c := f.campaigns[id]
		out := campaignImage{ID: id, Limits: c.limits, Version: c.version, Billed: c.billed, House: c.house}
		for _, d := range slices.Sorted(maps.Keys(c.days)) {
			out.Days = append(out.Days, dayImage{d, c.days[d].billed, c.days[d].media, c.days[d].clicks})
		}
		img.Campaigns = append(img.Campaigns, out)
	}
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(&img); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	out := binary.LittleEndian.AppendUint32(head[:], uint32(body.Len()))
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(body.Bytes(), castagnoli))
	if _, err := w.Write(append(out, body.Bytes()...)); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// Restore reads what Snapshot wrote, no further than its end.
func Restore(r io.Reader) (*Fold, error) {
	var h [16]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, fmt.Errorf("%w: it is cut off", ErrDamaged)
	}
	if [8]byte(h[:8]) != head {
		return nil, fmt.Errorf("%w: it begins with %q, not %q", ErrDamaged, h[:8], head[:])
	}
	size := binary.LittleEndian.Uint32(h[8:])
	if size > maxImage {
		return nil, fmt.Errorf("%w: body of %d bytes", ErrDamaged, size)
	}
	var body bytes.Buffer
	if n, err := io.CopyN(&body, r, int64(size)); err != nil {
		return nil, fmt.Errorf("%w: %d of %d bytes are there", ErrDamaged, n, size)
	}
	if crc32.Checksum(body.Bytes(), castagnoli) != binary.LittleEndian.Uint32(h[12:]) {
		return nil, fmt.Errorf("%w: checksum does not match", ErrDamaged)
	}
	var img image
	if err := gob.NewDecoder(&body).Decode(&img); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return img.fold(), nil
}

func (img *image) fold() *Fold {
	f := New()
	for _, s := range img.Shops {
		f.shops[s.ID] = &shop{
			account: s.Account, deposited: s.Deposited, billed: s.Billed, nowMS: s.NowMS, terms: s.Terms, deposits: s.Deposits, house: s.House,
		}
	}
	for _, c := range img.Campaigns {
		out := &campaign{limits: c.Limits, version: c.Version, billed: c.Billed, house: c.House, days: map[int32]*day{}}
		for _, d := range c.Days {
			out.days[d.Day] = &day{billed: d.Billed, media: d.Media, clicks: d.Clicks}
		}
		f.campaigns[c.ID] = out
	}
	for _, l := range img.Leases {
		s, c := f.shop(l.Shop), f.campaign(l.Campaign)
		out := &lease{id: l.ID, shop: l.Shop, campaign: l.Campaign, day: l.Day, left: l.Left, expiresMS: l.ExpiresMS}
		f.leases[l.ID] = out
		s.due = append(s.due, out)
		f.lend(s, c, l.Day, l.Left)
	}
	return f
}
