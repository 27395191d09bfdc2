package step

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// Vaulted is a file of variables that is encrypted as a whole.
type Vaulted struct {
	Name      string
	Undefined []string // names of variables that a plan took it not to define
}

// plainVaults checks what a plan takes for granted of files of variables that are
// encrypted as a whole: that no value in them is a template, which could read any
// variable, and that they leave alone the names that tasks give their results. What
// cannot be decrypted here is passed over: the playbook cannot read it either.
func (w *Work) plainVaults(ctx context.Context, s layer.Playbooks, env []string) error {
	if len(w.Vaulted) == 0 || s.Vault == "templates" {
		return nil
	}
	// Most have nothing of it: then it takes one program, and no parsing.
	names, suspect := make([]string, len(w.Vaulted)), false
	for i, file := range w.Vaulted {
		names[i] = file.Name
	}
	text, err := w.decrypt(ctx, s, env, names...)
	for _, file := range w.Vaulted {
		suspect = suspect || file.suspect(string(text))
	}
	if err == nil && !suspect {
		return nil
	}
	for _, file := range w.Vaulted {
		text, err := w.decrypt(ctx, s, env, file.Name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || !file.suspect(string(text)) {
			continue
		}
		vars, err := value.YAML(text)
		if err != nil {
			continue // the playbook will say so, if it reads it
		}
		if err := file.check(vars); err != nil {
			return err
		}
	}
	return nil
}

// suspect reports whether a text may have what a plan takes it not to have.
func (f Vaulted) suspect(text string) bool {
	return computes(text) || slices.ContainsFunc(f.Undefined, func(name string) bool { return strings.Contains(text, name) })
}

// check is a fault if there is something in a file that a plan cannot know.
func (f Vaulted) check(vars value.Value) error {
	const instead = "or write vault: templates below ansible: then every variable of the node counts for it"
	for _, p := range vars.Pairs() {
		switch {
		case hasTemplate(p.Value):
			return fault.New(fault.Input, "%s is encrypted as a whole, and its variable %s is a template, which a plan cannot follow", f.Name, p.Key.Shown(60)).
				WithHint("keep templates in a file that is not encrypted, and only the secret in this one; " + instead)
		case slices.Contains(f.Undefined, p.Key.Text):
			return fault.New(fault.Input, "%s is encrypted as a whole, and its variable %s, which something else defines as well, decides which files and tasks there are", f.Name, p.Key.Shown(60)).
				WithHint("call the variable otherwise, or define it in a file that is not encrypted; " + instead)
		}
	}
	return nil
}

// decrypt returns the content of vaulted files, one after the other. Nobody is asked for
// a password.
func (w *Work) decrypt(ctx context.Context, s layer.Playbooks, env []string, names ...string) ([]byte, error) {
	if _, ok := sandbox.LookPath("ansible-vault"); !ok {
		return nil, errors.New("ansible-vault is not installed")
	}
	args := []string{"setsid", "--wait", "ansible-vault", "view"}
	if s.VaultPasswordFile != "" {
		args = append(args, "--vault-password-file", s.VaultPasswordFile)
	}
	var text bytes.Buffer
	err := sandbox.Host(ctx, sandbox.Cmd{
		Args: append(args, names...), Env: env, Dir: w.Dir, Stdin: strings.NewReader(""), Stdout: &text, Stderr: io.Discard,
	})
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	return text.Bytes(), nil
}

// hasTemplate reports whether there is a template in a value.
func hasTemplate(v value.Value) bool {
	found := false
	v.Strings(func(s string, _ int) { found = found || computes(s) })
	for _, p := range v.Pairs() {
		found = found || computes(p.Key.Text)
	}
	return found
}

// computes reports whether a text may have a template in it.
func computes(s string) bool { return strings.Contains(s, "{{") || strings.Contains(s, "{%") }
