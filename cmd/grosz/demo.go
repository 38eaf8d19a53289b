package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// demoFiles are the demo's exchanges and its round exchange rates.
//
//go:embed demo
var demoFiles embed.FS

// writeDemoFiles puts the demo's exchanges and rates into the data directory;
// what is there already is left as it is.
func writeDemoFiles(dir string) error {
	return fs.WalkDir(demoFiles, "demo", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := filepath.Join(dir, "exchanges", path.Base(p))
		if path.Ext(p) == ".json" {
			to = filepath.Join(dir, path.Base(p))
		}
		text, err := demoFiles.ReadFile(p)
		if err != nil {
			return fmt.Errorf("demo files: %w", err)
		}
		f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("demo files: %w", err)
		}
		_, err = f.Write(text)
		return errors.Join(err, f.Close())
	})
}
