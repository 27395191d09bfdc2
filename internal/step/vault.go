package step

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// plainVaults checks what a plan takes for granted of files of variables that are
// encrypted as a whole: that no value in them is a template, which could read any
// variable. What cannot be decrypted here is passed over: the playbook cannot read it
// either.
func (w *Work) plainVaults(ctx context.Context, s layer.Playbooks, env []string) error {
	if len(w.Vaulted) == 0 || s.Vault == "templates" {
		return nil
	}
	// Most have none: then it takes one program, and no parsing.
	if text, err := w.decrypt(ctx, s, env, w.Vaulted...); err == nil && !computes(string(text)) {
		return nil
	}
	for _, name := range w.Vaulted {
		text, err := w.decrypt(ctx, s, env, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || !computes(string(text)) {
			continue
		}
		vars, err := value.YAML(text)
		if err != nil {
			continue // the playbook will say so, if it reads it
		}
		for _, p := range vars.Pairs() {
			if hasTemplate(p.Value) {
				return fault.New(fault.Input, "%s is encrypted as a whole, and its variable %s is a template, which a plan cannot follow", name, p.Key.Shown(60)).
					WithHint("keep templates in a file that is not encrypted, and only the secret in this one; " +
						"or write vault: templates below ansible: then every variable of the node counts for it")
			}
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
