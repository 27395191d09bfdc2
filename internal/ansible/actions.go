package ansible

import (
	"path"
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/python"
	"github.com/strata-hpc/strata/internal/ansible/tree"
	"github.com/strata-hpc/strata/internal/ansible/value"
)

// Which modules read files of the machine that builds, wherever they run: those that
// have an action plugin. Any other module is sent to the node, and what its arguments
// name is there. Source: plugins/action and config/ansible_builtin_runtime.yml of
// ansible-core 2.14, and the collections of ansible 7.7 and their meta/runtime.yml.

// actions are those action plugins that read files, with the arguments that name
// them. Those of include_*, template and script are read elsewhere.
var actions = map[string][]string{
	"copy": {"src"}, "unarchive": {"src"}, "assemble": {"src"}, "uri": {"src"},
	"patch": {"src"}, "ansible.posix.patch": {"src"}, "synchronize": {"src"}, "ansible.posix.synchronize": {"src"},
	"win_copy": {"src"}, "ansible.windows.win_copy": {"src"}, "win_template": {"src"}, "ansible.windows.win_template": {"src"},
	"aws_s3": {"src"}, "s3_object": {"src"}, "amazon.aws.aws_s3": {"src"}, "amazon.aws.s3_object": {"src"},
	"community.sops.load_vars": {"file"},
}

// collections are those whose action plugins are known: they read none but what is in
// actions.
var collections = wordSet(`
	amazon.aws ansible.posix ansible.utils ansible.windows awx.awx azure.azcollection chocolatey.chocolatey cloud.common
	cloudscale_ch.cloud community.aws community.ciscosmb community.crypto community.digitalocean community.dns
	community.docker community.fortios community.general community.google community.grafana community.hashi_vault
	community.hrobot community.libvirt community.mongodb community.mysql community.postgresql community.proxysql
	community.rabbitmq community.routeros community.sap community.sap_libs community.skydive community.sops
	community.vmware community.windows community.zabbix containers.podman cyberark.conjur cyberark.pas
	dellemc.openmanage dellemc.powerflex dellemc.unity fortinet.fortimanager fortinet.fortios frr.frr gluster.gluster
	google.cloud grafana.grafana hetzner.hcloud hpe.nimble ibm.spectrum_virtualize infinidat.infinibox
	infoblox.nios_modules inspur.ispim inspur.sm lowlydba.sqlserver microsoft.ad netapp.aws netapp.azure
	netapp.cloudmanager netapp.elementsw netapp.ontap netapp.storagegrid netapp.um_info netapp_eseries.santricity
	netbox.netbox ngine_io.cloudstack ngine_io.exoscale ngine_io.vultr openstack.cloud openvswitch.openvswitch
	ovirt.ovirt purestorage.flasharray purestorage.flashblade purestorage.fusion t_systems_mms.icinga_director
	theforeman.foreman vmware.vmware_rest vultr.cloud wti.remote`)

// families are the beginnings of short names whose modules one action plugin of a
// collection runs: those of network devices, and of Kubernetes.
var families = wordSet(`aireos aruba asa bigip ce cli cnos dellos10 dellos6 dellos9 edgeos enos eos exos frr grpc helm ios iosxr ironware
	junos k8s ks8 net netconf nxos onyx openshift restconf slxos sros telnet voss vyos`)

func wordSet(list string) map[string]bool { return setOf(strings.Fields(list)...) }

// acts reports whether a module may have an action plugin that is not known and reads
// what its arguments name. Those of the project are looked for elsewhere: see code.
func (w *walk) acts(module string) bool {
	if computes(module) {
		return true
	}
	parts := strings.SplitN(module, ".", 3)
	if len(parts) == 3 {
		full := parts[0] + "." + parts[1]
		return !collections[full] && !w.hasCollection(full)
	}
	family, _, _ := strings.Cut(module, "_")
	if families[family] {
		return true
	}
	for full := range w.plugins.collections.keys() { // short names are looked up in these
		if full != "ansible.builtin" && full != "ansible.legacy" && !collections[full] && !w.hasCollection(full) {
			return true
		}
	}
	return false
}

// readsFiles reports whether a module reads files of the machine that builds that its
// arguments name.
func (w *walk) readsFiles(module string) bool {
	switch module {
	case "include_tasks", "import_tasks", "include", "include_vars", "template", "script":
		return true
	}
	_, known := actions[module]
	return known || w.plugins.actions.has(module) || w.acts(module) || len(w.boundedOf(module)) > 0
}

// hasCollection reports whether the project has a collection, whose action plugins are
// looked for as its own ones are.
func (w *walk) hasCollection(full string) bool {
	namespace, name, _ := strings.Cut(full, ".")
	for _, dir := range w.collectionDirs() {
		dir = path.Join(dir, namespace, name)
		if w.lacks(dir, false, place{}) {
			return false // nobody can say which it has
		}
		if w.files.Kind(dir) != tree.Directory {
			continue
		}
		text, err := w.files.Text(path.Join(dir, "meta/runtime.yml"))
		return err != nil || !strings.Contains(string(text), "action_plugin") // an action plugin of another name
	}
	return false
}

// call is a task that was reached.
type call struct {
	task  *task
	owner owner
}

// called notes a task, for when an action plugin of its module comes up.
func (w *walk) called(t *task, o owner) {
	w.calls.set(t.module, append(slices.Clip(w.calls.at(t.module)), call{t, o}))
	if w.plugins.actions.has(t.module) {
		w.anyArgument(t, o)
	}
	for _, a := range w.boundedOf(t.module) {
		w.opens(a, t, o)
	}
}

// runsAs reports whether a module may be one of this name, for which a plugin stands.
func runsAs(module, name string) bool {
	return module == name || strings.HasSuffix(module, "."+name) || computes(module)
}

// boundedOf are the action plugins of the project that run for a module and of which it
// is known what they read.
func (w *walk) boundedOf(module string) []python.Action {
	var all []python.Action
	for name := range w.plugins.bounded.keys() {
		if runsAs(module, name) {
			all = append(all, w.plugins.bounded.at(name)...)
		}
	}
	return all
}

// reading is what an action plugin of the project reads, false if nobody can know, or
// somebody says it.
func (w *walk) reading(file, text string) (python.Action, bool) {
	if _, declared := w.saidOf(file); declared {
		return python.Action{}, false
	}
	return w.Project.parsed.actions.Get(text, func() readAction {
		a, ok := python.ReadAction(text)
		return readAction{a, ok}
	}).known()
}

// readAction is what python.ReadAction returns.
type readAction struct {
	action python.Action
	ok     bool
}

func (r readAction) known() (python.Action, bool) { return r.action, r.ok }

// action reads the arguments of the tasks that an action plugin of the project runs.
func (w *walk) action(name, file, text string) {
	a, bounded := w.reading(file, text)
	if (!bounded || strings.Contains(text, "notify")) && !w.plugins.notifies {
		w.plugins.notifies = true
		w.decided++
	}
	if bounded {
		w.plugins.bounded.set(name, append(slices.Clip(w.plugins.bounded.at(name)), a))
	}
	for module := range w.calls.keys() {
		if !runsAs(module, name) || !bounded && !w.plugins.actions.add(module) {
			continue
		}
		for _, c := range w.calls.at(module) {
			if bounded {
				w.opens(a, c.task, c.owner)
			} else {
				w.anyArgument(c.task, c.owner)
			}
		}
	}
	if !bounded {
		w.plugins.actions.add(name)
	}
}

// opens wants the files that an action plugin of the project opens for a task.
func (w *walk) opens(a python.Action, t *task, o owner) {
	r := request{kind: wantFile, owner: o}
	if a.Templates {
		r.kind, r.form = wantTemplate, asWhole
	}
	for _, key := range a.Opens {
		v := t.args.At(key)
		if v.Kind == value.Null && (w.defaults || len(t.args.Pairs()) == 0 && t.free.Kind != value.Null) {
			w.everything("the arguments of a plugin that opens files are given elsewhere", o.at(t.line))
		}
		if a.Searches {
			w.eachName(v, r)
		}
		r := r
		r.works = true
		w.eachName(v, r)
	}
	if len(a.Calls) > 0 {
		w.file(t, o, wantFile, "src")
	}
}

// eachName wants what every text in a value names.
func (w *walk) eachName(v value.Value, like request) {
	eachText(v, func(text value.Value) {
		like.shape, like.line = shapeOf(text), text.Line
		w.want(like)
	})
}

// eachText calls use for every text in a value, but for keys.
func eachText(v value.Value, use func(text value.Value)) {
	switch v.Kind {
	case value.List:
		for _, item := range v.Items() {
			eachText(item, use)
		}
	case value.Map:
		for _, p := range v.Pairs() {
			eachText(p.Value, use)
		}
	case value.String:
		use(v)
	}
}

// givesDefaults notes that arguments of tasks may be given by module_defaults.
func (w *walk) givesDefaults() {
	if w.defaults {
		return
	}
	w.defaults = true
	for module := range w.calls.keys() {
		for _, c := range w.calls.at(module) {
			for _, a := range w.boundedOf(module) {
				w.opens(a, c.task, c.owner)
			}
		}
	}
}

// moduleFiles wants the files of the project that a module reads which runs on the
// node.
func (w *walk) moduleFiles(t *task, o owner) {
	keys, known := actions[t.module]
	switch {
	case !known && w.acts(t.module):
		w.anyArgument(t, o)
		return
	case !known || onNode(t):
		return
	case t.module == "copy" && o.role != "" && t.args.At("src").Kind != value.Null:
		w.want(request{kind: wantFile, shape: shapeOf(t.args.At("src")), owner: o, line: t.line, first: "files"})
		return
	case t.module == "uri" && t.args.At("body_format").Text == "form-multipart":
		w.argument(t.args.At("body"), o)
	case t.module == "community.sops.load_vars":
		w.opaque = true
	}
	for _, key := range keys {
		w.file(t, o, wantFile, key)
	}
}

// onNode reports whether a module takes its source from the node.
func onNode(t *task) bool {
	v := t.args.At("remote_src")
	return v.Kind == value.Bool && v.Text == "true" || v.Kind == value.String && (v.Text == "yes" || v.Text == "true")
}

// anyArgument wants whatever may be a name of a file.
func (w *walk) anyArgument(t *task, o owner) {
	w.argument(t.args, o)
	if len(t.args.Pairs()) == 0 {
		w.argument(t.free, o)
	}
}

func (w *walk) argument(v value.Value, o owner) {
	eachText(v, func(text value.Value) {
		if s := shapeOf(text); mayName(s) {
			w.want(request{kind: wantFile, shape: s, owner: o, line: text.Line})
		}
	})
}
