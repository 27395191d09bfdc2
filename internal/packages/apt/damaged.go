package apt

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// dropDamaged removes the lists in dir that are not what the index that was
// fetched with them says: a full disk or a machine that lost its power leaves
// such, and apt, which finds the index unchanged, keeps them. It returns their
// names; apt fetches them anew.
func dropDamaged(dir string) (dropped []string, err error) {
	indexes, err := filepath.Glob(filepath.Join(dir, "*Release"))
	if err != nil {
		return nil, err
	}
	for _, index := range indexes {
		base := strings.TrimSuffix(strings.TrimSuffix(index, "Release"), "In")
		sums, err := indexed(index)
		if err != nil {
			return dropped, fmt.Errorf("check package lists: %w", err)
		}
		bad, err := damaged(base, sums)
		if err != nil {
			return dropped, fmt.Errorf("check package lists: %w", err)
		}
		if len(bad) == 0 {
			continue
		}
		for _, path := range append(bad, index) { // without its index, apt asks for all of them
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return dropped, fmt.Errorf("remove a damaged package list: %w", err)
			}
		}
		dropped = append(dropped, bad...)
	}
	return dropped, nil
}

// damaged are the lists of an index that have another SHA-256 than it says. Base
// is what their names begin with.
func damaged(base string, sums map[string]string) (bad []string, err error) {
	for name, sum := range sums {
		path := base + strings.ReplaceAll(name, "/", "_") // as apt names them
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return nil, err
		}
		if hex.EncodeToString(h.Sum(nil)) != sum {
			bad = append(bad, path)
		}
	}
	return bad, nil
}

// indexed reads the SHA-256 of the lists of packages that a Release file names.
func indexed(path string) (map[string]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sums, inside := map[string]string{}, false
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(content)+1)
	for lines.Scan() {
		line := lines.Text()
		fields := strings.Fields(line)
		switch {
		case !strings.HasPrefix(line, " "):
			inside = strings.HasPrefix(line, "SHA256:")
		case inside && len(fields) == 3 && strings.HasSuffix(fields[2], "Packages"):
			sums[fields[2]] = fields[0]
		}
	}
	return sums, lines.Err()
}
