package step

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible"
	"github.com/strata-hpc/strata/internal/ansible/inventory"
	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/limit"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// connectionPlugin lets ansible-playbook on this machine work in the sandbox.
//
//go:embed strata_connection.py
var connectionPlugin []byte

// becomePlugin lets tasks run as other users of the tree, with its help.
//
//go:embed strata_become.py
var becomePlugin []byte

// programsHook has what ansible-playbook starts on this machine be observed.
//
//go:embed strata_programs.py
var programsHook []byte

// playbooks runs the real ansible-playbook on this machine, with the site's
// configuration and inventory, and the sandbox as its only host.
func (w *Work) playbooks(ctx context.Context, s layer.Playbooks) error {
	if _, ok := sandbox.LookPath("ansible-playbook"); !ok {
		return fault.New(fault.Machine, "ansible-playbook is not installed on this machine").
			WithHint("Debian: apt install ansible-core; EL: dnf install ansible-core; SUSE: zypper install ansible-core")
	}
	inventory, env, err := w.ansibleFiles(s)
	if err != nil {
		return fmt.Errorf("prepare Ansible: %w", err)
	}
	if err := w.plainVaults(ctx, s, env); err != nil {
		return err
	}
	args := []string{"ansible-playbook", "--limit", string(w.Node.ID)}
	for i, source := range w.Inventory {
		name, err := w.thaw(source, filepath.Join(w.Temporary, fmt.Sprint("inventory-", i)))
		if err != nil {
			return fmt.Errorf("prepare Ansible: %w", err)
		}
		args = append(args, "--inventory", name)
	}
	args = append(args, "--inventory", inventory)
	if len(s.Tags) > 0 {
		args = append(args, "--tags", strings.Join(s.Tags, ","))
	}
	if len(s.SkipTags) > 0 {
		args = append(args, "--skip-tags", strings.Join(s.SkipTags, ","))
	}
	if s.VaultPasswordFile != "" {
		args = append(args, "--vault-password-file", s.VaultPasswordFile)
	}
	for _, name := range s.ExtraVarsFiles { // the weaker come first
		args = append(args, "--extra-vars", "@"+name)
	}
	if len(s.ExtraVars) > 0 {
		vars, err := json.Marshal(s.ExtraVars)
		if err != nil {
			return fmt.Errorf("prepare Ansible: %w", err)
		}
		args = append(args, "--extra-vars", string(vars))
	}
	started, err := w.observe(env)
	if err != nil {
		return fmt.Errorf("observe programs: %w", err)
	}
	env = append(env, started.env...)
	err = w.play(ctx, s, args, env)
	return errors.Join(err, started.end(w, s.Local))
}

// play runs the playbooks one after the other.
func (w *Work) play(ctx context.Context, s layer.Playbooks, args, env []string) error {
	for _, playbook := range s.Playbooks {
		fmt.Fprintf(w.Log, "ansible-playbook %s\n", playbook)
		err := sandbox.Host(ctx, sandbox.Cmd{
			// What plugins run on this machine does not depend on the caller's umask.
			Args: append([]string{"/bin/sh", "-c", `umask 022; exec "$@"`, "sh"}, append(args, playbook)...),
			Env:  env, Dir: w.Dir, Stdout: w.Log, Stderr: w.Log,
		})
		var exit *sandbox.ExitError
		if errors.As(err, &exit) {
			return w.explainPlaybook(playbook, exit.Status)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// thaw returns the name under which Ansible reads a source of the inventory. One that
// is frozen is written anew below dir, beside what stands beside it.
func (w *Work) thaw(source, dir string) (string, error) {
	if info, err := fs.Stat(w.Project, source); err != nil || !info.Mode().IsRegular() {
		return source, nil // there, or not, as Ansible will see
	}
	text, err := limit.Read(w.Project, source, limit.Ansible)
	if err != nil {
		return "", err
	}
	thawed, ok, err := inventory.Thaw(text)
	if !ok || err != nil {
		return source, err
	}
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return "", err
	}
	for _, vars := range []string{"group_vars", "host_vars"} {
		if err := os.Symlink(filepath.Join(w.Dir, filepath.Dir(source), vars), filepath.Join(dir, vars)); err != nil {
			return "", err
		}
	}
	name := filepath.Join(dir, filepath.Base(source))
	return name, os.WriteFile(name, thawed, 0o600)
}

// explainPlaybook says that a playbook failed; Ansible's own words are in the log.
func (w *Work) explainPlaybook(playbook string, status int) error {
	f := fault.New(fault.Failed, "ansible-playbook %s: exit status %d", playbook, status)
	for _, python := range []string{"/usr/bin/python3", "/usr/libexec/platform-python"} {
		if file, err := sandbox.OpenIn(w.Box.Root(), python); err == nil {
			file.Close()
			return f
		}
	}
	return f.WithHint("the tree has no Python, which Ansible's modules need: install package python3 in this layer or below")
}

// ansibleFiles writes the plugin and the generated inventory, and returns the
// inventory's path and Ansible's environment.
func (w *Work) ansibleFiles(s layer.Playbooks) (inventory string, env []string, err error) {
	connection, become := filepath.Join(w.Temporary, "ansible-connection"), filepath.Join(w.Temporary, "ansible-become")
	local := filepath.Join(w.Temporary, "ansible-local")
	for _, dir := range []string{connection, become, local} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", nil, err
		}
	}
	inventory = filepath.Join(w.Temporary, "strata.json")
	hosts, err := json.Marshal(w.inventory())
	if err == nil {
		err = os.WriteFile(inventory, hosts, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(connection, "strata.py"), connectionPlugin, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(become, "strata.py"), becomePlugin, 0o600)
	}
	if err != nil {
		return "", nil, err
	}
	set := map[string]string{
		"ANSIBLE_CONNECTION_PLUGINS": connection,
		"ANSIBLE_BECOME_PLUGINS":     become,
		// Nobody is there to be asked, and the agent wants no password.
		"ANSIBLE_BECOME_ASK_PASS":     "0",
		"ANSIBLE_ASK_PASS":            "0",
		"ANSIBLE_LOCAL_TEMP":          local,
		"ANSIBLE_RETRY_FILES_ENABLED": "0",
		"ANSIBLE_NOCOLOR":             "1",
		// A part of the inventory that cannot be read must not be passed over.
		"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
		"ANSIBLE_FORCE_COLOR":                      "0",
		"ANSIBLE_PYTHON_INTERPRETER":               "auto_silent",
		"LC_ALL":                                   "C.UTF-8", // the caller's may not be installed, and sorts otherwise
		"LANG":                                     "C.UTF-8",
		"TZ":                                       "UTC",
		"PYTHONHASHSEED":                           "0", // filters that make sets say them in one order
		"PERL_HASH_SEED":                           "0",
		"PYTHONUNBUFFERED":                         "1",
		"PYTHONDONTWRITEBYTECODE":                  "1",
		"STRATA_ENVIRONMENT":                       mustJSON(sandbox.Environ(w.Environment)),
	}
	if ansible.Open(w.Project, ansible.NewParsed()).Unparsed(ansible.Query{Inventory: w.Inventory, Config: s.Config}) {
		// The plan said which, and Ansible says it once more.
		set["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"], set["ANSIBLE_INVENTORY_UNPARSED_FAILED"] = "0", "1"
	}
	if set["ANSIBLE_CONFIG"], err = w.config(s); err != nil {
		return "", nil, err
	}
	if roles := w.searched(s.RolesPath, set["ANSIBLE_CONFIG"], false); roles != "" {
		set["ANSIBLE_ROLES_PATH"] = roles
	}
	if collections := w.searched(s.Collections, set["ANSIBLE_CONFIG"], true); collections != "" {
		// Ansible before 2.15 knows only the plural.
		set["ANSIBLE_COLLECTIONS_PATH"], set["ANSIBLE_COLLECTIONS_PATHS"] = collections, collections
	}
	return inventory, append(ansibleEnviron(os.Environ()), sandbox.Variables(set)...), nil
}

// ansibleEnviron leaves out what would configure Ansible behind the project's
// back, or say things in the caller's language: it is in no key, so it may not
// decide what a playbook does.
func ansibleEnviron(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool {
		return strings.HasPrefix(v, "ANSIBLE_") || strings.HasPrefix(v, "LANG") || strings.HasPrefix(v, "LC_") ||
			strings.HasPrefix(v, "SOURCE_DATE_EPOCH=")
	})
}

// config is the path of the ansible.cfg to use: the layer's, the project's, or
// an empty one, so that this user's and this machine's own play no part.
func (w *Work) config(s layer.Playbooks) (string, error) {
	name := s.Config
	if name == "" {
		name = "ansible.cfg"
	}
	if _, err := fs.Stat(w.Project, name); err == nil {
		return filepath.Join(w.Dir, name), nil
	} else if s.Config != "" || !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	none := filepath.Join(w.Temporary, "ansible.cfg")
	return none, os.WriteFile(none, nil, 0o600)
}

// searched is where Ansible looks for roles or collections: where the layer says, or else
// the configuration, or else Ansible's defaults; and last where those from elsewhere are. It
// is "" if the layer says nothing and there are none.
func (w *Work) searched(given []string, config string, collections bool) string {
	if len(given) == 0 && w.Elsewhere == "" {
		return ""
	}
	if w.Elsewhere == "" {
		return w.paths(given)
	}
	list, own := w.paths(given), filepath.Join(w.Elsewhere, "roles")
	usual := "~/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles"
	if collections {
		own, usual = filepath.Join(w.Elsewhere, "collections"), "~/.ansible/collections:/usr/share/ansible/collections"
	}
	if len(given) == 0 {
		list = usual
		if text, err := os.ReadFile(config); err == nil {
			list = cmp.Or(strings.Join(w.absolute(ansible.SearchPath(text, collections), filepath.Dir(config)), ":"), usual)
		}
	}
	return list + ":" + own
}

// absolute are entries of a search path that a file in a directory has.
func (w *Work) absolute(entries []string, dir string) []string {
	all := make([]string, len(entries))
	for i, entry := range entries {
		entry = strings.NewReplacer("{{CWD}}", w.Dir, "{{ CWD }}", w.Dir).Replace(entry)
		if !strings.HasPrefix(entry, "~") && !strings.HasPrefix(entry, "$") && !filepath.IsAbs(entry) {
			entry = filepath.Join(dir, entry)
		}
		all[i] = entry
	}
	return all
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings can always be encoded
	}
	return string(b)
}

func (w *Work) paths(relative []string) string {
	paths := make([]string, len(relative))
	for i, p := range relative {
		paths[i] = filepath.Join(w.Dir, p)
	}
	return strings.Join(paths, ":")
}

// inventory adds the node as a host to its groups.
func (w *Work) inventory() map[string]any {
	host := string(w.Node.ID)
	member := map[string]any{"hosts": map[string]any{host: nil}}
	children := map[string]any{
		ansible.ImageGroup: map[string]any{"hosts": member["hosts"], "vars": map[string]any{"strata_image": true}},
	}
	for _, group := range w.Node.Groups {
		children[group] = member
	}
	return map[string]any{"all": map[string]any{
		"hosts": map[string]any{host: map[string]any{
			"ansible_connection":    "strata",
			"ansible_strata_socket": w.Box.Socket(),
			"ansible_pipelining":    true,
			"ansible_remote_tmp":    "/tmp/.ansible",
			"ansible_become_method": "strata", // in place of the site's: the tree need have neither sudo nor su
		}},
		"children": children,
	}}
}
