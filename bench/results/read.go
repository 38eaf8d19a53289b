package results

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Reference is the benchmark that times are related to.
const Reference = "Reference/sha256-1KB"

// Series are the values of one benchmark in one unit, one for each line.
type Series struct {
	Name, Unit string
	Values     []float64
}

// Set is what a file of results holds.
type Set struct {
	// Config are its 'key: value' lines; the last of a key counts.
	Config map[string]string
	series map[string]*Series
	names  []string // in the order of the file, each once
	units  map[string][]string
}

// perReference is the unit of a time as a multiple of the reference.
const perReference = "×sha256"

var procs = regexp.MustCompile(`-\d+$`)

// errNoResults: a file without a benchmark is a mistake.
var errNoResults = errors.New("no benchmark in it")

// Read reads lines of Go's benchmark format; others are passed over. Names
// have their package in front, without module, and no number of processors.
func Read(r io.Reader) (*Set, error) {
	s := &Set{Config: map[string]string{}, series: map[string]*Series{}, units: map[string][]string{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	reference := 0.0
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if !strings.HasPrefix(line, "Benchmark") {
			if key, value, ok := strings.Cut(line, ": "); ok && !strings.ContainsAny(key, " \t") {
				s.Config[key] = strings.TrimSpace(value)
			}
			continue
		}
		f := strings.Fields(line)
		if len(f) < 4 || len(f)%2 != 0 {
			continue // a benchmark that printed in between
		}
		name := procs.ReplaceAllString(strings.TrimPrefix(f[0], "Benchmark"), "")
		if name != Reference {
			name = strings.TrimPrefix(strings.TrimPrefix(s.Config["pkg"], "github.com/grosz/grosz/"), "cmd/grosz") + " " + name
		}
		name = strings.TrimSpace(name)
		for i := 2; i < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("line %d: %q is no number", n, f[i])
			}
			s.add(name, f[i+1], v)
			switch {
			case name == Reference && f[i+1] == "ns/op":
				reference = v
			case reference > 0 && stageTime(f[i+1]):
				s.add(name, f[i+1]+perReference, v/reference)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(s.names) == 0 {
		return nil, errNoResults
	}
	return s, nil
}

// stageTime tells the units that are a time of computing.
func stageTime(unit string) bool {
	return unit == "ns/op" || strings.HasSuffix(unit, "-best-ns") || strings.HasSuffix(unit, "-cpu-ns")
}

func (s *Set) add(name, unit string, v float64) {
	key := name + "\x00" + unit
	x := s.series[key]
	if x == nil {
		x = &Series{Name: name, Unit: unit}
		s.series[key] = x
		if s.units[name] == nil {
			s.names = append(s.names, name)
		}
		s.units[name] = append(s.units[name], unit)
	}
	x.Values = append(x.Values, v)
}

// Get is a series, nil if there is none.
func (s *Set) Get(name, unit string) *Series {
	if s == nil {
		return nil
	}
	return s.series[name+"\x00"+unit]
}

// Median of the values; 0 of none.
func (s *Series) Median() float64 {
	if s == nil || len(s.Values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(s.Values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
