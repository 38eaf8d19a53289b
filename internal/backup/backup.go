// Package backup copies files of a data directory that is at work, so that
// each copy is what a kill -9 would have left at some moment, and keeps a
// manifest with a checksum of each. Restore checks all of it before it writes
// anything. In which order things are copied, its caller decides: what depends
// on a log before the log.
//
// Slow side. A Writer is one goroutine's. Imports internal/durable only.
package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/grosz/grosz/internal/durable"
)

const (
	manifestName = "manifest.json"
	format       = "grosz-backup 1"
)

// Errors of a Restore.
var (
	ErrDamaged  = errors.New("the backup is damaged or not whole")
	ErrNotEmpty = errors.New("there is something already")
)

// Manifest lists what is in a backup.
type Manifest struct {
	// BeganMS and EndedMS: all that was acknowledged before the first is in it,
	// nothing that came after the second.
	BeganMS int64  `json:"began"`
	EndedMS int64  `json:"ended"`
	Files   []File `json:"files"`
}

// File is one of them.
type File struct {
	Path   string `json:"path"` // with slashes
	Size   int64  `json:"size"`
	Mode   uint32 `json:"mode"`
	SHA256 string `json:"sha256"`
}

// Writer copies from one directory into another.
type Writer struct {
	from, to string
	m        Manifest
	at       map[string]int // places in m.Files
}

// New makes the directory of a backup; it must be empty or absent.
func New(from, to string, nowMS int64) (*Writer, error) {
	if err := empty(to); err != nil {
		return nil, err
	}
	return &Writer{from: from, to: to, m: Manifest{BeganMS: nowMS}, at: map[string]int{}}, nil
}

func empty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	found, err := os.ReadDir(dir)
	if err == nil && len(found) > 0 {
		err = ErrNotEmpty
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}

// Path is where a file of the backup is, to be written by other means and
// then added.
func (w *Writer) Path(path string) (string, error) {
	to := filepath.Join(w.to, path)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", fmt.Errorf("backup: %w", err)
	}
	return to, nil
}

// Add puts a file that is in the backup's directory into the manifest.
func (w *Writer) Add(path string) error {
	f, err := describe(filepath.Join(w.to, path), path)
	if err == nil {
		w.note(f)
	}
	return err
}

func (w *Writer) note(f File) {
	if i, again := w.at[f.Path]; again {
		w.m.Files[i] = f
		return
	}
	w.at[f.Path] = len(w.m.Files)
	w.m.Files = append(w.m.Files, f)
}

func describe(name, path string) (File, error) {
	in, err := os.Open(name)
	if err != nil {
		return File{}, fmt.Errorf("backup: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return File{}, fmt.Errorf("backup: %w", err)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, in)
	return File{Path: filepath.ToSlash(path), Size: n, Mode: uint32(info.Mode().Perm()), SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// Copy copies a file as it is when it is opened: one that is replaced as a
// whole is copied whole, of one that grows a beginning. Absent ones are none.
func (w *Writer) Copy(path string) error {
	_, err := w.copy(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copy returns what the copied file was, to be compared.
func (w *Writer) copy(path string) (fs.FileInfo, error) {
	in, err := os.Open(filepath.Join(w.from, path))
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	to, err := w.Path(path)
	if err != nil {
		return nil, err
	}
	f := File{Path: filepath.ToSlash(path), Mode: uint32(info.Mode().Perm())}
	if f.Size, f.SHA256, err = write(to, info.Mode().Perm(), io.LimitReader(in, info.Size())); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	w.note(f)
	return info, nil
}

// write makes a file durable and returns its length and sum.
func write(to string, mode fs.FileMode, in io.Reader) (int64, string, error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return 0, "", err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), in)
	err = errors.Join(err, out.Sync(), out.Close())
	return n, hex.EncodeToString(sum.Sum(nil)), err
}

// tries bounds how often a folder that changes is begun again.
const tries = 20

// CopyDir copies the files of a folder and below it that keep wants (by their
// path below it; nil: all). Files that grow are cut where they were; if one is
// replaced or goes away meanwhile, the folder's own files are copied again.
func (w *Writer) CopyDir(dir string, keep func(path string, folder bool) bool) error {
	return w.copyDir(dir, ".", keep)
}

func (w *Writer) copyDir(root, below string, keep func(string, bool) bool) error {
	var folders []string
	var err error
	for range tries {
		if folders, err = w.copyFiles(root, below, keep); !errors.Is(err, errChanged) {
			break
		}
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, f := range folders {
		if err := w.copyDir(root, f, keep); err != nil {
			return err
		}
	}
	return nil
}

var errChanged = errors.New("a folder does not hold still")

// copyFiles copies the files of one folder and returns those below it.
func (w *Writer) copyFiles(root, below string, keep func(string, bool) bool) (folders []string, err error) {
	dir := filepath.Join(w.from, root, below)
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	copied := map[string]fs.FileInfo{}
	defer func() {
		if errors.Is(err, errChanged) {
			for path := range copied {
				err = errors.Join(err, w.forget(path))
			}
		}
	}()
	for _, e := range list {
		path := filepath.Join(below, e.Name())
		if keep != nil && !keep(filepath.ToSlash(path), e.IsDir()) {
			continue
		}
		if e.IsDir() {
			folders = append(folders, path)
			continue
		}
		if !e.Type().IsRegular() {
			continue
		}
		info, err := w.copy(filepath.Join(root, path))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errChanged
		}
		if err != nil {
			return nil, err
		}
		copied[filepath.Join(root, path)] = info
	}
	for path, was := range copied {
		now, err := os.Stat(filepath.Join(w.from, path))
		if err != nil || !os.SameFile(was, now) || now.Size() < was.Size() {
			return nil, errChanged
		}
	}
	return folders, nil
}

// forget takes a file out again.
func (w *Writer) forget(path string) error {
	key := filepath.ToSlash(path)
	if i, ok := w.at[key]; ok {
		w.m.Files = slices.Delete(w.m.Files, i, i+1)
		delete(w.at, key)
		for p, at := range w.at {
			if at > i {
				w.at[p] = at - 1
			}
		}
	}
	return os.Remove(filepath.Join(w.to, path))
}

// Close writes the manifest: without it there is no backup.
func (w *Writer) Close(nowMS int64) (Manifest, error) {
	w.m.EndedMS = nowMS
	text, err := json.Marshal(w.m)
	if err == nil {
		text, err = durable.Seal(format, text)
	}
	if err == nil {
		err = durable.ReplaceBytes(filepath.Join(w.to, manifestName), 0o600, text)
	}
	if err != nil {
		return w.m, fmt.Errorf("write the backup's manifest: %w", err)
	}
	return w.m, nil
}

// Read reads the manifest of a backup.
func Read(dir string) (m Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: it has no manifest", ErrDamaged)
	}
	if err == nil {
		if text, err = durable.Unseal(format, text); err != nil {
			err = fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, fmt.Errorf("backup %s: %w", dir, err)
	}
	return m, nil
}

// Restore checks a backup and copies it into a directory that is empty or
// absent. Nothing is written unless every file is as it was.
func Restore(from, to string) (Manifest, error) {
	m, err := Read(from)
	if err != nil {
		return m, err
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return m, fmt.Errorf("%w: %q leads out of it", ErrDamaged, f.Path)
		}
		got, err := describe(filepath.Join(from, filepath.FromSlash(f.Path)), f.Path)
		if err != nil {
			return m, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if got.Size != f.Size || got.SHA256 != f.SHA256 {
			return m, fmt.Errorf("%w: %s is not what was copied", ErrDamaged, f.Path)
		}
	}
	if err := empty(to); err != nil {
		return m, err
	}
	dirs := map[string]bool{to: true}
	for _, f := range m.Files {
		name := filepath.Join(to, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return m, fmt.Errorf("restore: %w", err)
		}
		dirs[filepath.Dir(name)] = true
		in, err := os.Open(filepath.Join(from, filepath.FromSlash(f.Path)))
		if err != nil {
			return m, fmt.Errorf("restore: %w", err)
		}
		_, sum, err := write(name, fs.FileMode(f.Mode), in)
		if err = errors.Join(err, in.Close()); err == nil && sum != f.SHA256 {
			err = fmt.Errorf("%w: %s changed meanwhile", ErrDamaged, f.Path)
		}
		if err != nil {
			return m, fmt.Errorf("restore: %w", err)
		}
	}
	for d := range dirs {
		if err := durable.SyncDir(d); err != nil {
			return m, err
		}
	}
	return m, nil
}
