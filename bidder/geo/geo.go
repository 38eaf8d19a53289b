package geo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/grosz/grosz/internal/clock"
)

// Place is where an address is, as far as the database knows.
type Place struct {
	Country string // ISO 3166-1 alpha-2
	Region  string // ISO 3166-2, without the country
	City    string // its English name
}

// record is the part of a City or Country database's record that is read.
type record struct {
	Country struct {
		ISOCode string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		ISOCode string `maxminddb:"iso_code"`
	} `maxminddb:"subdivisions"`
	City struct {
		Names struct {
			EN string `maxminddb:"en"`
		} `maxminddb:"names"`
	} `maxminddb:"city"`
}

// Config of a DB.
type Config struct {
	Path string
	// Every is how often the file is looked at; 0 means a minute.
	Every time.Duration
}

// DB answers from the file as it was last good.
type DB struct {
	cfg   Config
	clock clock.Clock
	log   *slog.Logger
	open  atomic.Pointer[opened]

	mu       sync.Mutex
	last     int64 // ms of the latest look
	modified time.Time
	size     int64
	failed   bool

	found, missing, failures atomic.Uint64
}

// opened is one version of the file. Decoding makes strings, so places are
// kept by where their record stands: a small table that forgets by chance.
type opened struct {
	reader *maxminddb.Reader
	places [placeSlots]atomic.Pointer[kept]
}

const placeSlots = 1 << 13

type kept struct {
	offset uintptr
	place  Place
}

// New reads the file. Here, where somebody looks on, a bad one is an error.
func New(cfg Config, c clock.Clock, log *slog.Logger) (*DB, error) {
	if cfg.Every == 0 {
		cfg.Every = time.Minute
	}
	d := &DB{cfg: cfg, clock: c, log: log, last: c.NowMS()}
	if _, err := d.refresh(); err != nil {
		return nil, err
	}
	return d, nil
}

// refresh reads the file if it has changed.
func (d *DB) refresh() (changed bool, err error) {
	info, err := os.Stat(d.cfg.Path)
	if err != nil {
		first := !d.failed
		d.failed, d.modified = true, time.Time{}
		if !first {
			return false, nil
		}
		return false, fmt.Errorf("geo database: %w", err)
	}
	if info.ModTime().Equal(d.modified) && info.Size() == d.size {
		return false, nil
	}
	d.modified, d.size, d.failed = info.ModTime(), info.Size(), true
	data, err := os.ReadFile(d.cfg.Path)
	if err != nil {
		return false, fmt.Errorf("geo database: %w", err)
	}
	r, err := maxminddb.OpenBytes(data)
	if err != nil {
		return false, fmt.Errorf("geo database %s: %w", d.cfg.Path, err)
	}
	d.failed = false
	d.open.Store(&opened{reader: r})
	return true, nil
}

// Poll looks at the file if it is time by the clock, and takes a new one into
// force. The error is of a file that is bad since this look.
func (d *DB) Poll() (changed bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.NowMS()
	if now-d.last < d.cfg.Every.Milliseconds() && now >= d.last {
		return false, nil
	}
	d.last = now
	if changed, err = d.refresh(); err != nil {
		d.failures.Add(1)
	}
	return changed, err
}

// Run polls until ctx ends.
func (d *DB) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := d.Poll()
		if err != nil {
			d.log.Error("the geo database is not taken, the last good one stays", "err", err)
		}
		if changed {
			d.log.Info("geo database changed", "built", d.Built().Format(time.DateOnly))
		}
	}
}

// Built is when the database in force was made.
func (d *DB) Built() time.Time { return d.open.Load().reader.Metadata.BuildTime() }

// Lookup finds the place of an address, also of one whose last part was cut
// off to zeros. ok is false where nothing is known.
func (d *DB) Lookup(ip string) (p Place, ok bool) {
	if ip == "" {
		return p, false
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		d.missing.Add(1)
		return p, false
	}
	o := d.open.Load()
	r := o.reader.Lookup(addr.Unmap().WithZone(""))
	if r.Err() != nil || !r.Found() {
		d.missing.Add(1)
		return p, false
	}
	slot := &o.places[hash(r.Offset())%placeSlots]
	if k := slot.Load(); k != nil && k.offset == r.Offset() {
		d.found.Add(1)
		return k.place, true
	}
	if p, err = read(r); err != nil || p == (Place{}) {
		d.missing.Add(1)
		return p, false
	}
	slot.Store(&kept{r.Offset(), p})
	d.found.Add(1)
	return p, true
}

func hash(offset uintptr) uint64 { return uint64(offset) * 0x9e3779b97f4a7c15 >> 40 }

func read(r maxminddb.Result) (Place, error) {
	var rec record
	if err := r.Decode(&rec); err != nil {
		return Place{}, fmt.Errorf("geo database record: %w", err)
	}
	p := Place{Country: rec.Country.ISOCode, City: rec.City.Names.EN}
	if len(rec.Subdivisions) > 0 {
		p.Region = rec.Subdivisions[0].ISOCode
	}
	return p, nil
}

// Fill completes what a request says of a place. What it says stays; region
// and city are added where it has neither, and not from another country, as
// same tells of two codes.
func (p Place) Fill(country, region, city string, same func(a, b string) bool) (c, r, t string) {
	switch {
	case region != "" || city != "":
		return country, region, city
	case country == "":
		return p.Country, p.Region, p.City
	case !same(country, p.Country):
		return country, "", ""
	}
	return country, p.Region, p.City
}

// WriteMetrics writes the counters in Prometheus' text format.
func (d *DB) WriteMetrics(w io.Writer) {
	for _, m := range []struct {
		name string
		v    int64
	}{
		{`grosz_geo_lookups_total{found="yes"}`, int64(d.found.Load())},
		{`grosz_geo_lookups_total{found="no"}`, int64(d.missing.Load())},
		{`grosz_geo_failures_total`, int64(d.failures.Load())},
		{`grosz_geo_built_seconds`, d.Built().Unix()},
	} {
		fmt.Fprintf(w, "%s %d\n", m.name, m.v)
	}
}
