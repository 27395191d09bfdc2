package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/layer"
)

// installed fills a staging directory with what scripts of packages make, and then
// with what the site's own steps make. Its directories are as dpkg knows them.
func installed(how Sealing, made, own map[string]string) func(Staging) error {
	return func(st Staging) error {
		*st.Sealing = how
		lists := map[string]string{
			"var/lib/dpkg/info/nvme-cli.list":         "/.\n/etc\n/etc/nvme\n/etc/nvme/shipped.key\n",
			"var/lib/dpkg/info/unheard-of:amd64.list": "/etc\n/etc/unheard-of\n/var/lib/unheard-of\n",
		}
		if err := files(st, lists); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond) // file systems' clocks are coarse
		from := time.Now()
		time.Sleep(20 * time.Millisecond)
		err := files(st, made)
		time.Sleep(20 * time.Millisecond)
		st.Sealing.Scripts = append(st.Sealing.Scripts, [2]time.Time{from, time.Now()})
		time.Sleep(20 * time.Millisecond)
		return errors.Join(err, files(st, own))
	}
}

// seals adds a layer, and returns what is in it and what was told of, by path.
func seals(t *testing.T, how Sealing, made, own map[string]string) (map[string]string, map[string]Identity) {
	t.Helper()
	s := open(t)
	told := map[string]Identity{}
	how.Found = func(id Identity) { told[id.Path] = id }
	l, err := s.AddLayer(t.Context(), "", installed(how, made, own))
	if err != nil {
		t.Fatal(err)
	}
	return tree(t, s, l), told
}

const aKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"

// What packages' scripts made is not in the layer if a cluster node gets another one;
// what the site itself wrote in such a place is.
func TestIdentitiesOfPackages(t *testing.T) {
	made := map[string]string{
		"etc/nvme/hostnqn": "nqn.2014-08.org.nvmexpress:uuid:7b3f0d6a-16f9-4b03-8566-e6dfd797c99b\n", "etc/nvme/hostid": "x\n",
		"etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.1993-08.org.debian:01:1\n", "etc/munge/munge.key": "random",
		"etc/dropbear/dropbear_rsa_host_key": "x", "etc/ssl/private/ssl-cert-snakeoil.key": aKey, "etc/ssl/certs/ssl-cert-snakeoil.pem": "x",
		"usr/lib/systemd/systemd": "", "usr/lib/systemd/system/munge.service": "",
	}
	got, told := seals(t, Sealing{}, made, map[string]string{"etc/bind/rndc.key": "the site's", "etc/hostid": "four"})
	for name := range made {
		content, there := got[name]
		switch {
		case name == "etc/iscsi/initiatorname.iscsi":
			if content != "GenerateName=yes\n" {
				t.Errorf("%s holds %q", name, content)
			}
		case strings.HasPrefix(name, "etc/") == there:
			t.Errorf("%s is in the layer: %v", name, there)
		}
		if id := told["/"+name]; strings.HasPrefix(name, "etc/") && (!id.Removed || id.Package == "" || id.Anew == "") {
			t.Errorf("%s was told of as %+v", name, id)
		}
	}
	for name, want := range map[string]string{
		"etc/bind/rndc.key": "the site's", "etc/hostid": "four", "usr/lib/systemd/system/basic.target.wants/strata-snakeoil.service": "",
	} {
		if content, there := got[name]; !there || content != want {
			t.Errorf("%s holds %q, %v", name, content, there)
		}
	}
	if unit := got["usr/lib/systemd/system/munge.service.d/50-strata-identity.conf"]; !strings.Contains(unit, "mungekey --create") {
		t.Errorf("nothing makes a key for munge: %q", unit)
	}
	if _, there := got["usr/lib/systemd/system/named.service.d/50-strata-identity.conf"]; there {
		t.Error("something makes a key that the site has put there")
	}
}

// Where nothing would make another one, it stays and is told of: what is known, and
// what only looks like it.
func TestIdentitiesThatStay(t *testing.T) {
	got, told := seals(t, Sealing{}, map[string]string{
		"etc/munge/munge.key": "random", "var/lib/mysql/ibdata1": "x", // no systemd here
		"etc/unheard-of/host.key": aKey, "var/lib/unheard-of/id": "id=7b3f0d6a-16f9-4b03-8566-e6dfd797c99b\n", "etc/unheard-of/token": "5f3a9c0b7d1e4f2a8b6c9d0e1f2a3b4c",
		"etc/unheard-of/config": "port = 7\n", "etc/nvme/shipped.key": aKey, "var/lib/ucf/hashfile": "5f3a9c0b7d1e4f2a8b6c9d0e1f2a3b4c  /etc/x\n",
		"opt/elsewhere.key": aKey,
	}, map[string]string{"etc/site.key": aKey})
	var paths []string
	for path, id := range told {
		if _, there := got[path[1:]]; id.Removed || !there {
			t.Errorf("%+v, in the layer: %v", id, there)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	want := "/etc/munge/munge.key /etc/unheard-of/host.key /etc/unheard-of/token /var/lib/mysql/ibdata1 /var/lib/unheard-of/id"
	if strings.Join(paths, " ") != want {
		t.Errorf("told of %v, want %s", paths, want)
	}
	if p := told["/etc/unheard-of/host.key"].Package; p != "unheard-of" {
		t.Errorf("the package is %q", p)
	}
}

// A few bytes that are no text, and that not everybody may read, look like a key.
func TestBytesThatLookLikeAKey(t *testing.T) {
	for _, c := range []struct {
		content string
		mode    uint32
		want    bool
	}{
		{"\x00\xff\x17random", 0o600, true}, {"\x00\xff\x17random", 0o640, true}, {"\x00\xff\x17random", 0o644, false},
		{strings.Repeat("\x00", 5000), 0o600, false}, {"password = x\n", 0o600, false}, {"-----BEGIN CERTIFICATE-----\n", 0o644, false},
		{"3EC8B708-8CE1-4EC2-9024-3BC42C608188", 0o644, true}, {"sha256: " + strings.Repeat("ab", 32), 0o644, false},
	} {
		if got := looksLikeIdentity([]byte(c.content), c.mode); got != c.want {
			t.Errorf("%.20q, mode %o: %v", c.content, c.mode, got)
		}
	}
}

// A site says what stays and what goes; what it wants to stay, wins.
func TestIdentitiesOfASite(t *testing.T) {
	how := Sealing{Identities: layer.Identities{
		Keep:   []string{"/etc/nvme/hostid", "/etc/ssh/ssh_host_*", "/etc/unheard-of/**", "/opt/kept"},
		Remove: []string{"/etc/site.id", "/opt/*", "/var/lib/site/**"},
	}}
	got, told := seals(t, how, map[string]string{
		"etc/nvme/hostid": "x", "etc/nvme/hostnqn": "x", "etc/ssh/ssh_host_rsa_key": "x", "etc/unheard-of/host.key": aKey,
	}, map[string]string{"etc/site.id": "x", "opt/gone": "x", "opt/kept": "x", "opt/dir/stays": "x", "var/lib/site/a/b": "x", "etc/ssh/ssh_host_rsa_key.pub": "x"})
	for name, want := range map[string]bool{
		"etc/nvme/hostid": true, "etc/nvme/hostnqn": false, "etc/ssh/ssh_host_rsa_key": true, "etc/ssh/ssh_host_rsa_key.pub": true,
		"etc/unheard-of/host.key": true, "etc/site.id": false, "opt/gone": false, "opt/kept": true, "opt/dir/stays": true, "var/lib/site/a/b": false,
	} {
		if _, there := got[name]; there != want {
			t.Errorf("%s is in the layer: %v", name, there)
		}
	}
	if len(told) != 1 || !told["/etc/nvme/hostnqn"].Removed {
		t.Errorf("told of %v", told)
	}
}

// Looking for identities follows no link out of the tree, and takes no other name of
// a file.
func TestIdentitiesBehindLinks(t *testing.T) {
	outside := t.TempDir()
	victim := filepath.Join(outside, "munge/munge.key")
	if err := errors.Join(os.Mkdir(filepath.Dir(victim), 0o755), os.WriteFile(victim, []byte("this machine's"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]string{"absolute": outside, "relative": "../../../../../../../../.." + outside} {
		s := open(t)
		_, err := s.AddLayer(t.Context(), "", func(st Staging) error {
			st.Sealing.Scripts = [][2]time.Time{{time.Unix(0, 0), time.Now().Add(time.Hour)}}
			err := files(st, map[string]string{"usr/lib/systemd/systemd": "", "etc/nvme/hostid": "x"})
			return errors.Join(err, os.Rename(filepath.Join(st.Upper, "etc"), filepath.Join(st.Upper, "other")),
				os.Link(filepath.Join(st.Upper, "other/nvme/hostid"), filepath.Join(st.Upper, "kept")),
				os.Symlink(link, filepath.Join(st.Upper, "etc")))
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if content, err := os.ReadFile(victim); err != nil || string(content) != "this machine's" {
			t.Fatalf("%s link: %q, %v", name, content, err)
		}
	}
	s := open(t)
	l, err := s.AddLayer(t.Context(), "", func(st Staging) error {
		st.Sealing.Scripts = [][2]time.Time{{time.Unix(0, 0), time.Now().Add(time.Hour)}}
		return errors.Join(files(st, map[string]string{"etc/nvme/hostid": "x"}), os.Link(filepath.Join(st.Upper, "etc/nvme/hostid"), filepath.Join(st.Upper, "other-name")),
			unix.Setxattr(filepath.Join(st.Upper, "other-name"), "user.of", []byte("mine"), 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := tree(t, s, l); got["other-name"] != "x" {
		t.Errorf("the layer holds %q", got)
	}
}

// The documentation lists what is removed.
func TestDocsListTheIdentities(t *testing.T) {
	docs, err := os.ReadFile("../../docs/how-it-works.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range identities {
		if row := "| `/" + id.pattern + "` | " + id.pkg + " | " + id.anew + " |"; id.anew != "" && !strings.Contains(string(docs), row) {
			t.Errorf("docs/how-it-works.md lacks %s", row)
		}
	}
}

// The links beside an identity that lead to it go with it, such as those by which
// OpenSSL finds a certificate; others stay.
func TestLinksToAnIdentityGoWithIt(t *testing.T) {
	s := open(t)
	l, err := s.AddLayer(t.Context(), "", func(st Staging) error {
		st.Sealing.Scripts = [][2]time.Time{{time.Unix(0, 0), time.Now().Add(time.Hour)}}
		certs := filepath.Join(st.Upper, "etc/ssl/certs")
		err := files(st, map[string]string{"usr/lib/systemd/systemd": "", "etc/ssl/certs/ssl-cert-snakeoil.pem": "x", "etc/ssl/certs/other.pem": "x"})
		return errors.Join(err, os.Symlink("ssl-cert-snakeoil.pem", certs+"/0a1b2c3d.0"), os.Symlink("other.pem", certs+"/4e5f6a7b.0"))
	})
	if err != nil {
		t.Fatal(err)
	}
	got := tree(t, s, l)
	for name, want := range map[string]bool{"ssl-cert-snakeoil.pem": false, "0a1b2c3d.0": false, "other.pem": true, "4e5f6a7b.0": true} {
		if _, there := got["etc/ssl/certs/"+name]; there != want {
			t.Errorf("%s is in the layer: %v", name, there)
		}
	}
}
