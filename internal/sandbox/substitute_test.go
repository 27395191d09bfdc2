package sandbox

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// resolver is a placeholder as builds have it.
func resolver() Placeholder {
	return Placeholder{Path: "/etc/resolv.conf", Mode: 0o644, Lines: true,
		Content: Marked("of the machine that builds", []string{"nameserver 192.0.2.1", "nameserver 192.0.2.2", "search machine.example"})}
}

// What a step makes of a file that has lines of the machine's in it stays in the
// layer, and those lines do not, however the step goes about it.
func TestEditsOfPlaceholdersStay(t *testing.T) {
	const site = "nameserver 10.0.0.1\noptions timeout:1\n"
	other := Placeholder{Path: "/etc/hosts", Mode: 0o644, IfMissing: true, Lines: true, Content: Marked("not of the image", []string{"127.0.0.1 localhost"})}
	for _, c := range []struct{ name, before, step, want string }{
		{"nothing", "", "true", ""},
		{"nothing, there", site, "cat /etc/resolv.conf", site},
		{"in vain", site, "sed -i s/x/y/ /etc/resolv.conf", site},
		{"appended", "", "echo options rotate >>/etc/resolv.conf", "options rotate\n"},
		{"appended, there", site, "echo options rotate >>/etc/resolv.conf", site + "options rotate\n"},
		{"renamed over", site, "sed '$a options rotate' /etc/resolv.conf >/etc/new; mv /etc/new /etc/resolv.conf", site + "options rotate\n"},
		{"replaced in it", site, "sed -i 's/^options.*/options rotate/' /etc/resolv.conf", "nameserver 10.0.0.1\noptions rotate\n"},
		{"all of a kind replaced", site, "sed -i 's/^nameserver.*/nameserver 10.9.9.9/' /etc/resolv.conf", "nameserver 10.9.9.9\noptions timeout:1\n"},
		{"all of a kind taken away", site, "sed -i /^nameserver/d /etc/resolv.conf", "options timeout:1\n"},
		{"at the top", site, "sed -i '1i search site.example' /etc/resolv.conf", "search site.example\n" + site},
		{"written", site, "echo nameserver 192.0.2.1 >/etc/resolv.conf", "nameserver 192.0.2.1\n"},
		{"copied over", site, "printf 'nameserver 192.0.2.1\\nsearch machine.example\\n' >/etc/x; cp /etc/x /etc/resolv.conf; rm /etc/x", "nameserver 192.0.2.1\nsearch machine.example\n"},
		{"emptied", site, ": >/etc/resolv.conf", ""},
		{"removed", site, "rm /etc/resolv.conf", "none"},
		{"a link", site, "ln -sf ../run/resolved /etc/resolv.conf", "-> ../run/resolved"},
		{"linked before", "-> /etc/real", "echo options rotate >>/etc/resolv.conf", "-> /etc/real"},
		{"dangling before", "-> /nowhere/x", "echo options rotate >>/etc/resolv.conf", "options rotate\n"},
		{"dangling, not touched", "-> /nowhere/x", "true", "-> /nowhere/x"},
		{"of a running system before", "-> ../run/x", "echo options rotate >>/etc/resolv.conf", "-> ../run/x"},
		{"endless before", "-> /dev/zero", "echo options rotate >>/etc/resolv.conf", "-> /dev/zero"},
		{"loop before", "-> resolv.conf", "true", "-> resolv.conf"},
		{"moved away", site, "mv /etc/resolv.conf /etc/.bak; ln -s ../run/x /etc/resolv.conf", "-> ../run/x"},
		{"moved away, not there", "", "mv /etc/resolv.conf /etc/.bak; ln -s ../run/x /etc/resolv.conf", "-> ../run/x"},
		// What sealing takes out of copies anywhere does not know what was there before.
		{"backup of what repeats itself", "options a\noptions a\n", "cp /etc/resolv.conf /etc/.copy", "options a\noptions a\n"},
		{"backup", site, "cp -p /etc/resolv.conf /etc/resolv.conf.1~; mkdir /etc/a; ln /etc/resolv.conf.1~ /etc/a/b; echo options rotate >>/etc/resolv.conf", site + "options rotate\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lower, upper := busyboxTree(t), t.TempDir()
			put(t, lower, "etc/real", site)
			if c.before != "" {
				put(t, lower, "etc/resolv.conf", c.before)
			}
			s := start(t, Spec{Lower: []string{lower}, Upper: upper, Substitutes: []Placeholder{resolver(), other}})
			if out, err := sh(t, s, "grep -q 192.0.2.1 /etc/resolv.conf; "+c.step, RunOptions{}); err != nil {
				t.Fatal(out, err)
			}
			if err := s.Finish(context.Background()); err != nil {
				t.Fatal(err)
			}
			got := get(t, start(t, Spec{Lower: []string{upper, lower}, Upper: t.TempDir()}), "etc/resolv.conf")
			want := c.want
			if c.before == "" && want == "" {
				want = "none"
			}
			if got != want {
				t.Errorf("it is %q, want %q", got, want)
			}
			if real, err := os.ReadFile(filepath.Join(upper, "etc/real")); c.name == "linked before" && string(real) != site+"options rotate\n" {
				t.Errorf("where the link leads: %q, %v", real, err)
			}
			noTrace(t, upper, c.name == "written" || c.name == "copied over")
			if copied, err := os.ReadFile(filepath.Join(upper, "etc/.copy")); err == nil && string(copied) != c.before {
				t.Errorf("the copy is %q", copied)
			} else if err != nil && strings.Contains(c.step, ".copy") {
				t.Errorf("the copy: %v", err)
			}
			if bak, err := os.ReadFile(filepath.Join(upper, "etc/.bak")); err == nil && string(bak) != c.before {
				t.Errorf("the backup is %q", bak)
			} else if c.name == "moved away" && err != nil || c.name == "moved away, not there" && err == nil {
				t.Errorf("the backup: %v", err)
			}
		})
	}
}

// put writes a file, or a link for a text that begins with an arrow.
func put(t *testing.T, tree, name, text string) {
	t.Helper()
	path := filepath.Join(tree, name)
	if target, ok := strings.CutPrefix(text, "-> "); ok {
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o640), os.Chmod(path, 0o640)); err != nil {
		t.Fatal(err)
	}
}

// get describes a file of a tree as put takes it, or as "none".
func get(t *testing.T, s *Sandbox, name string) string {
	t.Helper()
	path := s.Root() + name
	if target, err := os.Readlink(path); err == nil {
		return "-> " + target
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// noTrace looks for anything of a placeholder in a layer.
func noTrace(t *testing.T, upper string, own bool) {
	t.Helper()
	err := filepath.WalkDir(upper, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), mark) || !own && strings.Contains(string(content), "192.0.2.") || strings.Contains(path, aside) {
			t.Errorf("%s: %q", path, content)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// An edited file keeps the mode that the tree gave it, or gets that which a
// step gave it.
func TestModeOfAnEditedPlaceholder(t *testing.T) {
	for step, want := range map[string]os.FileMode{"true": 0o640, "chmod 600 /etc/resolv.conf": 0o600} {
		lower, upper := busyboxTree(t), t.TempDir()
		put(t, lower, "etc/resolv.conf", "options a\n")
		s := start(t, Spec{Lower: []string{lower}, Upper: upper, Substitutes: []Placeholder{resolver()}})
		if _, err := sh(t, s, "echo options b >>/etc/resolv.conf; "+step, RunOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Finish(context.Background()); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(filepath.Join(upper, "etc/resolv.conf")); err != nil || st.Mode() != want {
			t.Errorf("%s: %v, %v", step, st, err)
		}
	}
}

// A tree that links to where systemd-resolved would write finds a resolver
// there, and so does one that comes to link there in a step.
func TestLinksOfARunningSystemResolve(t *testing.T) {
	running := resolver()
	running.Path, running.Lines = "/run/systemd/resolve/stub-resolv.conf", false
	for _, linked := range []bool{true, false} {
		lower, upper := busyboxTree(t), t.TempDir()
		if linked {
			put(t, lower, "etc/resolv.conf", "-> ../run/systemd/resolve/stub-resolv.conf")
		}
		s := start(t, Spec{Lower: []string{lower}, Upper: upper, Substitutes: []Placeholder{running, resolver()}})
		says(t, s, RunOptions{}, [][2]string{{"ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf; grep -c nameserver /etc/resolv.conf", "2"}})
		if err := s.Finish(context.Background()); err != nil {
			t.Fatal(err)
		}
		noTrace(t, upper, false)
	}
}
