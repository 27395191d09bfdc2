package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/secret"
	"github.com/strata-hpc/strata/internal/store"
)

// leaks is a store.Inspector that refuses a layer in which there are secrets of its
// node: in the content of a file, its name, the target of a link or an attribute.
type leaks struct {
	node   layer.Node
	stream *secret.Stream
	size   int64        // of what has come
	files  []beginning  // those that may still be searched, in order
	found  map[leak]any // a set
}

type beginning struct {
	at   int64
	file string
}

type leak struct{ secret, how, file string }

func newLeaks(n layer.Node, values secret.Values) *leaks {
	l := &leaks{node: n, found: map[leak]any{}}
	l.stream = secret.NewFinder(values).Stream(l.note)
	return l
}

// Begin implements store.Inspector.
func (l *leaks) Begin(name string) {
	const most = 1 << 13
	if len(l.files) > most { // forget those that have been searched
		if i := l.index(l.size - int64(l.stream.Pending())); i > 0 {
			l.files = append(l.files[:0], l.files[i:]...)
		}
	}
	l.files = append(l.files, beginning{l.size, "/" + path.Clean(name)})
}

// Write implements store.Inspector.
func (l *leaks) Write(p []byte) (int, error) {
	l.size += int64(len(p))
	return l.stream.Write(p)
}

// index is the place in files of the one that a byte of the stream is of.
func (l *leaks) index(at int64) int {
	return sort.Search(len(l.files), func(i int) bool { return l.files[i].at > at }) - 1
}

func (l *leaks) note(f secret.Found) {
	file := "/"
	if i := l.index(f.From); i >= 0 {
		file = l.files[i].file
	}
	allowed := slices.ContainsFunc(l.node.Secrets[f.Secret].Allow, func(at string) bool {
		at = path.Clean(at)
		return at == "/" || file == at || strings.HasPrefix(file, at+"/")
	})
	if !allowed {
		l.found[leak{f.Secret, f.How, file}] = nil
	}
}

// Close implements store.Inspector.
func (l *leaks) Close() error {
	if err := l.stream.Close(); err != nil || len(l.found) == 0 {
		return err
	}
	list := slices.SortedFunc(maps.Keys(l.found), func(a, b leak) int {
		return strings.Compare(a.file+"\x00"+a.secret+a.how, b.file+"\x00"+b.secret+b.how)
	})
	first := list[0]
	f := fault.New(fault.Failed, "node %s: secret %s is in the layer: %s holds it %s", l.node.ID, first.secret, printable.Line(first.file), first.how)
	if len(list) > 1 {
		var lines []string
		for _, k := range list[:min(len(list), lastLines)] {
			lines = append(lines, fmt.Sprintf("%s holds secret %s %s", printable.Line(k.file), k.secret, k.how))
		}
		if more := len(list) - len(lines); more > 0 {
			lines = append(lines, fmt.Sprintf("and %d more", more))
		}
		f.WithDetail(strings.Join(lines, "\n"))
	}
	return f.At(l.node.Pos.File, l.node.Pos.Line, l.node.Pos.Col).
		WithHint("have the steps read it where it is, or remove what they leave; where it belongs into the image, name the file below allow: of the secret")
}

// configLeaks refuses an image whose configuration or record holds a secret.
func (nb *nodeBuild) configLeaks(c store.Commit) error {
	text, err := json.Marshal([]any{c.Env, c.Labels, c.Record})
	if err != nil {
		return fmt.Errorf("describe image: %w", err)
	}
	for _, f := range secret.NewFinder(nb.secrets).In(text) {
		return fault.New(fault.Failed, "node %s: secret %s is in the image's configuration %s", nb.node.ID, f.Secret, f.How).
			At(nb.node.Pos.File, nb.node.Pos.Line, nb.node.Pos.Col).
			WithHint("look at env, labels and the text of steps: what strata.yaml says is in the image, or in its record")
	}
	return nil
}
