package ansible

import (
	"slices"
	"strings"

	"github.com/strata-hpc/strata/internal/ansible/value"
)

// core are modules that every Ansible has.
var core = setOf(
	"apt", "assert", "blockinfile", "command", "copy", "cron", "debconf", "debug", "dnf", "fail", "file", "find", "get_url",
	"getent", "git", "group", "hostname", "include_tasks", "known_hosts", "lineinfile", "package", "ping", "pip", "reboot", "replace",
	"script", "service", "shell", "slurp", "stat", "systemd", "systemd_service", "sysvinit", "template", "unarchive", "uri",
	"user", "wait_for",
)

// loads reports whether Ansible takes a task for certain when it reads it, and
// looks at no more of it if its condition is false: such a task that never runs
// is as good as none. Only plain forms are known here.
func loads(v value.Value, handler bool) bool {
	modules, block, include := 0, false, v.At("include_tasks").Kind != value.Null || v.At("ansible.builtin.include_tasks").Kind != value.Null
	for _, p := range v.Pairs() {
		switch key := p.Key.Text; key {
		case "block", "rescue", "always":
			block = block || key == "block"
			if p.Value.Kind != value.List || len(p.Value.Items()) == 0 ||
				slices.ContainsFunc(p.Value.Items(), func(item value.Value) bool { return !loads(item, false) }) {
				return false
			}
		case "name":
			if p.Value.Kind != value.String {
				return false
			}
		case "become", "ignore_errors", "no_log", "run_once":
			if p.Value.Kind != value.Bool || include && key == "become" {
				return false
			}
		case passedTags:
		case "listen":
			if !handler {
				return false
			}
		case "changed_when", "failed_when", "notify", "tags", "when":
			for _, one := range p.Value.List() {
				if one.Kind != value.String && (one.Kind != value.Bool || !bare[key]) || include && key != "tags" && key != "when" {
					return false
				}
			}
		default:
			if modules++; !core[builtin(key)] || !loadsArguments(builtin(key), p.Value) {
				return false
			}
		}
	}
	return block && modules == 0 || !block && modules == 1
}

func loadsArguments(module string, v value.Value) bool {
	switch v.Kind {
	case value.Null:
		return module != "include_tasks"
	case value.Map:
		return module != "include_tasks" && !slices.ContainsFunc(v.Pairs(), func(p value.Pair) bool {
			return p.Key.Kind != value.String || strings.HasPrefix(p.Key.Text, "_")
		})
	case value.String: // words that mean nothing but themselves
		return (module == "command" || module == "include_tasks" && v.Text != "" && !strings.Contains(v.Text, " ")) && strings.Trim(v.Text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ./_-") == ""
	}
	return false
}
