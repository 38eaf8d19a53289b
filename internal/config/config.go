// Package config joins a role's flags, GROSZ_* environment and configuration
// file into one struct, in that precedence, and lists every mistake at once.
// Slow: used at start only. Imports nothing of Grosz.
//
// A field takes part by its tags: `config:"bidder" help:"…" default:"…"`. Its
// flag is --bidder, its variable GROSZ_BIDDER, its key in the YAML file
// bidder. A field with `secret:"true"` is no flag: process lists show flags.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// Validator is what a configuration may implement: all that is wrong with the
// joined values, as one joined error.
type Validator interface{ Validate() error }

// Arguer is what a configuration with positional arguments implements: how
// its usage line names them.
type Arguer interface{ Arguments() string }

// ErrHelp is returned when --help was asked for; the text has been written.
var ErrHelp = pflag.ErrHelp

// field of a configuration struct.
type field struct {
	name, help, def string
	kind            reflect.Kind
	secret          bool
}

// Load fills into, a pointer to a struct, for the role. args are the
// command line behind the role, environ is os.Environ's form. Positional
// arguments are returned. Help goes to out.
func Load(role string, args, environ []string, into any, out io.Writer) ([]string, error) {
	fields := fieldsOf(reflect.TypeOf(into).Elem())
	set := pflag.NewFlagSet(role, pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.SortFlags = false
	values := make(map[string]*string, len(fields))
	for _, f := range fields {
		values[f.name] = set.String(f.name, f.def, f.help)
		if f.kind == reflect.Bool {
			set.Lookup(f.name).NoOptDefVal = "true"
		}
	}
	file := set.String("config", "", "YAML file with any of these settings")
	args, mistakes := knownArgs(set, args)
	if err := set.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			usage(out, role, into, fields)
			return nil, ErrHelp
		}
		mistakes = append(mistakes, err)
	}
	env := fromEnv(environ, fields)
	if v, ok := env["config"]; ok && !set.Changed("config") {
		*file = v
	}
	fromFile, fileMistakes := readFile(*file, fields)
	mistakes = append(mistakes, fileMistakes...)

	merged := make(map[string]any, len(fields))
	source := make(map[string]string, len(fields))
	for _, f := range fields {
		merged[f.name], source[f.name] = f.def, "default of --"+f.name
		if v, ok := fromFile[f.name]; ok {
			merged[f.name], source[f.name] = v, *file+": "+f.name
		}
		if v, ok := env[f.name]; ok {
			merged[f.name], source[f.name] = v, variable(f.name)
		}
		if set.Changed(f.name) && f.secret {
			mistakes = append(mistakes, fmt.Errorf("--%s: process lists would show it: give it as %s, in the file of --config, or as --%s-file", f.name, variable(f.name), f.name))
			continue
		}
		if set.Changed(f.name) {
			merged[f.name], source[f.name] = *values[f.name], "--"+f.name
		}
		if err := decodeOne(f.name, merged[f.name], into); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", source[f.name], err))
		}
	}
	if v, ok := into.(Validator); ok {
		if err := v.Validate(); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("grosz %s cannot start:\n%w\n'grosz %s --help' lists the settings", role, errors.Join(mistakes...), role)
	}
	return set.Args(), nil
}

func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			fields = append(fields, fieldsOf(f.Type)...)
			continue
		}
		if name := f.Tag.Get("config"); name != "" {
			fields = append(fields, field{name, f.Tag.Get("help"), f.Tag.Get("default"), f.Type.Kind(), f.Tag.Get("secret") == "true"})
		}
	}
	return fields
}

// knownArgs reports every unknown flag, not only the first, and leaves them
// out, so that the values of the others are checked as well.
func knownArgs(set *pflag.FlagSet, args []string) (known []string, mistakes []error) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return append(known, args[i:]...), mistakes
		}
		name, isFlag := strings.CutPrefix(a, "--")
		name, _, inline := strings.Cut(name, "=")
		if !isFlag || name == "help" {
			known = append(known, a)
			continue
		}
		f := set.Lookup(name)
		if f == nil {
			mistakes = append(mistakes, fmt.Errorf("--%s: no such flag", name))
			if !inline && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
			}
			continue
		}
		known = append(known, a)
		if !inline && f.NoOptDefVal == "" && i+1 < len(args) {
			i++
			known = append(known, args[i])
		}
	}
	return known, mistakes
}

func variable(name string) string {
	return "GROSZ_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// fromEnv leaves other GROSZ_ variables alone: they may belong to other roles.
func fromEnv(environ []string, fields []field) map[string]string {
	names := map[string]string{variable("config"): "config"}
	for _, f := range fields {
		names[variable(f.name)] = f.name
	}
	got := make(map[string]string)
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		if name, ok := names[k]; ok {
			got[name] = v
		}
	}
	return got
}

func readFile(path string, fields []field) (map[string]any, []error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, []error{fmt.Errorf("--config: %w", err)}
	}
	var got map[string]any
	if err := yaml.Unmarshal(b, &got); err != nil {
		return nil, []error{fmt.Errorf("--config %s: %w", path, err)}
	}
	known := make(map[string]bool, len(fields))
	for _, f := range fields {
		known[f.name] = true
	}
	var mistakes []error
	for k := range got {
		if !known[k] {
			mistakes = append(mistakes, fmt.Errorf("%s: %s: no such setting", path, k))
		}
	}
	sort.Slice(mistakes, func(i, j int) bool { return mistakes[i].Error() < mistakes[j].Error() })
	return got, mistakes
}

// decodeOne sets one field from a text or a YAML value.
func decodeOne(name string, value any, into any) error {
	if s, ok := value.(string); ok && s == "" {
		return nil
	}
	dec, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: into, TagName: "config", WeaklyTypedInput: true, Squash: true,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(),
			mapstructure.StringToSliceHookFunc(","),
		),
	})
	if err != nil {
		return err
	}
	err = dec.Decode(map[string]any{name: value})
	if err == nil {
		return nil
	}
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return fmt.Errorf("%q: %w", fmt.Sprint(value), err)
}

func usage(out io.Writer, role string, into any, fields []field) {
	rest := ""
	if a, ok := into.(Arguer); ok {
		rest = " " + a.Arguments()
	}
	fmt.Fprintf(out, "Usage: grosz %s [flags]%s\n\nEvery setting is a flag, a variable (GROSZ_… in capitals, - as _) or a key of\nthe file that --config names; a flag wins over the variable, that over the file.\n\n", role, rest)
	for _, f := range append(fields, field{name: "config", help: "YAML file with any of these settings"}) {
		def := ""
		if f.def != "" {
			def = fmt.Sprintf(" (default %s)", f.def)
		}
		if f.secret {
			fmt.Fprintf(out, "  %-24s %s; no flag, a variable or a key of the file only\n", variable(f.name), f.help)
			continue
		}
		fmt.Fprintf(out, "  --%-22s %s%s\n", f.name, f.help, def)
	}
}
