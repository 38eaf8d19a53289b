package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/grosz/grosz/console/apply"
	"github.com/grosz/grosz/internal/config"
)

// The exit codes of apply.
const (
	exitSame    = 0
	exitChanged = 1
	exitFailed  = 2
)

// exitError ends the program with a code of its own; err may be nil.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

type applyConfig struct {
	File    string        `config:"file" help:"the shop's YAML file, - for standard input; -f is short for it"`
	Console string        `config:"console" help:"the console's listener, HOST:PORT or a URL" default:"127.0.0.1:8090"`
	Shop    int           `config:"shop" help:"the shop's number, where neither the file nor the key tells it" default:"0"`
	KeyFile string        `config:"key-file" help:"file that holds a key of the shop with scope write (read is enough to compare and export); else the variable GROSZ_API_KEY has the key"`
	DryRun  bool          `config:"dry-run" help:"only show what would change"`
	Prune   bool          `config:"prune" help:"delete what the file does not have, in the sections that it has"`
	Export  bool          `config:"export" help:"write the shop as it is to standard output, as a file"`
	Lists   string        `config:"lists" help:"with --export: a directory that takes lists of more than 200 entries, a file each"`
	Secrets string        `config:"secrets" help:"a file that takes the secrets of new webhooks, a line of JSON each; they are told once"`
	Timeout time.Duration `config:"timeout" help:"for how long the console may take for one answer" default:"1m"`
}

// Validate lists what is wrong.
func (c *applyConfig) Validate() error {
	var errs []error
	if !strings.Contains(c.Console, "://") {
		c.Console = "http://" + c.Console
	}
	if u, err := url.Parse(c.Console); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("--console %q: HOST:PORT or a URL", c.Console))
	}
	if c.Shop < 0 {
		errs = append(errs, errors.New("--shop: the shop's number"))
	}
	if c.Export && (c.File != "" || c.DryRun || c.Prune || c.Secrets != "") {
		errs = append(errs, errors.New("--export takes neither --file nor --dry-run nor --prune nor --secrets"))
	}
	if !c.Export && c.Lists != "" {
		errs = append(errs, errors.New("--lists is for --export: a file names its lists itself"))
	}
	if c.Timeout <= 0 {
		errs = append(errs, errors.New("--timeout must be above zero"))
	}
	return errors.Join(errs...)
}

// runExport writes a shop as a file.
func runExport(ctx context.Context, e env, args []string) error {
	return applied(ctx, e, "export", append([]string{"--export"}, args...))
}

// runApply makes a shop what a file says. Its exit code tells what came of it:
// 0 nothing was to do, 1 something was, 2 it failed.
func runApply(ctx context.Context, e env, args []string) error {
	return applied(ctx, e, "apply", args)
}

func applied(ctx context.Context, e env, role string, args []string) error {
	changed, err := applyFile(ctx, e, role, args)
	switch {
	case errors.Is(err, config.ErrHelp):
		return err
	case err != nil:
		return &exitError{exitFailed, err}
	case changed:
		return &exitError{exitChanged, nil}
	}
	return nil // exitSame
}

func applyFile(ctx context.Context, e env, role string, args []string) (changed bool, err error) {
	var c applyConfig
	rest, err := config.Load(role, longFile(args), e.environ, &c, e.out)
	if err != nil {
		return false, err
	}
	if len(rest) > 0 || !c.Export && c.File == "" {
		return false, errors.New("grosz apply -f shop.yaml [--dry-run] [--prune], or grosz export > shop.yaml")
	}
	key, err := apiKey(e.environ, c.KeyFile)
	if err != nil {
		return false, err
	}
	client := &apply.Client{URL: c.Console, Key: key, Shop: uint32(c.Shop), HTTP: &http.Client{Timeout: c.Timeout}}
	var file *apply.File
	if !c.Export {
		if file, err = readShopFile(c.File, e.environ); err != nil {
			return false, err
		}
		if client.Shop == 0 {
			client.Shop = file.Shop
		} else if file.Shop != 0 && file.Shop != client.Shop {
			return false, fmt.Errorf("%s is of shop %d, --shop says %d", c.File, file.Shop, client.Shop)
		}
	}
	if client.Shop == 0 {
		if client.Shop, err = client.OnlyShop(ctx); err != nil {
			return false, fmt.Errorf("which shop? --shop, or shop: in the file: %w", err)
		}
	}
	if c.Export {
		return false, exportShop(ctx, client, c.Lists, e.out)
	}
	o := apply.Options{DryRun: c.DryRun, Prune: c.Prune, File: c.File, Out: e.out}
	if c.Secrets != "" && !c.DryRun {
		f, err := os.OpenFile(c.Secrets, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return false, fmt.Errorf("--secrets: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		o.Secret = secretsInto(f)
	}
	r, err := client.Apply(ctx, file, o)
	if err != nil {
		return false, err
	}
	if c.DryRun {
		fmt.Fprint(e.out, "would be: ")
	}
	fmt.Fprintln(e.out, r)
	return r.Any(), nil
}

func exportShop(ctx context.Context, client *apply.Client, lists string, out io.Writer) error {
	if lists != "" {
		if err := os.MkdirAll(lists, 0o750); err != nil {
			return fmt.Errorf("--lists: %w", err)
		}
	}
	return client.Export(ctx, out, apply.ExportOptions{Lists: lists})
}

// secretsInto writes the secrets of webhooks, each kept before anything else
// is done.
func secretsInto(f *os.File) func(id uint32, address, secret string) error {
	return func(id uint32, address, secret string) error {
		line, err := json.Marshal(map[string]any{"webhook": id, "url": address, "secret": secret})
		if err != nil {
			return err
		}
		if _, err := f.Write(append(line, '\n')); err != nil {
			return err
		}
		return f.Sync()
	}
}

// longFile writes -f as --file.
func longFile(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; a == "-f" {
			out[i] = "--file"
		}
	}
	return out
}

func readShopFile(name string, environ []string) (*apply.File, error) {
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("the shop's file: %w", err)
		}
		defer f.Close() // only read
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, apply.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("the shop's file: %w", err)
	}
	if len(b) > apply.MaxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", name, apply.MaxFile)
	}
	o := apply.Outside{Env: func(name string) (string, bool) { return variable(environ, name) }}
	if name != "-" {
		o.Dir = filepath.Dir(name)
	}
	return apply.Read(name, b, o)
}

// apiKey is the key of a file, or of the environment: never an argument, which
// other users of the machine can read.
func apiKey(environ []string, file string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("--key-file: %w", err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	if v, ok := variable(environ, "GROSZ_API_KEY"); ok && v != "" {
		return v, nil
	}
	return "", errors.New("a key is needed: --key-file FILE, or the variable GROSZ_API_KEY")
}

// variable is one of the environment.
func variable(environ []string, name string) (string, bool) {
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v, true
		}
	}
	return "", false
}
