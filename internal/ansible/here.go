package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/jinja"
	"github.com/strata-hpc/strata/internal/ansible/program"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Tasks that run on the machine that builds. A connection of the play or of the task
// is none of them: the node's own, which is a variable, is stronger.

// hereArguments are arguments of modules whose files come into the play when they run
// on the machine that builds.
var hereArguments = map[string][]string{
	"copy": {"src"}, "unarchive": {"src"}, "assemble": {"src"}, "uri": {"src"}, "patch": {"src"}, "ansible.posix.patch": {"src"},
	"synchronize": {"src"}, "ansible.posix.synchronize": {"src"}, "slurp": {"src", "path"}, "fetch": {"src"}, "pip": {"requirements", "name"},
	"archive": {"path"}, "community.general.archive": {"path"}, "read_csv": {"path"}, "community.general.read_csv": {"path"},
	"git": {"repo"}, "get_url": {}, "wait_for": {"path"}, "iso_create": {"src_files"}, "community.general.iso_create": {"src_files"},
}

// hereWrites are modules that change files there: what they tell is whether they did.
var hereWrites = wordSet(`lineinfile blockinfile replace ini_file community.general.ini_file known_hosts authorized_key ansible.posix.authorized_key
	file ansible.posix.acl acl cron community.general.xml xml`)

// hereNothing are modules that read no files there.
var hereNothing = wordSet(`add_host alternatives apt apt_key apt_repository assert async_status command debconf debug dnf dnf5 dpkg_selections fail
	ansible.posix.firewalld firewalld gather_facts getent group group_by hostname import_playbook import_role import_tasks include include_role
	include_tasks include_vars iptables locale_gen community.general.locale_gen meta modprobe community.general.modprobe mount ansible.posix.mount
	package package_facts pause ping reboot rpm_key seboolean ansible.posix.seboolean selinux ansible.posix.selinux service service_facts set_fact
	set_stats setup subversion sysctl ansible.posix.sysctl systemd systemd_service sysvinit tempfile timezone community.general.timezone user
	validate_argument_spec wait_for_connection yum yum_repository`)

// hereReads follows what a task reads of the project that runs on the machine that
// builds, besides what its action plugin reads anyway.
func (w *walk) hereReads(t *task, o owner) {
	if t.computed && !hereNothing[t.module] {
		w.everything("the arguments of a module are computed", o.at(t.line))
	}
	switch t.module {
	case "command", "shell", "raw", "expect", "script":
		w.commandHere(t, o)
		return
	case "template":
		return // it is read as one
	case "find":
		w.findHere(t, o)
		return
	case "stat":
		w.statHere(t, o)
		return
	}
	if keys, ok := hereArguments[t.module]; ok {
		for _, key := range keys {
			w.fileHere(t, o, key, wantLocal)
		}
		return
	}
	switch {
	case hereNothing[t.module]:
	case hereWrites[t.module]:
		if t.register != "" || t.notifies {
			for _, key := range []string{"path", "dest", "name", "destfile"} {
				w.fileHere(t, o, key, wantLocal)
			}
		}
	default:
		w.anyArgument(t, o)
	}
}

// fileHere wants what an argument names on the machine that builds.
func (w *walk) fileHere(t *task, o owner, key string, kind want) {
	if v := t.args.At(key); v.Kind != value.Null {
		w.want(request{kind: kind, shape: shapeOf(v), owner: o, line: t.line})
	}
}

// statHere wants a name, or the file where its content is looked at.
func (w *walk) statHere(t *task, o owner) {
	kind := wantLocalName
	if t.register != "" && w.mentions(o.file, "checksum", "size", "mimetype", "md5") {
		kind = wantLocal
	}
	for _, key := range []string{"path", "name", "dest"} {
		w.fileHere(t, o, key, kind)
	}
}

// findHere wants the names below directories, or the files where their content is
// looked at.
func (w *walk) findHere(t *task, o owner) {
	kind := wantLocalName
	if t.args.At("contains").Kind != value.Null || t.args.At("get_checksum").Kind != value.Null || t.args.At("size").Kind != value.Null ||
		w.mentions(o.file, ".checksum", ".size", "'size'", "'checksum'") {
		kind = wantLocal
	}
	var patterns []string
	if use := t.args.At("use_regex"); use.Kind == value.Null || use.Text == "false" || use.Text == "no" {
		patterns = plainPatterns(append(t.args.At("patterns").List(), t.args.At("pattern").List()...))
	}
	for _, key := range []string{"paths", "path", "name"} {
		for _, v := range t.args.At(key).List() {
			for _, dir := range strings.Split(v.Text, ",") {
				if v.Kind != value.String {
					continue
				}
				at := v
				at.Text = strings.TrimSpace(dir)
				w.want(request{kind: kind, shape: shapeOf(at), owner: o, line: t.line, fitting: patterns})
			}
		}
	}
}

// plainPatterns are patterns of the shell that are all known; none if one is not.
func plainPatterns(list []value.Value) []string {
	var all []string
	for _, v := range list {
		if v.Kind == value.Null {
			continue
		}
		if v.Kind != value.String || computes(v.Text) {
			return nil
		}
		for _, p := range strings.Split(v.Text, ",") {
			all = append(all, globbed(strings.TrimSpace(p)))
		}
	}
	return all
}

// mentions reports whether a file has one of some words in it: how a result is used
// that is registered in it.
func (w *walk) mentions(file string, words ...string) bool {
	text, err := w.files.Text(file)
	if err != nil {
		return true
	}
	for _, word := range words {
		if strings.Contains(string(text), word) {
			return true
		}
	}
	return false
}

// delegated follows a task that is delegated to a host of this name.
func (w *walk) delegated(t *task, o owner) {
	if host, ok := shapeOf(t.where).(jinja.Literal); ok && localhost(string(host)) {
		w.hereReads(t, o)
		return
	}
	w.want(request{kind: wantDelegate, shape: shapeOf(t.where), owner: o, line: t.line, task: t})
}

// inherited is the host that the tasks are delegated to which a task leads to.
func (w *walk) inherited(t *task) value.Value {
	if strings.HasPrefix(t.module, "include_") {
		return t.args.At("apply").At("delegate_to")
	}
	return t.where
}

// leadsHere reports whether a host that tasks are delegated to may be this machine.
func (w *walk) leadsHere(where value.Value, o owner) bool {
	if where.Kind == value.Null {
		return false
	}
	return slices.ContainsFunc(w.texts(w.shapeOf(where), o), func(host string) bool { return w.mayBeHere(host, &task{}, o.at(where.Line)) })
}

// answerHere answers a request about the machine that builds, of which name is one of
// the texts that it comes to.
func (w *walk) answerHere(r *request, name string) {
	at := r.owner.at(r.line)
	switch r.kind {
	case wantDelegate:
		if itself := r.constant() && name == w.q.Host; !itself && w.mayBeHere(name, r.task, at) {
			w.hereReads(r.task, r.owner)
		}
	case wantEnvironment:
		for _, file := range program.Environment(r.under, plainMarks(name)).Files {
			w.localRead(file, []string{projectText}, false, nil, at)
		}
	case wantLocal:
		at.note = ""
		if w.localRead(plainMarks(name), []string{projectText}, false, r.fitting, at) {
			w.program("it reads a file of this machine whose name is computed", at)
		}
	case wantLocalName:
		if w.localRead(plainMarks(name), []string{projectText}, true, r.fitting, at) {
			at.note = "it looks for a file of this machine whose name is computed"
			w.widens(at.note, at)
			w.localFile(".", true, r.fitting, at)
		}
	}
}

// plainMarks is a pattern with one mark for what is not known.
func plainMarks(pattern string) string { return strings.ReplaceAll(pattern, wordText, unknownText) }

// localhost reports whether a name is this machine without being in an inventory
// (C.LOCALHOST of ansible-core).
func localhost(name string) bool { return name == "localhost" || name == "127.0.0.1" || name == "::1" }

// mayBeHere reports whether a host of a name that matches a pattern may be this
// machine: localhost, or a host of the inventory that is connected to locally.
func (w *walk) mayBeHere(pattern string, t *task, at place) bool {
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if matches(pattern, name) {
			return true
		}
	}
	if pattern == "" {
		return false
	}
	if t.local || w.localPlays {
		return true
	}
	for _, host := range w.otherHosts(pattern) {
		for _, name := range []string{"ansible_connection", "ansible_host"} {
			h := hostRead{host, name}
			w.foreignRead(h, at)
			first := w.foreignValue(h).first
			if shown := first.Shown; first.File != "" && (shown == "local" || localhost(shown) || computes(shown)) {
				return true
			}
		}
	}
	return false
}

// members is what groups[NAME], or what lies at a path in it, can be.
func (w *walk) members(at []string) []outcome {
	group := at[0]
	joined := slices.Contains(w.joins, group) || slices.ContainsFunc(w.joinForms, func(form string) bool { return matches(form, group) })
	if w.inv.Groups[group] == nil || joined { // made while playbooks run
		return unknownOutcome()
	}
	w.asksOwn() // the node may be one of them
	hosts := outcome{some: []outcome{}}
	for _, host := range w.node.Members(group) {
		hosts.some = append(hosts.some, textOutcome(host))
	}
	return w.inside(hosts, at[1:])
}

// runsHere notes that the node itself may be connected to locally: all its tasks run
// on this machine.
func (w *walk) runsHere(name string, v value.Value) {
	if name != "ansible_connection" || w.isHere || v.Kind == value.String && v.Text != "local" && !computes(v.Text) {
		return
	}
	w.isHere = true
	for module := range w.calls.keys() {
		for _, c := range w.calls.at(module) {
			w.hereReads(c.task, c.owner)
		}
	}
}
