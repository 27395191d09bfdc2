package step

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/limit"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// tree collects files as a tar stream for the sandbox.
type tree struct {
	to  io.Writer // nil for buf
	buf bytes.Buffer
	tar *tar.Writer
	err error
}

// entry is a file's owner and mode. Empty names mean root.
type entry struct {
	mode         int64
	owner, group string
}

func (t *tree) file(name, content string, e entry) {
	t.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content))}, e)
	if t.err == nil {
		_, t.err = t.tar.Write([]byte(content))
	}
}

func (t *tree) add(hdr *tar.Header, e entry) {
	if t.tar == nil {
		if t.to == nil {
			t.to = &t.buf
		}
		t.tar = tar.NewWriter(t.to)
	}
	if t.err != nil {
		return
	}
	hdr.Format, hdr.Mode = tar.FormatPAX, e.mode
	hdr.Name = strings.TrimPrefix(hdr.Name, "/")
	hdr.ModTime = time.Now() // the layer gives it its own time
	hdr.PAXRecords = map[string]string{}
	if e.owner != "" {
		hdr.PAXRecords[sandbox.PaxOwner] = e.owner
	}
	if e.group != "" {
		hdr.PAXRecords[sandbox.PaxGroup] = e.group
	}
	t.err = t.tar.WriteHeader(hdr)
}

// copy adds a file of the project without holding it in memory. Of its mode only what
// git keeps counts: whether it can be run.
func (t *tree) copy(fsys fs.FS, src, dest string, e entry) error {
	f, err := fsys.Open(src)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if err := limit.Sparse(src, f); err != nil {
		return err
	}
	mode := int64(0o644)
	if st.Mode()&0o100 != 0 {
		mode = 0o755
	}
	t.add(&tar.Header{Typeflag: tar.TypeReg, Name: dest, Size: st.Size()}, e.withMode(mode))
	if t.err != nil {
		return t.err
	}
	n, err := io.Copy(t.tar, f)
	if err == nil && n != st.Size() {
		err = fmt.Errorf("read %s: it changed meanwhile", src)
	}
	return err
}

// put unpacks what collect adds to a tree, while it does.
func (w *Work) put(ctx context.Context, collect func(*tree) error) error {
	from, to := io.Pipe()
	collected := make(chan error, 1)
	go func() {
		t := tree{to: to}
		err := collect(&t)
		if err == nil && t.tar != nil {
			err = t.tar.Close()
		}
		to.CloseWithError(err)
		collected <- err
	}()
	err := w.Box.Unpack(ctx, from)
	from.CloseWithError(errStopped)
	if first := <-collected; first != nil && !errors.Is(first, errStopped) {
		return first
	}
	return err
}

// errStopped is what is left to say where nobody unpacks any more.
var errStopped = errors.New("unpacking has ended")

// unpack writes what the tree collected.
func (w *Work) unpack(ctx context.Context, t tree) error {
	if t.tar == nil {
		return nil
	}
	if err := errors.Join(t.err, t.tar.Close()); err != nil {
		return fmt.Errorf("collect files: %w", err)
	}
	return w.Box.Unpack(ctx, &t.buf)
}

func (w *Work) files(ctx context.Context, s layer.Files) error {
	for _, f := range s.Files {
		if err := w.put(ctx, func(t *tree) error { return w.collect(t, f) }); err != nil {
			return fmt.Errorf("put %s: %w", f.Dest, err)
		}
	}
	return nil
}

// collect adds one item of a files step.
func (w *Work) collect(t *tree, f layer.File) error {
	e := entry{mode: -1, owner: f.Owner, group: f.Group}
	if f.Mode != "" {
		mode, err := strconv.ParseInt(f.Mode, 8, 32)
		if err != nil {
			return fault.New(fault.Input, "mode %q of %s is not octal", f.Mode, f.Dest)
		}
		e.mode = mode
	}
	if f.Content != nil {
		return w.collectFile(t, f, f.Dest, *f.Content, e.withMode(0o644))
	}
	src := path.Clean(f.Src)
	look := fs.Lstat
	if f.Template {
		look = fs.Stat // a link has nothing to render
	}
	st, err := look(w.Project, src)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Src, err)
	}
	dest := f.Dest
	if !st.IsDir() {
		if strings.HasSuffix(dest, "/") {
			dest = path.Join(dest, path.Base(src))
		}
		if st.Mode()&fs.ModeSymlink != 0 {
			return w.collectLink(t, f, src, dest)
		}
		return w.collectSource(t, f, src, dest, e)
	}
	return fs.WalkDir(w.Project, src, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := path.Join(dest, strings.TrimPrefix(name, src))
		switch {
		case d.IsDir():
			// Mode and owner of a tree are for what is put into it, not for a
			// directory like /etc that the image has already.
			if name != src {
				t.add(&tar.Header{Typeflag: tar.TypeDir, Name: to + "/"}, entry{mode: 0o755, owner: f.Owner, group: f.Group})
			}
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			return w.collectLink(t, f, name, to)
		}
		return w.collectSource(t, f, name, to, e)
	})
}

// collectLink adds a link as it is, wherever it leads.
func (w *Work) collectLink(t *tree, f layer.File, src, dest string) error {
	target, err := fs.ReadLink(w.Project, src)
	if err != nil {
		return err
	}
	t.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: dest, Linkname: target}, entry{mode: 0o777, owner: f.Owner, group: f.Group})
	return t.err
}

func (e entry) withMode(mode int64) entry {
	if e.mode < 0 {
		e.mode = mode
	}
	return e
}

// collectSource adds a file of the project, rendered if it is a template.
func (w *Work) collectSource(t *tree, f layer.File, src, dest string, e entry) error {
	if !f.Template {
		return t.copy(w.Project, src, dest, e)
	}
	st, err := fs.Stat(w.Project, src)
	if err != nil {
		return err
	}
	content, err := limit.Read(w.Project, src, limit.Script)
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if st.Mode()&0o100 != 0 {
		mode = 0o755
	}
	return w.collectFile(t, f, dest, string(content), e.withMode(mode))
}

func (w *Work) collectFile(t *tree, f layer.File, dest, content string, e entry) error {
	if f.Template {
		var err error
		if content, err = w.render(f, content); err != nil {
			return err
		}
	}
	t.file(dest, content, e)
	return t.err
}

// Facts are what a template of a files step can use.
type Facts struct {
	Node, Layer, Variant, Arch string
	Cluster                    layer.Cluster
	Groups                     []string
	Env, Labels                map[string]string
}

// render renders a Go template with the node's facts.
func (w *Work) render(f layer.File, content string) (string, error) {
	name := f.Src
	if name == "" {
		name = f.Dest
	}
	parsed, err := template.New(name).Option("missingkey=error").Parse(content)
	var out bytes.Buffer
	if err == nil {
		n := w.Node
		err = parsed.Execute(&out, Facts{
			Node: string(n.ID), Layer: n.Layer, Variant: n.Variant, Arch: n.Arch, Cluster: w.Cluster,
			Groups: n.Groups, Env: n.Env, Labels: n.Labels,
		})
	}
	if err != nil {
		return "", fault.New(fault.Input, "render %s: %w", name, err).
			WithHint("a template has .Node .Layer .Variant .Arch .Cluster.Name .Groups .Env .Labels")
	}
	return out.String(), nil
}
