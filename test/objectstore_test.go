package test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shelves has an image whose artifacts are handed on in an object store.
const shelves = `
  small: {parent: base, run: ["rm -rf /usr/share /usr/lib/x86_64-linux-gnu/perl-base"]}
images:
  small: {node: small, artifacts: [{type: squashfs, compression: zstd, level: 1}, tar]}
pipeline:
  artifacts: s3://images/of/test?endpoint=@S3@
`

// objectStore runs an object store that keeps the bucket "images" below a
// directory, until the test ends, and returns its endpoint.
func objectStore(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "images"), 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().String()
	listener.Close()
	cmd := exec.Command(ciTool(t, "bin", "versitygw"), "--access", "someone", "--secret", "something", "--port", at, "--quiet", "posix", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	up := func() bool {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	if !eventually(30*time.Second, up) {
		t.Fatal("the object store does not begin to serve")
	}
	return "http://" + at
}

// TestObjectStore: artifacts are handed on in a real object store, and believed as
// far as the project trusts them.
func TestObjectStore(t *testing.T) {
	need(t, "mksquashfs", "openssl")
	p := newProject(t, shelves, "", nil).ownStore()
	kept := filepath.Join(p.top, "s3")
	endpoint := objectStore(t, kept)
	trusting := ""
	configure := func() {
		text := strings.ReplaceAll(common+shelves, "@S3@", endpoint)
		p.write("strata.yaml", strings.Replace(text, "repositories:", trusting+"repositories:", 1))
	}
	registry := "registry: " + p.serve(theLab().binary) + "/test\n"
	trusting = registry
	configure()
	p.env = []string{"AWS_ACCESS_KEY_ID=someone", "AWS_SECRET_ACCESS_KEY=something"}

	made := p.build("small", "--push")
	if want := "s3://images/of/test/small/"; !strings.HasPrefix(made.Images[0].At, want) {
		t.Errorf("the artifacts are at %q, want below %s", made.Images[0].At, want)
	}
	set := filepath.Join(kept, strings.TrimPrefix(made.Images[0].At, "s3://"))
	for _, name := range []string{"manifest.json", "rootfs.squashfs", "rootfs.tar"} {
		if readFile(t, filepath.Join(set, name)) != readFile(t, filepath.Join(made.Images[0].Directory, name)) {
			t.Errorf("%s is another one in the object store", name)
		}
	}

	// elsewhere exports the image on another machine, and says how. It has no layers
	// as long as it takes what is there.
	q := *p
	q.store = p.top + "/elsewhere"
	elsewhere := func(says string) {
		t.Helper()
		os.RemoveAll(q.store + "/strata/artifacts")
		out := must(t, q.command("export", "small", p.top+"/out", "--force"))
		if !strings.Contains(out, says) {
			t.Errorf("export does not say %q:\n%s", says, end(out))
		}
		must(t, exec.Command("diff", "-r", made.Images[0].Directory, p.top+"/out"))
	}
	elsewhere("image small | == taken ")
	if out := must(t, q.command("images")); strings.Contains(out, "base") {
		t.Errorf("layers were fetched:\n%s", out)
	}
	if out := must(t, p.command("build", "small", "--push")); !strings.Contains(out, "its artifacts are there") {
		t.Errorf("they are sent again:\n%s", end(out))
	}

	t.Run("signed", func(t *testing.T) {
		for _, name := range []string{"ci", "thief"} {
			must(t, exec.Command("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", p.top+"/"+name+".key"))
			must(t, exec.Command("openssl", "ec", "-in", p.top+"/"+name+".key", "-pubout", "-out", p.dir+"/"+name+".pub"))
		}
		trusting = registry + "trust: {keys: [ci.pub]}\n"
		configure()
		must(t, p.command("push", "small", "--sign-key", p.top+"/ci.key"))
		elsewhere("(the object store's are not believed: it is not signed)")
		must(t, p.command("build", "small", "--push", "--sign-key", p.top+"/thief.key"))
		elsewhere("(the object store's are not believed: it is not signed by ci.pub)")
		must(t, p.command("build", "small", "--push", "--sign-key", p.top+"/ci.key"))
		elsewhere("(signed by ci.pub)")
		manifest := readFile(t, set+"/manifest.json")
		overwrite(t, set+"/manifest.json", strings.Replace(manifest, `"cmdline"`, `"cmdline2"`, 1)+" ")
		elsewhere("(the object store's are not believed: it is not signed)")
		must(t, p.command("build", "small", "--push", "--sign-key", p.top+"/ci.key"))
		elsewhere("(signed by ci.pub)")
	})
	t.Run("damaged", func(t *testing.T) {
		for _, content := range []string{"", "x" + readFile(t, set+"/rootfs.squashfs")[1:], readFile(t, set+"/rootfs.squashfs") + "x"} {
			overwrite(t, set+"/rootfs.squashfs", content)
			elsewhere("(the object store's are broken: ")
			os.RemoveAll(q.store + "/strata/artifacts")
			must(t, q.command("build", "small", "--push", "--sign-key", p.top+"/ci.key"))
			elsewhere("(signed by ci.pub)")
		}
		os.Remove(set + "/rootfs.tar")
		elsewhere("(the object store's are broken: ")
		must(t, p.command("build", "small", "--push", "--sign-key", p.top+"/ci.key"))
		elsewhere("(signed by ci.pub)")
	})
	t.Run("other content", func(t *testing.T) {
		trusting = registry
		configure()
		manifest := readFile(t, set+"/manifest.json")
		overwrite(t, set+"/manifest.json", strings.Replace(manifest, `"size"`, `"size":1,"was"`, 1))
		p.fails(1, []string{"it is there with other content", "hint: "}, "build", "small", "--push")
		overwrite(t, set+"/manifest.json", manifest)
	})
	t.Run("out of reach", func(t *testing.T) {
		p := *p
		p.env = []string{"AWS_ACCESS_KEY_ID=someone", "AWS_SECRET_ACCESS_KEY=wrong"}
		p.fails(1, []string{"AWS_SECRET_ACCESS_KEY"}, "build", "small", "--push")
		p.env = []string{"HOME=" + p.top}
		p.fails(1, []string{"set AWS_ACCESS_KEY_ID"}, "build", "small", "--push")
		real := endpoint
		endpoint = "http://127.0.0.1:1"
		configure()
		p.env = q.env
		p.fails(1, []string{"the object store cannot be reached", "see whether http://127.0.0.1:1 is up"}, "build", "small", "--push")
		os.RemoveAll(q.store + "/strata/artifacts")
		r := q.strata("export", "small", p.top+"/out", "--force")
		if r.code != 0 || !strings.Contains(r.err, "going on without it") || !strings.Contains(r.out, "== made in") {
			t.Errorf("exit status %d\n%s", r.code, end(r.all()))
		}
		endpoint = real
		os.RemoveAll(kept + "/images")
		configure()
		p.fails(1, []string{"make the bucket images"}, "build", "small", "--push")
	})
}

// overwrite writes a file that an object store has, with what it says of it.
func overwrite(t *testing.T, name, content string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err == nil {
		_, err = f.WriteString(content)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
