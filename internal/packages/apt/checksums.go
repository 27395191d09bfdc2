package apt

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Has says whether the lists of the repositories name a package.
func (c *Cache) Has(repositories []Repository, name string) (bool, error) {
	lists, err := filepath.Glob(filepath.Join(c.Lists(repositories), "*_Packages"))
	if err != nil {
		return false, err
	}
	for _, path := range lists {
		content, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		if bytes.Contains(content, []byte("\nPackage: "+name+"\n")) || bytes.HasPrefix(content, []byte("Package: "+name+"\n")) {
			return true, nil
		}
	}
	return false, nil
}

// checksums reads the SHA-256 of every package that the lists in dir name, by
// the file name that apt gives a download: name_version_architecture.deb.
func checksums(dir string) (map[string]string, error) {
	lists, err := filepath.Glob(filepath.Join(dir, "*_Packages"))
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, path := range lists {
		if err := readChecksums(path, sums); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

func readChecksums(path string, sums map[string]string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var name, version, arch, sum string
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), 4<<20)
	end := func() {
		if name != "" && sum != "" {
			sums[name+"_"+strings.ReplaceAll(version, ":", "%3a")+"_"+arch+".deb"] = sum
		}
		name, version, arch, sum = "", "", "", ""
	}
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			end()
			continue
		}
		switch line[0] {
		case 'P', 'V', 'A', 'S':
		default:
			continue
		}
		key, value, ok := bytes.Cut(line, []byte(": "))
		if !ok {
			continue
		}
		switch string(key) {
		case "Package":
			name = string(value)
		case "Version":
			version = string(value)
		case "Architecture":
			arch = string(value)
		case "SHA256":
			sum = string(value)
		}
	}
	end()
	return lines.Err()
}

// DropDamaged removes from the cache the packages that are not what the signed
// lists of the repositories say, and returns their names. Apt itself looks at no
// more than the size of what it finds there.
func (c *Cache) DropDamaged(repositories []Repository) ([]string, error) {
	sums, err := checksums(c.Lists(repositories))
	if err != nil {
		return nil, fmt.Errorf("check the package cache: %w", err)
	}
	packages, err := filepath.Glob(filepath.Join(c.Archives(), "*.deb"))
	if err != nil {
		return nil, err
	}
	var damaged []string
	for _, path := range packages {
		name := filepath.Base(path)
		if sum := sums[name]; sum == "" || Matches(path, sum) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return damaged, fmt.Errorf("remove a damaged package: %w", err)
		}
		damaged = append(damaged, name)
	}
	return damaged, nil
}

// Matches says whether there is a regular file with a SHA-256, in hex.
func Matches(path, sum string) bool {
	ok, err := matches(path, sum)
	return ok && err == nil
}

// matches says whether a regular file has a SHA-256. It follows no link.
func matches(path, sum string) (bool, error) {
	if sum == "" {
		return false, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, nil
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return false, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false, err
	}
	return hex.EncodeToString(h.Sum(nil)) == sum, nil
}
