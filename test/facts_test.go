package test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// otherwise are Ansible's facts that an image build may see otherwise than the
// cluster node that boots the image, by the reason, which docs/how-it-works.md
// gives too. Any other fact that differs fails the test.
// A name may be a pattern. Network devices are added by the comparison.
var otherwise = map[string][]string{
	"the machine's hardware": {
		"processor*", "mem*_mb", "memory_mb", "swap*_mb", "devices", "device_links", "lvm", "uptime_seconds", "loadavg",
		"fibre_channel_wwn", "iscsi_iqn", "hostnqn",
	},
	"hidden in a build": {
		"bios_*", "board_*", "chassis_*", "product_*", "system_vendor", "form_factor", "virtualization_*", "cmdline", "proc_cmdline",
	},
	"the network":                      {"all_ipv*", "default_ipv*", "interfaces", "locally_reachable_ips", "dns"},
	"how the tree is mounted":          {"mounts"},
	"made at boot":                     {"machine_id", "ssh_host_key_*", "date_time"},
	"how the task is run":              {"env", "system_capabilities*"},
	"the running kernel's settings":    {"apparmor", "selinux", "fips"},
	"services do not run in the build": {"is_chroot"},
}

// compareFacts runs on the booted node: it prints each fact that differs from
// what the image build saw, and fails if there is one without a reason.
const compareFacts = `
import fnmatch, json
booted = json.load(open("/dev/shm/booted.json"))["ansible_facts"]
built = json.load(open("/usr/share/facts/built.json"))
explained = json.load(open("/usr/share/facts/explained.json"))
# What is not of the setup module, but of how it was called.
for name in "gather_subset", "module_setup", "discovered_interpreter_python", "_ansible_facts_gathered":
    built.pop(name, None), booted.pop(name, None), booted.pop("ansible_" + name, None)
booted = {k[len("ansible_"):] if k.startswith("ansible_") else k: v for k, v in booted.items()}
built = {k[len("ansible_"):] if k.startswith("ansible_") else k: v for k, v in built.items()}
explained["network devices"] = [d.replace("-", "_") for facts in (built, booted) for d in facts["interfaces"]]
reasons = [pattern for names in explained.values() for pattern in names]
bad = 0
for name in sorted(set(built) | set(booted)):
    if built.get(name) != booted.get(name) and not any(fnmatch.fnmatch(name, p) for p in reasons):
        bad += 1
        print("%s: built %.300s, booted %.300s" % (name, json.dumps(built.get(name)), json.dumps(booted.get(name))))
for name, value in {"service_mgr": "systemd", "hostname": "localhost", "distribution": "Debian"}.items():
    if booted.get(name) != value:
        bad += 1
        print("%s: booted %s" % (name, booted.get(name)))
raise SystemExit(bad > 0)
`

// compareFacts makes the image uan of the example take the facts of its build
// along, and compare them, as one of its tests, with those of the booted node.
func (p *project) compareFacts() {
	p.t.Helper()
	explained, err := json.Marshal(otherwise)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("facts/explained.json", string(explained))
	p.write("facts/compare.py", compareFacts)
	p.write("facts/setup.py", setupModule(p.t))
	p.write("facts.yml", `
- hosts: UAN
  tasks:
    - copy: {content: "{{ ansible_facts | to_json }}", dest: /usr/share/facts/built.json}
`)
	p.replace("strata.yaml", "playbooks: [slurm.yml]", "playbooks: [slurm.yml, facts.yml]")
	p.replace("strata.yaml", "      - src: files/strata-release.tmpl\n", "      - {src: facts, dest: /usr/share/facts}\n      - src: files/strata-release.tmpl\n")
	p.replace("strata.yaml", `      - name: one user cannot take all of the memory
`, `      - name: the facts are those that the image build saw
        timeout: 300
        run: python3 /usr/share/facts/setup.py > /dev/shm/booted.json && python3 /usr/share/facts/compare.py
      - name: one user cannot take all of the memory
`)
}

// setupModule is the module setup as "ansible -m setup" sends it to a host.
func setupModule(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "ansible.cfg") // and not this user's
	writeFile(t, config, "")
	cmd := exec.Command("ansible", "localhost", "--connection", "local", "--module-name", "setup")
	cmd.Env = append(os.Environ(), "ANSIBLE_KEEP_REMOTE_FILES=1", "ANSIBLE_PIPELINING=0", "ANSIBLE_REMOTE_TEMP="+dir, "ANSIBLE_CONFIG="+config, "LC_ALL=C.UTF-8")
	must(t, cmd)
	module := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), "AnsiballZ_setup") {
			module = readFile(t, path)
		}
		return err
	})
	if err != nil || module == "" {
		t.Fatalf("find the module that Ansible sent: %v", err)
	}
	return module
}
