"""Answers questions about inventories with Ansible's own modules.

Reads a list of cases as JSON from standard input, writes one of answers. Values
are written with their kind, so that 1, "1" and 1.0 are different.
"""
import json
import os
import sys

for name in [n for n in os.environ if n.startswith("ANSIBLE_")]:
    del os.environ[name]
os.environ["ANSIBLE_CONFIG"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ansible.cfg")
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.inventory.helpers import sort_groups
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

C.INVENTORY_ANY_UNPARSED_IS_FAILED = True
Display.warning = lambda self, *args, **named: None


def encode(v):
    if v is None:
        return "n"
    if isinstance(v, bool):
        return "b:true" if v else "b:false"
    if isinstance(v, int):
        return "i:%d" % v
    if isinstance(v, float):
        return "f:" + repr(v)
    if isinstance(v, str):
        return "s:" + v
    if isinstance(v, (list, tuple)):
        return [encode(x) for x in v]
    if isinstance(v, dict):
        return {"": [[encode(k), encode(x)] for k, x in v.items()]}
    return "x:" + type(v).__name__


def answer(case):
    os.chdir(case["dir"])
    loader = DataLoader()
    loader.set_basedir(os.path.join(case["dir"], case["play"]))
    C.DEFAULT_HASH_BEHAVIOUR = "replace"
    try:
        inventory = InventoryManager(loader=loader, sources=case["sources"])
    except Exception as e:
        return {"error": str(e)}
    manager = VariableManager(loader=loader, inventory=inventory)
    out = {"hosts": {}, "groups": {}, "matches": {}}
    for host in inventory.hosts.values():
        try:
            variables = manager.get_vars(host=host, include_hostvars=False, include_delegate_to=False)
        except Exception as e:
            return {"error": str(e)}
        groups = ["all"] + [g.name for g in sort_groups([g for g in host.get_groups() if g.name != "all"])]
        out["hosts"][host.name] = {
            "groups": groups,
            "group_names": variables["group_names"],
            "vars": {k: encode(v) for k, v in variables.items() if k.startswith("v") or k in ("ansible_port", "ansible_host")},
        }
    out["groups"] = inventory.get_groups_dict()
    for node in case["nodes"]:
        inventory.clear_caches()
        inventory.subset(node)
        found = out["matches"][node] = {}
        for pattern in case["patterns"]:
            try:
                found[pattern] = "yes" if any(h.name == node for h in inventory.get_hosts(pattern)) else "no"
            except Exception as e:
                found[pattern] = "error"
    return out


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
